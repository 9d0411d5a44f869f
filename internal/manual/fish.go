package manual

import (
	"fmt"
	"strings"

	"github.com/alecthomas/kong"
)

const fishFunctions = `
function __NAME_command --description 'The command on the line, if there is one'
    set -l words (commandline -opc)
    for word in $words[2..-1]
        if not string match -q -- '-*' $word
            echo $word
            return
        end
    end
end

function __NAME_in
    set -l found (__NAME_command)
    test "$found" = "$argv[1]"
end

complete -c NAME -f
`

// Fish writes a script for fish's complete.
func Fish(app *kong.Application) ([]byte, error) {
	list, err := commands(app)
	if err != nil {
		return nil, err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "# Completion of %s for fish.\n", app.Name)
	b.WriteString(strings.ReplaceAll(fishFunctions, "NAME", app.Name))
	for _, c := range list {
		fmt.Fprintf(&b, "complete -c %s -n '__%s_in \"\"' -a %s -d %s\n", app.Name, app.Name, c.name, fishQuote(brief(c.help)))
	}
	for _, o := range options(app.Flags) {
		fmt.Fprintf(&b, "complete -c %s%s\n", app.Name, fishOption(o))
	}
	for _, c := range list {
		in := fmt.Sprintf("complete -c %s -n '__%s_in %s'", app.Name, app.Name, c.name)
		b.WriteString("\n")
		for _, o := range c.options[:len(c.options)-len(options(app.Flags))] {
			b.WriteString(in + fishOption(o) + "\n")
		}
		if len(c.operands) == 0 {
			continue
		}
		switch o := c.operands[0]; o.kind {
		case files:
			b.WriteString(in + " -F\n")
		case choice:
			fmt.Fprintf(&b, "%s -a %s\n", in, fishQuote(strings.Join(o.choices, " ")))
		}
	}
	return []byte(b.String()), nil
}

func fishOption(o option) string {
	text := " -l " + o.long
	if o.short != "" {
		text = " -s " + o.short + text
	}
	if o.value != "" {
		switch o.kind {
		case files:
			text += " -r -F"
		case folders:
			text += " -x -a '(__fish_complete_directories)'"
		case choice:
			text += " -x -a " + fishQuote(strings.Join(o.choices, " "))
		default:
			text += " -x"
		}
	}
	return text + " -d " + fishQuote(brief(o.help))
}

// fishQuote makes one word of a text; fish knows two escapes between single quotes.
func fishQuote(text string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(text) + "'"
}
