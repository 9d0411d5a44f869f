// Package manual turns kong's model of a command line into what people look for around a program: manual pages in roff, and
// completion scripts for bash, zsh and fish. Both say what --help says, because both are made from the same struct.
//
// The libraries that complete for kong (kongplete, kong-completion) ask the program itself at every Tab and write its absolute
// path into the shell's settings. A release wants files that are the same wherever the program lies, with the help beside each
// word, so the scripts are written here; a script knows nothing but words.
//
// A program here has one level of commands. A command of a command is an error, not a page that is missing.
package manual

import (
	"fmt"
	"strings"

	"github.com/alecthomas/kong"
)

// kind is what a shell can offer for a value.
type kind int

const (
	nothing kind = iota // A number, a name: the person knows.
	files
	folders
	choice
)

// option is a flag as pages and scripts show it.
type option struct {
	long, short string // Without dashes; short may be empty.
	help        string
	value       string // What stands for the value; empty for a switch.
	fallback    string // The default, if the help should name it.
	environment []string
	choices     []string
	kind        kind
	required    bool
	repeated    bool
}

// operand is a positional argument.
type operand struct {
	name, help string
	optional   bool
	choices    []string
	kind       kind
}

// command is one command of the program.
type command struct {
	name, help, detail string
	options            []option
	operands           []operand
}

// commands are those that are not hidden, in the order of the program, with the program's own flags behind theirs.
func commands(app *kong.Application) ([]command, error) {
	var list []command
	for _, node := range app.Children {
		if node.Hidden {
			continue
		}
		if len(node.Children) > 0 {
			return nil, fmt.Errorf("manual: %s has commands of its own: only one level is written", node.Name)
		}
		c := command{name: node.Name, help: node.Help, detail: node.Detail}
		c.options = append(options(node.Flags), options(app.Flags)...)
		for _, p := range node.Positional {
			c.operands = append(c.operands, operandOf(p))
		}
		list = append(list, c)
	}
	return list, nil
}

func options(flags []*kong.Flag) (list []option) {
	for _, f := range flags {
		if !f.Hidden {
			list = append(list, optionOf(f))
		}
	}
	return list
}

func optionOf(f *kong.Flag) option {
	o := option{long: f.Name, help: f.Help, environment: f.Envs, choices: choices(f.Value), required: f.Required, repeated: f.IsSlice()}
	if f.Short != 0 {
		o.short = string(f.Short)
	}
	if f.IsBool() || f.IsCounter() {
		return o
	}
	if f.Default != "0" { // Where 0 means something, the help says what.
		o.fallback = f.Default
	}
	o.value = placeholder(f, o.choices)
	switch {
	case len(o.choices) > 0:
		o.kind = choice
	case strings.Contains(o.value, "DIR"):
		o.kind = folders
	case strings.Contains(o.value, "FILE"), strings.Contains(o.value, "MODEL"):
		o.kind = files
	}
	return o
}

// placeholder stands for a flag's value. kong shows the default where the flag names none; pages have a place for the default.
func placeholder(f *kong.Flag, choices []string) string {
	text := f.PlaceHolder
	switch {
	case text != "":
	case len(choices) > 0:
		text = strings.Join(choices, "|")
	default:
		text = "VALUE"
	}
	if f.IsSlice() && f.Tag.Sep != -1 {
		text += string(f.Tag.Sep) + "..."
	}
	return text
}

// choices are the values of an enumeration but for the empty one, which is that of a flag not given.
func choices(v *kong.Value) (list []string) {
	if v.Enum == "" {
		return nil
	}
	for _, word := range v.EnumSlice() {
		if word != "" {
			list = append(list, word)
		}
	}
	return list
}

// operandOf takes every operand for a path but one that is called a text: models, plans and specs all are files or folders.
func operandOf(v *kong.Positional) operand {
	o := operand{name: v.Name, help: v.Help, optional: !v.Required, choices: choices(v), kind: files}
	switch {
	case len(o.choices) > 0:
		o.kind = choice
	case v.Name == "text":
		o.kind = nothing
	}
	return o
}

// words are the ways to write a flag.
func (o option) words() []string {
	if o.short == "" {
		return []string{"--" + o.long}
	}
	return []string{"-" + o.short, "--" + o.long}
}

// brief is the first clause of a help text, for a line beside a word.
func brief(help string) string {
	for i, r := range help {
		if strings.ContainsRune(".;:", r) && (i+1 == len(help) || help[i+1] == ' ') {
			return help[:i]
		}
	}
	return help
}
