package jinja

import (
	"slices"
	"strings"
)

// globals are the names every template finds.
func (r *run) globals() *scope {
	names := map[string]any{
		"range": &function{name: "range", call: globalRange}, "dict": &function{name: "dict", call: globalDict},
		"namespace": &function{name: "namespace", call: globalNamespace},
		"cycler":    &function{name: "cycler", call: globalCycler}, "joiner": &function{name: "joiner", call: globalJoiner},
	}
	if r.dialect.chat {
		names["raise_exception"] = &function{name: "raise_exception", call: func(r *run, a arguments) any {
			r.fail(ErrRaised, "%s", r.str(a.take(r, "message!")[0]))
			return nil
		}}
		names["strftime_now"] = &function{name: "strftime_now", call: func(r *run, a arguments) any {
			format := a.text(r, a.take(r, "format!")[0], "")
			r.text(32 * len(format))
			return strftime(r.dialect.now(), format)
		}}
	}
	return &scope{names: names}
}

func globalRange(r *run, a arguments) any {
	if len(a.list) == 0 || len(a.list) > 3 || len(a.names) > 0 {
		r.fail(nil, "range expected at least 1 argument, got %d", len(a.list))
	}
	start, step := int64(0), int64(1)
	stop := a.integer(r, a.list[0], 0)
	if len(a.list) > 1 {
		start, stop = stop, a.integer(r, a.list[1], 0)
	}
	if len(a.list) > 2 {
		step = a.integer(r, a.list[2], 1)
	}
	if step == 0 {
		r.fail(nil, "range() arg 3 must not be zero")
	}
	l := &list{}
	for i := start; step > 0 && i < stop || step < 0 && i > stop; {
		r.items(1)
		if l.items = append(l.items, i); len(l.items) > maxRange {
			r.fail(ErrLimit, "Range too big. The sandbox blocks ranges larger than MAX_RANGE (%d).", maxRange)
		}
		next := i + step
		if (step > 0) != (next > i) {
			break
		}
		i = next
	}
	return l
}

// fill adds what dict() and update() take: a mapping or pairs, and named values.
func (r *run) fill(m *Map, a arguments) {
	if len(a.list) > 1 {
		r.fail(nil, "%s expected at most 1 argument, got %d", a.of, len(a.list))
	}
	for _, from := range a.list {
		if x, ok := from.(*Map); ok {
			r.items(3 * x.Len())
			for i, k := range x.keys {
				r.setItem(m, k, x.values[i])
			}
			continue
		}
		for i, pair := range r.iterate(from) {
			kv := r.iterate(pair)
			if len(kv) != 2 {
				r.fail(nil, "dictionary update sequence element #%d has length %d; 2 is required", i, len(kv))
			}
			r.items(3)
			r.setItem(m, kv[0], kv[1])
		}
	}
	for i, name := range a.names {
		m.Set(name, a.named[i])
	}
}

func globalDict(r *run, a arguments) any {
	m := NewMap()
	r.fill(m, a)
	return m
}

func globalNamespace(r *run, a arguments) any {
	ns := &namespace{NewMap()}
	r.fill(ns.Map, a)
	for _, key := range ns.Keys() {
		r.checkNamespaceKey(key)
	}
	return ns
}

func (r *run) checkNamespaceKey(key string) {
	if r.dialect.chat && strings.HasPrefix(key, "_") {
		r.fail(ErrRefused, "Chat templates cannot store underscore-prefixed attributes on a namespace, but got %s. Please rename the attribute.", repr(key))
	}
}

func globalCycler(r *run, a arguments) any {
	items := slices.Clone(a.list)
	if len(items) == 0 {
		r.fail(nil, "at least one item has to be provided")
	}
	at := 0
	return &function{name: "cycler", call: func(r *run, _ arguments) any {
		r.fail(nil, "'Cycler' object is not callable")
		return nil
	}, members: func(name string) (any, bool) {
		switch name {
		case "current":
			return items[at], true
		case "next":
			return &function{name: name, call: func(*run, arguments) any {
				now := items[at]
				at = (at + 1) % len(items)
				return now
			}}, true
		case "reset":
			return &function{name: name, call: func(*run, arguments) any { at = 0; return nil }}, true
		}
		return nil, false
	}}
}

func globalJoiner(r *run, a arguments) any {
	sep := a.take(r, "sep")[0]
	if !given(sep) {
		sep = ", "
	}
	used := false
	return &function{name: "joiner", call: func(*run, arguments) any {
		if !used {
			used = true
			return ""
		}
		return sep
	}}
}
