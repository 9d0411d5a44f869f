package manual

import (
	"fmt"
	"strings"

	"github.com/alecthomas/kong"
)

// Zsh writes a function for zsh's completion system: a file _NAME in a folder of fpath, or a script to be sourced.
func Zsh(app *kong.Application) ([]byte, error) {
	list, err := commands(app)
	if err != nil {
		return nil, err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "#compdef %s\n# Completion of %s for zsh.\n\n_%s() {\n", app.Name, app.Name, app.Name)
	b.WriteString("    local curcontext=$curcontext state line\n    local -a commands\n    typeset -A opt_args\n    _arguments -C")
	for _, o := range options(app.Flags) {
		b.WriteString(" \\\n        " + zshOption(o))
	}
	b.WriteString(" \\\n        '1: :->command' \\\n        '*:: :->argument' && return\n    case $state in\n    command)\n        commands=(\n")
	for _, c := range list {
		fmt.Fprintf(&b, "            %s\n", quote(zshText(c.name)+":"+brief(c.help)))
	}
	b.WriteString("        )\n        _describe -t commands command commands\n        ;;\n    argument)\n        case $line[1] in\n")
	for _, c := range list {
		fmt.Fprintf(&b, "        %s)\n            _arguments -S", c.name)
		for _, o := range c.options {
			b.WriteString(" \\\n                " + zshOption(o))
		}
		for i, o := range c.operands {
			b.WriteString(" \\\n                " + zshOperand(i+1, o))
		}
		b.WriteString("\n            ;;\n")
	}
	fmt.Fprintf(&b, "        esac\n        ;;\n    esac\n}\n\n")
	fmt.Fprintf(&b, "if [[ $funcstack[1] == _%s ]]; then\n    _%s \"$@\"\nelse\n    compdef _%s %s\nfi\n", app.Name, app.Name, app.Name, app.Name)
	return []byte(b.String()), nil
}

// zshOption is a flag as _arguments wants it: '(-o --output)'{-o+,--output=}'[help]:DIR:_files -/'.
func zshOption(o option) string {
	text := "[" + zshText(brief(o.help)) + "]"
	short, long := "-"+o.short, "--"+o.long
	if o.value != "" {
		short, long = short+"+", long+"="
		text += ":" + zshText(o.value) + ":" + zshAction(o.kind, o.choices)
	}
	before := "(" + strings.Join(o.words(), " ") + ")"
	if o.repeated {
		before = "*"
	}
	if o.short == "" {
		return quote(before + long + text)
	}
	return quote(before) + "{" + short + "," + long + "}" + quote(text)
}

func zshOperand(place int, o operand) string {
	colons := ":"
	if o.optional {
		colons = "::"
	}
	return quote(fmt.Sprintf("%d%s%s:%s", place, colons, zshText(o.name), zshAction(o.kind, o.choices)))
}

func zshAction(k kind, choices []string) string {
	switch k {
	case files:
		return "_files"
	case folders:
		return "_files -/"
	case choice:
		return "(" + strings.Join(choices, " ") + ")"
	}
	return " "
}

// zshText escapes what ends a part of a specification.
func zshText(text string) string {
	return strings.NewReplacer(`\`, `\\`, `:`, `\:`, `[`, `\[`, `]`, `\]`).Replace(text)
}

// quote makes one word of a text.
func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }
