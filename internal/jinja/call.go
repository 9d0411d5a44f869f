package jinja

import (
	"slices"
	"strings"
)

// arguments are the values of a call's brackets.
type arguments struct {
	of    string // who is called, for messages
	list  []any
	names []string
	named []any
}

// absent is an argument that was not given.
type absent struct{}

// take gives the values of the parameters, absent{} for those that were not given. It refuses what is too much, and a
// call without a parameter whose name ends in "!".
func (a arguments) take(r *run, parameters ...string) []any {
	if len(a.list) > len(parameters) {
		r.fail(nil, "%s() takes at most %d arguments (%d given)", a.of, len(parameters), len(a.list))
	}
	values := make([]any, len(parameters))
	for i := range values {
		values[i] = absent{}
	}
	copy(values, a.list)
	for i, name := range a.names {
		at := slices.IndexFunc(parameters, func(p string) bool { return strings.TrimSuffix(p, "!") == name })
		if at < 0 {
			r.fail(nil, "%s() got an unexpected keyword argument '%s'", a.of, name)
		}
		if values[at] != (absent{}) {
			r.fail(nil, "%s() got multiple values for argument '%s'", a.of, name)
		}
		values[at] = a.named[i]
	}
	for i, p := range parameters {
		if name, needed := strings.CutSuffix(p, "!"); needed && !given(values[i]) {
			r.fail(nil, "%s() missing 1 required argument: '%s'", a.of, name)
		}
	}
	return values
}

func given(v any) bool { return v != absent{} }

// text reads an argument that must be text.
func (a arguments) text(r *run, v any, standard string) string {
	if !given(v) {
		return standard
	}
	s, ok := asText(v)
	if !ok {
		r.needDefined(v)
		r.fail(nil, "%s() argument must be str, not %s", a.of, typeName(v))
	}
	return s
}

// integer reads an argument that must be an integer.
func (a arguments) integer(r *run, v any, standard int64) int64 {
	if !given(v) {
		return standard
	}
	n, ok := plainNumber(v).(int64)
	if !ok {
		r.needDefined(v)
		r.fail(nil, "'%s' object cannot be interpreted as an integer", typeName(v))
	}
	return n
}

// flag reads an argument for its truth; absent is false.
func (a arguments) flag(r *run, v any) bool { return given(v) && r.truth(v) }

type callable interface {
	invoke(r *run, a arguments) any
}

func (r *run) call(f any, a arguments) any {
	c, ok := f.(callable)
	if !ok {
		r.needDefined(f)
		r.fail(nil, "'%s' object is not callable", typeName(f))
	}
	r.enter()
	v := c.invoke(r, a)
	r.depth--
	return v
}

// function is a global function or a method bound to its value. Some have attributes.
type function struct {
	name    string
	call    func(r *run, a arguments) any
	members func(name string) (any, bool)
}

func (f *function) invoke(r *run, a arguments) any {
	a.of = f.name
	return f.call(r, a)
}

func (f *function) attribute(name string) (any, bool) {
	if f.members == nil {
		return nil, false
	}
	return f.members(name)
}

type macro struct {
	node  *macroNode
	scope *scope
}

func (m *macro) attribute(name string) (any, bool) {
	if name == "name" {
		return m.node.name, true
	}
	return nil, false
}

func (m *macro) invoke(r *run, a arguments) any {
	n := m.node
	inner := m.scope.inner()
	if n.caller {
		inner.set("caller", r.hint("No caller defined"))
	}
	var more []any
	if len(a.list) > len(n.parameters) {
		if more = a.list[len(n.parameters):]; !n.varargs {
			r.fail(nil, "macro %s takes not more than %d argument(s)", repr(n.name), len(n.parameters))
		}
	}
	rest := NewMap()
	for i, name := range a.names {
		at := slices.IndexFunc(n.parameters, func(p parameter) bool { return p.name == name })
		if at >= 0 && at >= len(a.list) || name == "caller" && n.caller {
			inner.set(name, a.named[i])
		} else if rest.Set(name, a.named[i]); !n.kwargs {
			r.fail(nil, "macro %s takes no keyword argument %s", repr(n.name), repr(name))
		}
	}
	for i, p := range n.parameters {
		if i < len(a.list) {
			inner.set(p.name, a.list[i])
		} else if _, ok := inner.names[p.name]; ok {
			continue
		} else if p.standard != nil {
			inner.set(p.name, r.eval(p.standard, inner))
		} else {
			inner.set(p.name, r.hint("parameter %s was not provided", repr(p.name)))
		}
	}
	if n.varargs {
		inner.set("varargs", &tuple{items: more})
	}
	if n.kwargs {
		inner.set("kwargs", rest)
	}
	return r.capture(func() { r.run(n.body, inner) })
}

// loop is the variable of that name in the body of a for.
type loop struct {
	items  []any
	index  int
	depth  int64
	strict bool
	again  func(over any) string // of a recursive loop
	seen   any                   // the last arguments of changed()
}

func (l *loop) invoke(r *run, a arguments) any {
	if l.again == nil {
		r.fail(nil, "The loop must have the 'recursive' marker to be called recursively.")
	}
	a.of = "loop"
	return l.again(a.take(r, "iterable!")[0])
}

func (l *loop) attribute(name string) (any, bool) {
	index, n := int64(l.index), int64(len(l.items))
	switch name {
	case "index":
		return index + 1, true
	case "index0":
		return index, true
	case "revindex":
		return n - index, true
	case "revindex0":
		return n - index - 1, true
	case "first":
		return index == 0, true
	case "last":
		return index == n-1, true
	case "length":
		return n, true
	case "depth":
		return l.depth + 1, true
	case "depth0":
		return l.depth, true
	case "previtem":
		return l.neighbour(l.index-1, "there is no previous item"), true
	case "nextitem":
		return l.neighbour(l.index+1, "there is no next item"), true
	case "cycle":
		return &function{name: "cycle", call: func(r *run, a arguments) any {
			if len(a.list) == 0 {
				r.fail(nil, "no items for cycling given")
			}
			return a.list[l.index%len(a.list)]
		}}, true
	case "changed":
		return &function{name: "changed", call: func(r *run, a arguments) any {
			now := &tuple{items: a.list}
			changed := l.seen == nil || !r.equal(l.seen, now)
			l.seen = now
			return changed
		}}, true
	}
	return nil, false
}

func (l *loop) neighbour(i int, missing string) any {
	if i < 0 || i >= len(l.items) {
		return &undefined{message: missing, strict: l.strict}
	}
	return l.items[i]
}
