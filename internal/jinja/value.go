package jinja

import (
	"fmt"
	"math/big"
)

// A value is one of nil, bool, int64, *big.Int (only past int64), float64, string, markup, *list, *tuple, *Map, *slice,
// *generator, *view, *undefined, *namespace, *loop, or something callable.

type list struct{ items []any }

// tuple may have names for its places, as those of groupby do.
type tuple struct {
	items []any
	names []string
}

// markup is text that was escaped, or said to be safe.
type markup string

type slice struct{ start, stop, step any }

// generator is a sequence that can be walked once.
type generator struct{ items []any }

// take gives what has not been walked yet.
func (g *generator) take() []any {
	items := g.items
	g.items = nil
	return items
}

// view is what keys(), values() and items() give: it follows its map.
type view struct {
	of   *Map
	kind string // dict_keys, dict_values, dict_items
}

func (v *view) items() []any {
	switch v.kind {
	case "dict_keys":
		return v.of.keys
	case "dict_values":
		return v.of.values
	}
	pairs := make([]any, len(v.of.keys))
	for i, k := range v.of.keys {
		pairs[i] = &tuple{items: []any{k, v.of.values[i]}}
	}
	return pairs
}

// namespace is an object whose attributes can be set from inside a loop.
type namespace struct{ *Map }

// undefined stands for a name, attribute or item that is not there. Using it is an error; how much counts as use depends
// on strict.
type undefined struct {
	name    string
	message string // instead of "'name' is undefined"
	strict  bool
	refused bool // the message is of the sandbox
}

func (u *undefined) text() string {
	if u.message != "" {
		return u.message
	}
	return repr(u.name) + " is undefined"
}

// hint makes an undefined value with a message of its own.
func (r *run) hint(format string, args ...any) *undefined {
	return &undefined{message: fmt.Sprintf(format, args...), strict: r.dialect.strict}
}

func (r *run) fail(kind error, format string, args ...any) {
	panic(&Error{Line: r.line, Message: fmt.Sprintf(format, args...), kind: kind})
}

func (r *run) failUndefined(u *undefined) {
	if u.refused {
		r.fail(ErrRefused, "%s", u.text())
	}
	r.fail(ErrUndefined, "%s", u.text())
}

// needDefined ends the run if one of the values is undefined, in whatever mode.
func (r *run) needDefined(values ...any) {
	for _, v := range values {
		if u, ok := v.(*undefined); ok {
			r.failUndefined(u)
		}
	}
}

// needLax ends the run if a value is undefined in strict mode.
func (r *run) needLax(v any) {
	if u, ok := v.(*undefined); ok && u.strict {
		r.failUndefined(u)
	}
}

func typeName(v any) string {
	switch x := v.(type) {
	case nil:
		return "NoneType"
	case bool:
		return "bool"
	case int64, *big.Int:
		return "int"
	case float64:
		return "float"
	case string:
		return "str"
	case markup:
		return "Markup"
	case *list:
		return "list"
	case *tuple:
		return "tuple"
	case *Map:
		return "dict"
	case *slice:
		return "slice"
	case *generator:
		return "generator"
	case *view:
		return x.kind
	case *namespace:
		return "Namespace"
	case *undefined:
		if x.strict {
			return "StrictUndefined"
		}
		return "Undefined"
	case *macro:
		return "Macro"
	case *loop:
		return "LoopContext"
	}
	return "builtin_function_or_method"
}

// owner names a value as the message of a missing attribute does.
func owner(v any) string {
	switch v.(type) {
	case nil:
		return "None"
	case *namespace:
		return "jinja2.utils.Namespace object"
	case *loop:
		return "jinja2.runtime.LoopContext object"
	case *macro:
		return "jinja2.runtime.Macro object"
	case markup:
		return "markupsafe.Markup object"
	}
	return typeName(v) + " object"
}

// asText tells whether a value is text, safe or not.
func asText(v any) (string, bool) {
	switch s := v.(type) {
	case string:
		return s, true
	case markup:
		return string(s), true
	}
	return "", false
}

func number(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

func fromBig(v *big.Int) any {
	if v.IsInt64() {
		return v.Int64()
	}
	return v
}

// truth is Python's bool() of a value that is no undefined one.
func truth(v any) bool {
	switch x := v.(type) {
	case nil, *undefined:
		return false
	case bool:
		return x
	case int64:
		return x != 0
	case float64:
		return x != 0
	case string:
		return x != ""
	case markup:
		return x != ""
	case *list:
		return len(x.items) > 0
	case *tuple:
		return len(x.items) > 0
	case *Map:
		return len(x.keys) > 0
	case *view:
		return len(x.of.keys) > 0
	case *loop:
		return len(x.items) > 0
	}
	return true
}

func (r *run) truth(v any) bool {
	r.needLax(v)
	return truth(v)
}

// iterate gives the values a loop walks. They must not be changed.
func (r *run) iterate(v any) []any {
	r.needLax(v)
	switch x := v.(type) {
	case *undefined:
		return nil
	case string:
		return r.characters(x)
	case markup:
		return r.characters(string(x))
	case *list:
		return x.items
	case *tuple:
		return x.items
	case *Map:
		return x.keys
	case *view:
		r.items(3 * len(x.of.keys))
		return x.items()
	case *generator:
		return x.take()
	case *loop:
		return x.items[min(x.index, len(x.items)):]
	}
	r.fail(nil, "'%s' object is not iterable", typeName(v))
	return nil
}

func (r *run) characters(s string) []any {
	r.items(len(s))
	var all []any
	for _, c := range s {
		all = append(all, string(c))
	}
	return all
}

// length is Python's len(); false if the value has none.
func (r *run) length(v any) (int, bool) {
	r.needLax(v)
	switch x := v.(type) {
	case *undefined:
		return 0, true
	case string:
		return r.count(x), true
	case markup:
		return r.count(string(x)), true
	case *list:
		return len(x.items), true
	case *tuple:
		return len(x.items), true
	case *Map:
		return x.Len(), true
	case *view:
		return x.of.Len(), true
	case *loop:
		return len(x.items), true
	}
	return 0, false
}

func (r *run) mustLength(v any) int {
	n, ok := r.length(v)
	if !ok {
		r.fail(nil, "object of type '%s' has no len()", typeName(v))
	}
	return n
}
