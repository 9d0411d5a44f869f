package jinja

import (
	"math"
	"math/big"
	"slices"
	"strings"
)

// binary does one of + - * / // % **.
func (r *run) binary(op string, a, b any) any {
	r.needDefined(a, b)
	if v, ok := r.onNumbers(op, a, b); ok {
		return v
	}
	switch op {
	case "+":
		if v, ok := r.join(a, b); ok {
			return v
		}
	case "*":
		if n, ok := plainNumber(b).(int64); ok {
			if v, ok := r.repeat(a, n); ok {
				return v
			}
		}
		if n, ok := plainNumber(a).(int64); ok {
			if v, ok := r.repeat(b, n); ok {
				return v
			}
		}
	case "%":
		if s, ok := asText(a); ok {
			return likeText(a, r.percent(s, b))
		}
	}
	if op == "**" {
		op = "** or pow()"
	}
	if op == "+" {
		switch a.(type) {
		case string, *list, *tuple:
			r.fail(nil, `can only concatenate %s (not "%s") to %s`, typeName(a), typeName(b), typeName(a))
		}
	}
	r.fail(nil, "unsupported operand type(s) for %s: '%s' and '%s'", op, typeName(a), typeName(b))
	return nil
}

// likeText gives text the kind of the text it came from.
func likeText(from any, s string) any {
	if _, ok := from.(markup); ok {
		return markup(s)
	}
	return s
}

// join is + of two texts or lists. Text that is safe makes the other one safe.
func (r *run) join(a, b any) (any, bool) {
	s, okA := asText(a)
	t, okB := asText(b)
	if okA && okB {
		_, safeA := a.(markup)
		_, safeB := b.(markup)
		if safeA != safeB {
			if safeA {
				t = escape(t)
			} else {
				s = escape(s)
			}
		}
		r.text(len(s) + len(t))
		if safeA || safeB {
			return markup(s + t), true
		}
		return s + t, true
	}
	x, y := orderedItems(a, b)
	if x == nil {
		return nil, false
	}
	r.items(len(*x) + len(*y))
	items := slices.Concat(*x, *y)
	if _, ok := a.(*tuple); ok {
		return &tuple{items: items}, true
	}
	return &list{items: items}, true
}

func (r *run) repeat(v any, n int64) (any, bool) {
	n = max(n, 0)
	if s, ok := asText(v); ok {
		if len(s) > 0 && n > int64(maxText/len(s)) {
			r.text(-1)
		}
		r.text(len(s) * int(n))
		if s == "" {
			n = 0
		}
		return likeText(v, strings.Repeat(s, int(n))), true
	}
	var items []any
	switch x := v.(type) {
	case *list:
		items = x.items
	case *tuple:
		items = x.items
	default:
		return nil, false
	}
	if len(items) > 0 && n > int64(maxWork/len(items)) {
		r.items(-1)
	}
	r.items(len(items) * int(n))
	var all []any
	for range n {
		if len(items) == 0 {
			break
		}
		all = append(all, items...)
	}
	if _, ok := v.(*tuple); ok {
		return &tuple{items: all}, true
	}
	return &list{items: all}, true
}

// onNumbers does the operation if both are numbers.
func (r *run) onNumbers(op string, a, b any) (any, bool) {
	f, okA := toFloat(a)
	g, okB := toFloat(b)
	if !okA || !okB {
		return nil, false
	}
	if x, y := toBig(a), toBig(b); x != nil && y != nil && op != "/" && (op != "**" || y.Sign() >= 0) {
		return fromBig(r.onIntegers(op, x, y)), true
	}
	switch op {
	case "+":
		return f + g, true
	case "-":
		return f - g, true
	case "*":
		return f * g, true
	case "/", "//", "%":
		if g == 0 {
			r.fail(nil, "%s", map[string]string{"/": "division by zero", "//": "float floor division by zero", "%": "float modulo"}[op])
		}
		if op == "/" {
			return f / g, true
		}
		if op == "//" {
			return math.Floor(f / g), true
		}
		m := math.Mod(f, g)
		if m != 0 && (m < 0) != (g < 0) {
			m += g
		}
		return m, true
	}
	if f == 0 && g < 0 {
		r.fail(nil, "0.0 cannot be raised to a negative power")
	}
	return math.Pow(f, g), true
}

// maxBits bounds the integers past int64, which Python lets grow.
const maxBits = 4096

func (r *run) onIntegers(op string, x, y *big.Int) *big.Int {
	z := new(big.Int)
	switch op {
	case "+":
		z.Add(x, y)
	case "-":
		z.Sub(x, y)
	case "*":
		z.Mul(x, y)
	case "//", "%":
		if y.Sign() == 0 {
			r.fail(nil, "integer division or modulo by zero")
		}
		m := new(big.Int)
		if z.QuoRem(x, y, m); m.Sign() != 0 && (m.Sign() < 0) != (y.Sign() < 0) { // Python rounds down, Go towards zero
			z.Sub(z, big.NewInt(1))
			m.Add(m, y)
		}
		if op == "%" {
			z = m
		}
	default:
		if x.BitLen() > 1 && (y.Cmp(big.NewInt(maxBits)) > 0 || int64(x.BitLen()-1)*y.Int64() > maxBits) {
			r.fail(ErrLimit, "an integer of more than %d bits", maxBits)
		}
		if x.BitLen() > 1 || y.Sign() == 0 {
			z.Exp(x, y, nil)
		} else if z.Set(x); x.Sign() < 0 && y.Bit(0) == 0 {
			z.Neg(x)
		}
	}
	if z.BitLen() > maxBits {
		r.fail(ErrLimit, "an integer of more than %d bits", maxBits)
	}
	r.work(z.BitLen() / 8)
	return z
}
