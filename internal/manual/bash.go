package manual

import (
	"fmt"
	"strings"

	"github.com/alecthomas/kong"
)

// bashFunctions work in bash 3.2, which has no compopt: there a value that is not a path is offered paths.
const bashFunctions = `
_NAME_words() { COMPREPLY=($(compgen -W "$1" -- "$word")); _NAME_nothing; }
_NAME_folders() { compopt +o default +o bashdefault -o dirnames 2> /dev/null; }
_NAME_nothing() { compopt +o default +o bashdefault 2> /dev/null; }

_NAME() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} command= flags= i
    COMPREPLY=()
    # bash takes --flag=value for three words.
    if [[ $word == = ]]; then
        word=
    elif [[ $before == = && $COMP_CWORD -gt 1 ]]; then
        before=${COMP_WORDS[COMP_CWORD-2]}
    fi
    for ((i = 1; i < COMP_CWORD; i++)); do
        if [[ ${COMP_WORDS[i]} != -* ]]; then
            command=${COMP_WORDS[i]}
            break
        fi
    done
    case $command in
`

// Bash writes a script for bash's complete, to be sourced. Paths are completed by bash itself: an empty reply with -o default.
func Bash(app *kong.Application) ([]byte, error) {
	list, err := commands(app)
	if err != nil {
		return nil, err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "# Completion of %s for bash.\n", app.Name)
	b.WriteString(strings.ReplaceAll(bashFunctions, "NAME", app.Name))
	var names []string
	for _, c := range list {
		names = append(names, c.name)
	}
	fmt.Fprintf(&b, "    '')\n        flags='%s'\n", flagWords(options(app.Flags)))
	fmt.Fprintf(&b, "        if [[ $word != -* ]]; then\n            _%s_words '%s'\n            return\n        fi\n        ;;\n", app.Name, strings.Join(names, " "))
	for _, c := range list {
		bashCommand(&b, app.Name, c)
	}
	fmt.Fprintf(&b, "    esac\n    if [[ $word == -* ]]; then\n        _%s_words \"$flags\"\n    fi\n}\n\n", app.Name)
	fmt.Fprintf(&b, "complete -o bashdefault -o default -F _%s %s\n", app.Name, app.Name)
	return []byte(b.String()), nil
}

func bashCommand(b *strings.Builder, program string, c command) {
	fmt.Fprintf(b, "    %s)\n        flags='%s'\n        case $before in\n", c.name, flagWords(c.options))
	group := func(of kind, do string) {
		var words []string
		for _, o := range c.options {
			if o.value != "" && o.kind == of {
				words = append(words, o.words()...)
			}
		}
		if len(words) > 0 {
			fmt.Fprintf(b, "        %s)\n            %sreturn\n            ;;\n", strings.Join(words, " | "), do)
		}
	}
	for _, o := range c.options {
		if o.kind == choice {
			fmt.Fprintf(b, "        %s)\n            _%s_words '%s'\n            return\n            ;;\n",
				strings.Join(o.words(), " | "), program, strings.Join(o.choices, " "))
		}
	}
	group(folders, fmt.Sprintf("_%s_folders\n            ", program))
	group(files, "")
	group(nothing, fmt.Sprintf("_%s_nothing\n            ", program))
	b.WriteString("        esac\n")
	if len(c.operands) == 0 {
		fmt.Fprintf(b, "        _%s_nothing\n", program)
	} else if o := c.operands[0]; o.kind == choice {
		fmt.Fprintf(b, "        if [[ $word != -* ]]; then\n            _%s_words '%s'\n            return\n        fi\n", program, strings.Join(o.choices, " "))
	}
	b.WriteString("        ;;\n")
}

func flagWords(list []option) string {
	var words []string
	for _, o := range list {
		words = append(words, o.words()...)
	}
	return strings.Join(words, " ")
}
