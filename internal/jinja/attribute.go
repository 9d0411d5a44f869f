package jinja

import (
	"math/big"
	"slices"
	"strings"
)

// attribute is of.name: a method or attribute if there is one, else an item.
func (r *run) attribute(of any, name string) any {
	if v, ok := r.member(of, name); ok {
		return v
	}
	if v, ok := r.subscript(of, name); ok {
		return v
	}
	return &undefined{message: repr(owner(of)) + " has no attribute " + repr(name), strict: r.dialect.strict}
}

// item is of[key]: an item if there is one, else an attribute.
func (r *run) item(of, key any) any {
	if v, ok := r.subscript(of, key); ok {
		return v
	}
	name, ok := asText(key)
	if ok {
		if v, ok := r.member(of, name); ok {
			return v
		}
		return &undefined{message: repr(owner(of)) + " has no attribute " + repr(name), strict: r.dialect.strict}
	}
	return r.hint("%s has no element %s", owner(of), r.repr(key))
}

// subscript is Python's of[key]; false where that raises a LookupError or TypeError.
func (r *run) subscript(of, key any) (any, bool) {
	r.needDefined(of)
	if s, ok := key.(*slice); ok {
		return r.cut(of, s)
	}
	switch x := of.(type) {
	case *Map:
		h, ok := r.hash(key)
		if !ok {
			return nil, false
		}
		i, ok := x.at[h]
		if !ok {
			return nil, false
		}
		return x.values[i], true
	case *list:
		return at(x.items, key)
	case *tuple:
		return at(x.items, key)
	case string, markup:
		s, _ := asText(of)
		i, ok := plainNumber(key).(int64)
		if !ok {
			return nil, false
		}
		c, ok := r.character(s, i)
		return likeText(of, c), ok
	}
	return nil, false
}

func at(items []any, key any) (any, bool) {
	i, ok := plainNumber(key).(int64)
	if ok && i < 0 {
		i += int64(len(items))
	}
	if !ok || i < 0 || i >= int64(len(items)) {
		return nil, false
	}
	return items[i], true
}

func (r *run) character(s string, i int64) (string, bool) {
	if i < 0 {
		i += int64(r.count(s))
	}
	if i < 0 || i >= int64(len(s)) {
		return "", false
	}
	r.work(int(i))
	for _, c := range s {
		if i == 0 {
			return string(c), true
		}
		i--
	}
	return "", false
}

// cut is of[start:stop:step].
func (r *run) cut(of any, s *slice) (any, bool) {
	switch x := of.(type) {
	case *list:
		return &list{items: cutItems(r, x.items, s)}, true
	case *tuple:
		return &tuple{items: cutItems(r, x.items, s)}, true
	case string, markup:
		text, _ := asText(of)
		r.work(4 * len(text))
		cut := string(cutItems(r, []rune(text), s))
		r.text(len(cut))
		return likeText(of, cut), true
	}
	return nil, false
}

// cutItems follows PySlice_AdjustIndices.
func cutItems[T any](r *run, items []T, s *slice) []T {
	n := int64(len(items))
	step := r.index(s.step, 1)
	if step == 0 {
		r.fail(nil, "slice step cannot be zero")
	}
	low, high := int64(0), n
	if step < 0 {
		low, high = -1, n-1
	}
	bound := func(v any, standard int64) int64 {
		if v == nil {
			return standard
		}
		i := r.index(v, 0)
		if i < 0 {
			i += n
		}
		return min(max(i, low), high)
	}
	var start, stop int64
	if step > 0 {
		start, stop = bound(s.start, 0), bound(s.stop, n)
	} else {
		start, stop = bound(s.start, n-1), bound(s.stop, -1)
	}
	if step == 1 {
		r.items(int(max(stop-start, 0)))
		return slices.Clone(items[start:max(start, stop)])
	}
	var cut []T
	for i := start; step > 0 && i < stop || step < 0 && i > stop; i += step {
		r.work(itemWork)
		cut = append(cut, items[i])
		if step > n || step < -n {
			break
		}
	}
	return cut
}

// index reads a slice's bound.
func (r *run) index(v any, standard int64) int64 {
	switch x := plainNumber(v).(type) {
	case nil:
		return standard
	case int64:
		return min(max(x, -1<<40), 1<<40)
	case *big.Int:
		return int64(x.Sign()) << 40
	}
	r.fail(nil, "slice indices must be integers or None or have an __index__ method")
	return 0
}

// mutators are the methods that change a value, which transformers' environment refuses.
var mutators = map[string][]string{
	"list": {"append", "clear", "extend", "insert", "pop", "remove", "reverse", "sort"},
	"dict": {"clear", "pop", "popitem", "setdefault", "update"},
}

// member is getattr(of, name).
func (r *run) member(of any, name string) (any, bool) {
	if _, missing := of.(*undefined); missing && name != "__class__" {
		r.needDefined(of)
	}
	if strings.HasPrefix(name, "__") && strings.HasSuffix(name, "__") && r.dialect.chat {
		return r.refuse(of, name), true
	}
	r.needDefined(of)
	if r.dialect.chat && slices.Contains(mutators[typeName(of)], name) {
		return r.refuse(of, name), true
	}
	switch x := of.(type) {
	case string, markup:
		return method(of, name, textMethods[name])
	case *list:
		return method(of, name, listMethods[name])
	case *tuple:
		if i := slices.Index(x.names, name); i >= 0 {
			return x.items[i], true
		}
		if name == "count" || name == "index" {
			return method(of, name, listMethods[name])
		}
	case *Map:
		return method(of, name, mapMethods[name])
	case *namespace:
		return x.Get(name)
	case interface{ attribute(string) (any, bool) }:
		return x.attribute(name)
	case bool, int64, float64:
		return method(of, name, numberMethods[name])
	}
	return nil, false
}

func (r *run) refuse(of any, name string) *undefined {
	return &undefined{message: "access to attribute " + repr(name) + " of " + repr(typeName(of)) + " object is unsafe.", strict: r.dialect.strict, refused: true}
}

// methodOf is the body of a method; of is what stands before the dot.
type methodOf func(r *run, of any, a arguments) any

func method(of any, name string, m methodOf) (any, bool) {
	if m == nil {
		return nil, false
	}
	return &function{name: name, call: func(r *run, a arguments) any { return m(r, of, a) }}, true
}
