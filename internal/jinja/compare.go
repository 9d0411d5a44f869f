package jinja

import (
	"cmp"
	"math/big"
	"strings"
)

// compare does one of == != < <= > >= in, not in.
func (r *run) compare(op string, a, b any) bool {
	switch op {
	case "==":
		return r.equal(a, b)
	case "!=":
		return !r.equal(a, b)
	case "in":
		return r.contains(b, a)
	case "not in":
		return !r.contains(b, a)
	}
	c, ordered := r.order(op, a, b)
	if !ordered {
		return false // NaN
	}
	switch op {
	case "<":
		return c < 0
	case "<=":
		return c <= 0
	case ">":
		return c > 0
	default:
		return c >= 0
	}
}

func (r *run) equal(a, b any) bool { return r.equalAt(a, b, 0) }

func (r *run) equalAt(a, b any, depth int) bool {
	if depth > maxData {
		r.fail(ErrLimit, "maximum recursion depth exceeded in comparison")
	}
	r.work(stepWork)
	if u, ok := a.(*undefined); ok {
		r.needLax(u)
		_, same := b.(*undefined)
		return same
	}
	r.needLax(b)
	if s, ok := asText(a); ok {
		t, ok := asText(b)
		r.work(min(len(s), len(t)))
		return ok && s == t
	}
	if c, ordered, ok := orderNumbers(a, b); ok {
		return ordered && c == 0
	}
	switch x := a.(type) {
	case nil:
		return b == nil
	case *list:
		y, ok := b.(*list)
		return ok && r.equalItems(x.items, y.items, depth)
	case *tuple:
		y, ok := b.(*tuple)
		return ok && r.equalItems(x.items, y.items, depth)
	case *Map:
		y, ok := b.(*Map)
		if !ok || x.Len() != y.Len() {
			return false
		}
		for i, k := range x.keys {
			v, ok := r.getItem(y, k)
			if !ok || !r.equalAt(x.values[i], v, depth+1) {
				return false
			}
		}
		return true
	case *slice, *generator, *view, *namespace, *loop, *macro, *function:
		return a == b
	}
	return false
}

func (r *run) equalItems(a, b []any, depth int) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !r.equalAt(a[i], b[i], depth+1) {
			return false
		}
	}
	return true
}

// orderNumbers compares two numbers; ordered is false for NaN, ok for what is no number.
func orderNumbers(a, b any) (c int, ordered, ok bool) {
	a, b = plainNumber(a), plainNumber(b)
	x, intA := a.(int64)
	y, intB := b.(int64)
	if intA && intB {
		return cmp.Compare(x, y), true, true
	}
	f, okA := toFloat(a)
	g, okB := toFloat(b)
	if !okA || !okB {
		return 0, false, false
	}
	if bigA, bigB := toBig(a), toBig(b); bigA != nil && bigB != nil {
		return bigA.Cmp(bigB), true, true
	}
	return cmp.Compare(f, g), f == f && g == g, true
}

// plainNumber makes booleans the integers they are in Python.
func plainNumber(v any) any {
	if b, ok := v.(bool); ok {
		return number(b)
	}
	return v
}

func toFloat(v any) (float64, bool) {
	switch x := v.(type) {
	case bool:
		return float64(number(x)), true
	case int64:
		return float64(x), true
	case *big.Int:
		f, _ := new(big.Float).SetInt(x).Float64()
		return f, true
	case float64:
		return x, true
	}
	return 0, false
}

// toBig gives an integer as a big one; nil for all else.
func toBig(v any) *big.Int {
	switch x := v.(type) {
	case bool:
		return big.NewInt(number(x))
	case int64:
		return big.NewInt(x)
	case *big.Int:
		return x
	}
	return nil
}

// order compares two values of an order; op is for the message.
func (r *run) order(op string, a, b any) (c int, ordered bool) {
	r.needDefined(a, b)
	r.work(stepWork)
	if s, ok := asText(a); ok {
		if t, ok := asText(b); ok {
			r.work(min(len(s), len(t)))
			return strings.Compare(s, t), true
		}
	}
	if c, ordered, ok := orderNumbers(a, b); ok {
		return c, ordered
	}
	x, y := orderedItems(a, b)
	if x == nil {
		r.fail(nil, "'%s' not supported between instances of '%s' and '%s'", op, typeName(a), typeName(b))
	}
	for i := range min(len(*x), len(*y)) {
		if !r.equal((*x)[i], (*y)[i]) {
			r.enter()
			c, ordered = r.order(op, (*x)[i], (*y)[i])
			r.depth--
			return c, ordered
		}
	}
	return cmp.Compare(len(*x), len(*y)), true
}

// orderedItems gives the items of two lists or two tuples.
func orderedItems(a, b any) (x, y *[]any) {
	switch a := a.(type) {
	case *list:
		if b, ok := b.(*list); ok {
			return &a.items, &b.items
		}
	case *tuple:
		if b, ok := b.(*tuple); ok {
			return &a.items, &b.items
		}
	}
	return nil, nil
}

// contains is "item in of".
func (r *run) contains(of, item any) bool {
	if s, ok := asText(of); ok {
		part, ok := asText(item)
		if !ok {
			r.needLax(item)
			r.fail(nil, "'in <string>' requires string as left operand, not %s", typeName(item))
		}
		r.work(len(s))
		return strings.Contains(s, part)
	}
	switch x := of.(type) {
	case *Map:
		_, ok := r.getItem(x, item)
		return ok
	case *list, *tuple, *view, *generator, *undefined, *loop:
		for _, one := range r.iterate(x) {
			if r.equal(one, item) {
				return true
			}
		}
		return false
	}
	r.fail(nil, "argument of type '%s' is not iterable", typeName(of))
	return false
}
