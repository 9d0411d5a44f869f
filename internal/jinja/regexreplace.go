package jinja

import (
	"strconv"
	"strings"
	"time"

	"github.com/dlclark/regexp2"
)

// regexTime bounds the work of one pattern, which can be made to backtrack for ever.
const regexTime = time.Second / 2

// regexReplace is the filter that lm-evaluation-harness adds: Python's re.sub.
func regexReplace(r *run, v any, a arguments) any {
	args := a.take(r, "pattern!", "repl!", "count")
	pattern, by := a.text(r, args[0], ""), a.text(r, args[1], "")
	s, ok := asText(v)
	if !ok {
		r.needDefined(v)
		r.fail(nil, "expected string or bytes-like object, got '%s'", typeName(v))
	}
	re, err := regexp2.Compile(strings.ReplaceAll(pattern, "(?P<", "(?<"), regexp2.None)
	if err != nil {
		r.fail(nil, "%v", err)
	}
	re.MatchTimeout = regexTime
	count := int(a.integer(r, args[2], 0))
	if count <= 0 {
		count = -1
	}
	r.work(16 * len(s))
	until := time.Now().Add(regexTime)
	out, err := re.ReplaceFunc(s, func(m regexp2.Match) string {
		if time.Now().After(until) {
			r.fail(ErrLimit, "regex_replace took more than %v", regexTime)
		}
		part := r.expandMatch(&m, by)
		r.text(len(part))
		return part
	}, -1, count)
	if err != nil {
		r.fail(ErrLimit, "regex_replace: %v", err)
	}
	r.text(len(out))
	return out
}

// expandMatch writes Python's replacement text: \1, \g<name>, \n.
func (r *run) expandMatch(m *regexp2.Match, by string) string {
	var b strings.Builder
	for i := 0; i < len(by); i++ {
		if by[i] != '\\' || i+1 == len(by) {
			b.WriteByte(by[i])
			continue
		}
		i++
		switch c := by[i]; {
		case c >= '1' && c <= '9':
			n := int(c - '0')
			if i+1 < len(by) && by[i+1] >= '0' && by[i+1] <= '9' {
				i++
				n = n*10 + int(by[i]-'0')
			}
			b.WriteString(r.group(m.GroupByNumber(n)))
		case c == 'g' && strings.Contains(by[i:], ">"):
			end := i + strings.IndexByte(by[i:], '>')
			key := strings.TrimPrefix(by[i+1:end], "<")
			if n, err := strconv.Atoi(key); err == nil {
				b.WriteString(r.group(m.GroupByNumber(n)))
			} else {
				b.WriteString(r.group(m.GroupByName(key)))
			}
			i = end
		default:
			e, ok := simpleEscapes[c]
			if !ok || c == '\'' || c == '"' || c == '\n' {
				e = `\` + string(c)
			}
			b.WriteString(e)
		}
	}
	return b.String()
}

func (r *run) group(g *regexp2.Group) string {
	if g == nil {
		r.fail(nil, "invalid group reference")
	}
	return g.String()
}
