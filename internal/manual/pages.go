package manual

import (
	"fmt"
	"strings"

	"github.com/alecthomas/kong"
)

// Page is a manual page of section 1.
type Page struct {
	Name string // Its file's, as shallow-eval.1.
	Text []byte // ASCII; what is beyond it is written as roff's escapes.
}

// Section is a section of the program's own page which the command line's model does not know, such as exit codes.
type Section struct {
	Title string
	Items [][2]string // Each a term and what it means.
}

// Pages writes the program's page and one for every command. version names the program with its version. There is no date in
// them: the same program has the same pages.
func Pages(app *kong.Application, version string, sections ...Section) ([]Page, error) {
	list, err := commands(app)
	if err != nil {
		return nil, err
	}
	pages := []Page{programPage(app, version, list, sections)}
	for _, c := range list {
		pages = append(pages, commandPage(app, version, c, sections))
	}
	return pages, nil
}

func programPage(app *kong.Application, version string, list []command, sections []Section) Page {
	w := newRoff(app.Name, version)
	w.section("Name")
	w.line(escape(app.Name) + ` \- ` + escape(lower(app.Help)))
	w.section("Synopsis")
	w.line(bold(app.Name) + " " + italic("command") + " [" + italic("arguments") + "]")
	if app.Detail != "" {
		w.section("Description")
		w.text(app.Detail)
	}
	w.section("Commands")
	for _, c := range list {
		w.item(bold(app.Name+"-"+c.name)+"(1)", c.help)
	}
	w.section("Options")
	for _, o := range options(app.Flags) {
		w.option(o)
	}
	for _, s := range sections {
		w.section(s.Title)
		for _, item := range s.Items {
			w.item(bold(item[0]), item[1])
		}
	}
	return w.page(app.Name)
}

// commandPage leaves out what the program's page says for all commands, but for the titles of it.
func commandPage(app *kong.Application, version string, c command, sections []Section) Page {
	name := app.Name + "-" + c.name
	w := newRoff(name, version)
	w.section("Name")
	w.line(escape(name) + ` \- ` + escape(lower(c.help)))
	w.section("Synopsis")
	w.line(synopsis(app.Name, c))
	if c.detail != "" {
		w.section("Description")
		w.text(c.detail)
	}
	if len(c.operands) > 0 {
		w.section("Arguments")
		for _, o := range c.operands {
			w.item(italic(o.name), o.help)
		}
	}
	w.section("Options")
	for _, o := range c.options {
		w.option(o)
	}
	w.section("See also")
	seen := bold(app.Name) + "(1)"
	if len(sections) > 0 {
		var titles []string
		for _, s := range sections {
			titles = append(titles, strings.ToLower(s.Title))
		}
		seen += escape(", for " + strings.Join(titles, " and "))
	}
	w.line(seen)
	return w.page(name)
}

// synopsis names the flags that must be given, and the arguments.
func synopsis(program string, c command) string {
	parts := []string{bold(program + " " + c.name)}
	for _, o := range c.options {
		if o.required {
			parts = append(parts, bold("--"+o.long)+"="+italic(o.value))
		}
	}
	parts = append(parts, "["+italic("options")+"]")
	for _, o := range c.operands {
		if o.optional {
			parts = append(parts, "["+italic(o.name)+"]")
		} else {
			parts = append(parts, italic(o.name))
		}
	}
	return strings.Join(parts, " ")
}

func (w *roff) option(o option) {
	var heads []string
	for _, word := range o.words() {
		heads = append(heads, bold(word))
	}
	head := strings.Join(heads, ", ")
	if o.value != "" {
		head += "=" + italic(o.value)
	}
	help := o.help
	if len(o.choices) > 0 && !strings.Contains(o.value, "|") {
		help += " One of " + strings.Join(o.choices, ", ") + "."
	}
	if o.fallback != "" {
		help += fmt.Sprintf(" The default is %s.", o.fallback)
	}
	if len(o.environment) > 0 {
		help += fmt.Sprintf(" Without it the environment's %s counts.", strings.Join(o.environment, " or "))
	}
	if o.required {
		help += " Required."
	}
	w.item(head, help)
}

// lower begins a line of NAME as man's index wants it, without its full stop.
func lower(help string) string {
	help = strings.TrimSuffix(help, ".")
	if help == "" {
		return help
	}
	return strings.ToLower(help[:1]) + help[1:]
}
