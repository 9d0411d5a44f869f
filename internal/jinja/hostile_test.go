package jinja

import (
	"errors"
	"strings"
	"testing"
)

// TestHostile runs templates that would take all the time or memory there is.
func TestHostile(t *testing.T) {
	many := strings.Repeat
	for name, source := range map[string]string{
		"a macro calls itself":     "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
		"two macros":               "{% macro f() %}{{ g() }}{% endmacro %}{% macro g() %}{{ f() }}{% endmacro %}{{ f() }}",
		"a caller calls itself":    "{% macro f() %}{{ caller() }}{% endmacro %}{% macro g() %}{% call f() %}{{ g() }}{% endcall %}{% endmacro %}{{ g() }}",
		"a loop calls itself":      "{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}",
		"loops in loops":           many("{% for a in range(1000) %}", 9) + many("{% endfor %}", 9),
		"text doubled":             "{% set ns = namespace(x='ab') %}{% for i in range(100) %}{% set ns.x = ns.x + ns.x %}{% endfor %}",
		"text doubled by ~":        "{% set ns = namespace(x='ab') %}{% for i in range(100) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
		"text doubled by join":     "{% set ns = namespace(x='ab') %}{% for i in range(100) %}{% set ns.x = ns.x.join([ns.x, ns.x]) %}{% endfor %}",
		"text doubled by replace":  "{% set ns = namespace(x='a') %}{% for i in range(100) %}{% set ns.x = ns.x.replace('a', 'aa') %}{% endfor %}",
		"text doubled by format":   "{% set ns = namespace(x='ab') %}{% for i in range(100) %}{% set ns.x = '{0}{0}'.format(ns.x) %}{% endfor %}",
		"text doubled by %":        "{% set ns = namespace(x='ab') %}{% for i in range(100) %}{% set ns.x = '%s%s' % (ns.x, ns.x) %}{% endfor %}",
		"list doubled":             "{% set ns = namespace(x=[1]) %}{% for i in range(100) %}{% set ns.x = ns.x + ns.x %}{% endfor %}",
		"list of itself, twice":    "{% set ns = namespace(x=[1]) %}{% for i in range(100) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x }}",
		"as JSON":                  "{% set ns = namespace(x=[1]) %}{% for i in range(100) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x | tojson }}",
		"compared":                 "{% set ns = namespace(x=[1], y=[1]) %}{% for i in range(100) %}{% set ns.x = [ns.x, ns.x] %}{% set ns.y = [ns.y, ns.y] %}{% endfor %}{{ ns.x == ns.y }}",
		"as keys":                  "{% set ns = namespace(x=(1,)) %}{% for i in range(100) %}{% set ns.x = (ns.x, ns.x) %}{% endfor %}{{ {ns.x: 1} }}",
		"deep":                     "{% set ns = namespace(x=[]) %}{% for i in range(5000) %}{% set ns.x = [ns.x] %}{% endfor %}{{ ns.x }}",
		"deep order":               "{% set ns = namespace(x=[], y=[0]) %}{% for i in range(9000) %}{% set ns.x = [ns.x] %}{% set ns.y = [ns.y] %}{% endfor %}{{ ns.x < ns.y }}",
		"text times":               "{{ 'ab' * 10000000000 }}",
		"list times":               "{{ [1] * 10000000000 }}",
		"range":                    "{{ range(1000000000) }}",
		"power":                    "{{ 10 ** 100000 }}",
		"power of power":           "{% set ns = namespace(x=7) %}{% for i in range(99) %}{% set ns.x = ns.x * ns.x %}{% endfor %}",
		"center":                   "{{ 'x' | center(10000000000) }}",
		"ljust":                    "{{ 'x'.ljust(10000000000) }}",
		"zfill":                    "{{ 'x'.zfill(10000000000) }}",
		"width of %":               "{{ '%9999999999d' % 5 }}",
		"width of format":          "{{ '{:9999999999}'.format(5) }}",
		"precision":                "{{ '%.99999999f' % 5.5 }}",
		"indent":                   "{{ ('a\n' * 100000) | indent(100000) }}",
		"indent of JSON":           "{{ [1] | tojson(indent=10000000000) }}",
		"output":                   "{% for i in range(100000) %}{{ 'x' * 10000 }}{% endfor %}",
		"arguments":                "{% macro f() %}{{ varargs | length }}{% endmacro %}{% set l = range(100000) %}{% for i in l %}{{ f(*l) }}{% endfor %}",
		"brackets":                 "{{ " + many("(", 100000) + "1" + many(")", 100000) + " }}",
		"lists":                    "{{ " + many("[", 100000) + many("]", 100000) + " }}",
		"not":                      "{{ " + many("not ", 100000) + "1 }}",
		"minus":                    "{{ " + many("- ", 100000) + "1 }}",
		"plus":                     "{{ 1" + many(" + 1", 100000) + " }}",
		"attributes":               "{{ a" + many(".a", 100000) + " }}",
		"filters":                  "{{ 1" + many("|abs", 100000) + " }}",
		"conditions":               "{{ 1" + many(" if 1 else 1", 50000) + " }}",
		"ifs":                      many("{% if 1 %}", 50000) + many("{% endif %}", 50000),
		"targets":                  "{% set " + many("(", 100000) + "a" + many(")", 100000) + " = 1 %}",
		"slices of a long text":    "{% set x = 'é' * 1000000 %}{% for i in range(100000) %}{{ x[-1] }}{% endfor %}",
		"searches of a long text":  "{% set x = 'é' * 1000000 %}{% for i in range(100000) %}{{ 'y' in x }}{% endfor %}",
		"sorts":                    "{% set x = range(100000) | list %}{% for i in x %}{% set y = x | sort %}{% endfor %}",
		"the template is too long": many("a", maxSource+1),
	} {
		t.Run(name, func(t *testing.T) {
			template, err := ParseChat(source, nil)
			text := ""
			if err == nil {
				template.budget = maxWork / 16 // to be done sooner
				text, err = template.Render(nil)
			}
			if name == "filters" && err == nil { // a chain of them is no recursion that Go minds
				return
			}
			if !errors.Is(err, ErrLimit) {
				t.Errorf("got %.100q, %v, want ErrLimit", text, err)
			}
		})
	}
	for name, source := range map[string]string{
		"a list in itself": "{% set x = [1] %}{% if x.append(x) %}{% endif %}{{ x }}",
		"backtracking":     "{{ ('a' * 40 ~ 'b') | regex_replace('(a+)+$', '') }}",
	} {
		t.Run(name, func(t *testing.T) {
			template, err := ParseTask(source)
			if err != nil {
				t.Fatal(err)
			}
			if text, err := template.Render(nil); !errors.Is(err, ErrLimit) {
				t.Errorf("got %.100q, %v, want ErrLimit", text, err)
			}
		})
	}
}
