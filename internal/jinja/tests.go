package jinja

import "math/big"

// A test answers "is name".
type test func(r *run, v any, a arguments) bool

var tests map[string]test

func init() {
	compare := func(op string) test {
		return func(r *run, v any, a arguments) bool { return r.compare(op, v, a.take(r, "other!")[0]) }
	}
	kind := func(is func(v any) bool) test {
		return func(r *run, v any, a arguments) bool {
			a.take(r)
			return is(v)
		}
	}
	remainder := func(r *run, v any, by any) bool { return r.equal(r.binary("%", v, by), int64(0)) }
	isText := func(v any) bool { _, ok := asText(v); return ok }
	tests = map[string]test{
		"==": compare("=="), "eq": compare("=="), "equalto": compare("=="), "!=": compare("!="), "ne": compare("!="),
		"<": compare("<"), "lt": compare("<"), "lessthan": compare("<"), "<=": compare("<="), "le": compare("<="),
		">": compare(">"), "gt": compare(">"), "greaterthan": compare(">"), ">=": compare(">="), "ge": compare(">="),
		"in":        compare("in"),
		"defined":   kind(func(v any) bool { _, missing := v.(*undefined); return !missing }),
		"undefined": kind(func(v any) bool { _, missing := v.(*undefined); return missing }),
		"none":      kind(func(v any) bool { return v == nil }),
		"true":      kind(func(v any) bool { return v == true }),
		"false":     kind(func(v any) bool { return v == false }),
		"boolean":   kind(func(v any) bool { _, ok := v.(bool); return ok }),
		"float":     kind(func(v any) bool { _, ok := v.(float64); return ok }),
		"integer":   kind(isInteger),
		"number":    kind(func(v any) bool { _, ok := toFloat(v); return ok }),
		"string":    kind(isText),
		"mapping":   kind(func(v any) bool { _, ok := v.(*Map); return ok }),
		"callable":  kind(func(v any) bool { _, ok := v.(callable); return ok }),
		"escaped":   kind(func(v any) bool { _, ok := v.(markup); return ok }),
		"sequence":  kind(isSequence),
		"iterable":  isIterable,
		"sameas":    func(r *run, v any, a arguments) bool { return same(v, a.take(r, "other!")[0]) },
		"odd":       func(r *run, v any, a arguments) bool { a.take(r); return r.equal(r.binary("%", v, int64(2)), int64(1)) },
		"even":      func(r *run, v any, a arguments) bool { a.take(r); return remainder(r, v, int64(2)) },
		"divisibleby": func(r *run, v any, a arguments) bool {
			return remainder(r, v, a.take(r, "num!")[0])
		},
		"lower": func(r *run, v any, a arguments) bool { a.take(r); return hasCase(r.str(v), isUpperRune) },
		"upper": func(r *run, v any, a arguments) bool { a.take(r); return hasCase(r.str(v), isLowerRune) },
		"filter": func(_ *run, v any, _ arguments) bool {
			s, _ := asText(v)
			return filters[s] != nil
		},
		"test": func(_ *run, v any, _ arguments) bool {
			s, _ := asText(v)
			return tests[s] != nil
		},
	}
}

func isInteger(v any) bool {
	switch v.(type) {
	case int64, *big.Int:
		return true
	}
	return false
}

func isSequence(v any) bool {
	switch x := v.(type) {
	case string, markup, *list, *tuple, *Map:
		return true
	case *undefined:
		return !x.strict
	}
	return false
}

func isIterable(r *run, v any, a arguments) bool {
	a.take(r)
	switch v.(type) {
	case *undefined:
		r.needLax(v)
		return true
	case string, markup, *list, *tuple, *Map, *view, *generator, *loop:
		return true
	}
	return false
}

// same is Python's "is". Equal small values are one object there.
func same(a, b any) bool {
	if z, ok := a.(*big.Int); ok {
		y, ok := b.(*big.Int)
		return ok && z.Cmp(y) == 0
	}
	return a == b
}
