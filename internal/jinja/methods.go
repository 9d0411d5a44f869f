package jinja

import (
	"math"
	"math/bits"
	"slices"
)

// listMethods are Python's methods of list; those that change it work in tasks only.
var listMethods, mapMethods, numberMethods map[string]methodOf

func init() {
	listMethods = map[string]methodOf{
		"index": listIndex, "count": listCount,
		"copy": func(r *run, of any, a arguments) any {
			a.take(r)
			return &list{items: slices.Clone(r.iterate(of))}
		},
		"append": func(r *run, of any, a arguments) any {
			l := of.(*list)
			r.items(1)
			l.items = append(l.items[:len(l.items):len(l.items)], a.take(r, "object!")[0])
			r.work(len(l.items))
			return nil
		},
		"extend": func(r *run, of any, a arguments) any {
			l := of.(*list)
			more := r.iterate(a.take(r, "iterable!")[0])
			r.items(len(l.items) + len(more))
			l.items = slices.Concat(l.items, more)
			return nil
		},
		"insert": func(r *run, of any, a arguments) any {
			l, v := of.(*list), a.take(r, "index!", "object!")
			n := int64(len(l.items))
			i := a.integer(r, v[0], 0)
			if i < 0 {
				i = max(i+n, 0)
			}
			r.items(len(l.items) + 1)
			l.items = slices.Insert(slices.Clone(l.items), int(min(i, n)), v[1])
			return nil
		},
		"pop": func(r *run, of any, a arguments) any {
			l := of.(*list)
			i := a.integer(r, a.take(r, "index")[0], -1)
			item, ok := at(l.items, i)
			if !ok {
				r.fail(nil, "pop index out of range")
			}
			if i < 0 {
				i += int64(len(l.items))
			}
			r.items(len(l.items))
			l.items = slices.Delete(slices.Clone(l.items), int(i), int(i)+1)
			return item
		},
	}
	mapMethods = map[string]methodOf{
		"get": func(r *run, of any, a arguments) any {
			v := a.take(r, "key!", "default")
			if value, ok := r.getItem(of.(*Map), v[0]); ok {
				return value
			}
			if given(v[1]) {
				return v[1]
			}
			return nil
		},
		"keys": mapView("dict_keys"), "values": mapView("dict_values"), "items": mapView("dict_items"),
		"copy": func(r *run, of any, a arguments) any {
			a.take(r)
			r.items(3 * of.(*Map).Len())
			return of.(*Map).clone()
		},
		"update": func(r *run, of any, a arguments) any {
			r.fill(of.(*Map), a)
			return nil
		},
		"setdefault": func(r *run, of any, a arguments) any {
			m, v := of.(*Map), a.take(r, "key!", "default")
			if value, ok := r.getItem(m, v[0]); ok {
				return value
			}
			if !given(v[1]) {
				v[1] = nil
			}
			r.items(3)
			r.setItem(m, v[0], v[1])
			return v[1]
		},
		"pop": func(r *run, of any, a arguments) any {
			m, v := of.(*Map), a.take(r, "key!", "default")
			value, ok := r.getItem(m, v[0])
			if !ok && !given(v[1]) {
				r.fail(nil, "%s", r.repr(v[0]))
			}
			if !ok {
				return v[1]
			}
			r.items(3 * m.Len())
			m.remove(r.mustHash(v[0]))
			return value
		},
	}
	numberMethods = map[string]methodOf{
		"is_integer": func(r *run, of any, a arguments) any {
			a.take(r)
			f, _ := toFloat(of)
			return f == math.Trunc(f)
		},
		"bit_length": func(r *run, of any, a arguments) any {
			a.take(r)
			n, ok := plainNumber(of).(int64)
			if !ok {
				r.fail(ErrUndefined, "'float object' has no attribute 'bit_length'")
			}
			return int64(bits.Len64(uint64(max(n, -n))))
		},
	}
}

func mapView(kind string) methodOf {
	return func(r *run, of any, a arguments) any {
		a.take(r)
		return &view{of: of.(*Map), kind: kind}
	}
}

func listIndex(r *run, of any, a arguments) any {
	v := a.take(r, "value!", "start", "stop")
	items := r.iterate(of)
	bound := func(v any, standard int) int {
		i := int(a.integer(r, v, int64(standard)))
		if i < 0 {
			i = max(i+len(items), 0)
		}
		return i
	}
	for i := bound(v[1], 0); i < min(bound(v[2], len(items)), len(items)); i++ {
		if r.equal(items[i], v[0]) {
			return int64(i)
		}
	}
	if _, ok := of.(*tuple); ok {
		r.fail(nil, "tuple.index(x): x not in tuple")
	}
	r.fail(nil, "%s is not in list", r.repr(v[0]))
	return nil
}

func listCount(r *run, of any, a arguments) any {
	v := a.take(r, "value!")
	n := int64(0)
	for _, item := range r.iterate(of) {
		if r.equal(item, v[0]) {
			n++
		}
	}
	return n
}
