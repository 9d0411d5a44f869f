package jinja

import (
	"slices"
	"strconv"
	"strings"
)

func filterFirst(r *run, v any, a arguments) any {
	a.take(r)
	if g, ok := v.(*generator); ok && len(g.items) > 0 {
		first := g.items[0]
		g.items = g.items[1:]
		return first
	}
	if items := r.iterate(v); len(items) > 0 {
		return items[0]
	}
	return r.hint("No first item, sequence was empty.")
}

func filterLast(r *run, v any, a arguments) any {
	a.take(r)
	if _, ok := v.(*generator); ok {
		r.fail(nil, "'generator' object is not reversible")
	}
	if items := r.iterate(v); len(items) > 0 {
		return items[len(items)-1]
	}
	return r.hint("No last item, sequence was empty.")
}

func filterJoin(r *run, v any, a arguments) any {
	args := a.take(r, "d", "attribute")
	sep := ""
	if given(args[0]) {
		sep = r.str(args[0])
	}
	items := r.iterate(v)
	get := r.attributeGetter(args[1], absent{})
	parts := make([]string, len(items))
	size := 0
	for i, item := range items {
		parts[i] = r.str(get(item))
		size += len(parts[i]) + len(sep)
		r.text(size)
	}
	return strings.Join(parts, sep)
}

// attributeGetter reads "a.b" or 0 off a value; absent{} and nil read nothing.
func (r *run) attributeGetter(attribute, standard any) func(any) any {
	if attribute == nil || !given(attribute) {
		return func(v any) any { return v }
	}
	path := []any{attribute}
	if s, ok := asText(attribute); ok {
		path = nil
		for _, part := range strings.Split(s, ".") {
			if n, err := strconv.ParseInt(part, 10, 64); err == nil {
				path = append(path, n)
			} else {
				path = append(path, part)
			}
		}
	}
	return func(v any) any {
		for _, key := range path {
			r.work(stepWork)
			v = r.item(v, key)
			if _, missing := v.(*undefined); missing && given(standard) {
				v = standard
			}
		}
		return v
	}
}

func filterItems(r *run, v any, a arguments) any {
	a.take(r)
	switch x := v.(type) {
	case *undefined:
		return &generator{}
	case *Map:
		r.items(3 * x.Len())
		return &generator{items: (&view{of: x, kind: "dict_items"}).items()}
	}
	r.fail(nil, "Can only get item pairs from a mapping.")
	return nil
}

// sorted sorts by keys; ignoreCase takes text as lower case.
func (r *run) sorted(items []any, key func(any) any, ignoreCase, reverse bool) []any {
	type keyed struct{ key, item any }
	all := make([]keyed, len(items))
	for i, item := range items {
		k := key(item)
		if ignoreCase {
			k = r.foldCase(k)
		}
		all[i] = keyed{k, item}
	}
	r.items(4 * len(items))
	slices.SortStableFunc(all, func(a, b keyed) int {
		c, _ := r.order("<", a.key, b.key)
		if reverse {
			return -c
		}
		return c
	})
	out := make([]any, len(all))
	for i, k := range all {
		out[i] = k.item
	}
	return out
}

func (r *run) foldCase(v any) any {
	if s, ok := asText(v); ok {
		r.text(len(s))
		return lower(s)
	}
	return v
}

// sortKey reads the attributes of sort, "a,b" being several.
func (r *run) sortKey(attribute any, ignoreCase bool) func(any) any {
	s, ok := asText(attribute)
	if !ok || !strings.Contains(s, ",") {
		return r.attributeGetter(attribute, absent{})
	}
	var getters []func(any) any
	for _, one := range strings.Split(s, ",") {
		getters = append(getters, r.attributeGetter(one, absent{}))
	}
	return func(v any) any {
		keys := &list{}
		for _, get := range getters {
			k := get(v)
			if ignoreCase {
				k = r.foldCase(k)
			}
			keys.items = append(keys.items, k)
		}
		return keys
	}
}

func filterSort(r *run, v any, a arguments) any {
	args := a.take(r, "reverse", "case_sensitive", "attribute")
	ignoreCase := !a.flag(r, args[1])
	return &list{items: r.sorted(r.iterate(v), r.sortKey(args[2], ignoreCase), ignoreCase, a.flag(r, args[0]))}
}

func filterDictSort(r *run, v any, a arguments) any {
	args := a.take(r, "case_sensitive", "by", "reverse")
	m, ok := v.(*Map)
	if !ok {
		r.needDefined(v)
		r.fail(nil, "'%s' object has no attribute 'items'", typeName(v))
	}
	at := 0
	switch a.text(r, args[1], "key") {
	case "key":
	case "value":
		at = 1
	default:
		r.fail(nil, `You can only sort by either "key" or "value"`)
	}
	pairs := (&view{of: m, kind: "dict_items"}).items()
	return &list{items: r.sorted(pairs, func(p any) any { return p.(*tuple).items[at] }, !a.flag(r, args[0]), a.flag(r, args[2]))}
}

func filterReverse(r *run, v any, a arguments) any {
	a.take(r)
	items := slices.Clone(r.iterate(v))
	r.items(len(items))
	slices.Reverse(items)
	if s, ok := asText(v); ok {
		var b strings.Builder
		for _, c := range items {
			b.WriteString(c.(string))
		}
		r.text(len(s))
		return likeText(v, b.String())
	}
	return &generator{items: items}
}

func filterUnique(r *run, v any, a arguments) any {
	args := a.take(r, "case_sensitive", "attribute")
	get := r.attributeGetter(args[1], absent{})
	seen := map[any]bool{}
	var all []any
	for _, item := range r.iterate(v) {
		k := get(item)
		if !a.flag(r, args[0]) {
			k = r.foldCase(k)
		}
		if h := r.mustHash(k); !seen[h] {
			seen[h] = true
			r.items(2)
			all = append(all, item)
		}
	}
	return &generator{items: all}
}

// extreme is min for -1 and max for 1.
func extreme(sign int) filter {
	return func(r *run, v any, a arguments) any {
		args := a.take(r, "case_sensitive", "attribute")
		ignoreCase := !a.flag(r, args[0])
		get := r.attributeGetter(args[1], absent{})
		key := func(v any) any {
			if ignoreCase {
				return r.foldCase(get(v))
			}
			return get(v)
		}
		items := r.iterate(v)
		if len(items) == 0 {
			return r.hint("No aggregated item, sequence was empty.")
		}
		best, bestKey := items[0], key(items[0])
		op := map[int]string{-1: "<", 1: ">"}[sign]
		for _, item := range items[1:] {
			k := key(item)
			if c, ordered := r.order(op, k, bestKey); ordered && c*sign > 0 {
				best, bestKey = item, k
			}
		}
		return best
	}
}

func filterSum(r *run, v any, a arguments) any {
	args := a.take(r, "attribute", "start")
	total := args[1]
	if !given(total) {
		total = int64(0)
	}
	if _, isText := asText(total); isText {
		r.fail(nil, "sum() can't sum strings [use ''.join(seq) instead]")
	}
	get := r.attributeGetter(args[0], absent{})
	for _, item := range r.iterate(v) {
		total = r.binary("+", total, get(item))
	}
	return total
}

func filterBatch(r *run, v any, a arguments) any {
	args := a.take(r, "linecount!", "fill_with")
	n := int(a.integer(r, args[0], 0))
	items := r.iterate(v)
	r.items(2 * len(items))
	var batches, batch []any
	for _, item := range items {
		if len(batch) == n {
			batches = append(batches, &list{items: batch})
			batch = nil
		}
		batch = append(batch, item)
	}
	if len(batch) > 0 {
		for given(args[1]) && args[1] != nil && len(batch) < n {
			r.items(1)
			batch = append(batch, args[1])
		}
		batches = append(batches, &list{items: batch})
	}
	return &generator{items: batches}
}

func filterSlice(r *run, v any, a arguments) any {
	args := a.take(r, "slices!", "fill_with")
	n := a.integer(r, args[0], 0)
	if n < 1 {
		r.fail(nil, "integer division or modulo by zero")
	}
	r.items(int(min(n, maxWork)))
	items := r.iterate(v)
	r.items(2 * len(items))
	per, more := len(items)/int(n), len(items)%int(n)
	var all []any
	for i := range int(n) {
		size := per
		if i < more {
			size++
		}
		part := slices.Clone(items[:size])
		items = items[size:]
		if given(args[1]) && args[1] != nil && i >= more {
			part = append(part, args[1])
		}
		all = append(all, &list{items: part})
	}
	return &generator{items: all}
}

func filterGroupBy(r *run, v any, a arguments) any {
	args := a.take(r, "attribute!", "default", "case_sensitive")
	get := r.attributeGetter(args[0], args[1])
	ignoreCase := !a.flag(r, args[2])
	groups := &list{}
	var lastKey any
	var group *list
	for _, item := range r.sorted(r.iterate(v), get, ignoreCase, false) {
		grouper := get(item)
		key := grouper
		if ignoreCase {
			key = r.foldCase(key)
		}
		if group == nil || !r.equal(key, lastKey) {
			group, lastKey = &list{}, key
			groups.items = append(groups.items, &tuple{items: []any{grouper, group}, names: []string{"grouper", "list"}})
		}
		r.items(1)
		group.items = append(group.items, item)
	}
	return groups
}

// filterMap reads an attribute off every item, or sends each through another filter.
func filterMap(r *run, v any, a arguments) any {
	var apply func(item any) any
	if i := slices.Index(a.names, "attribute"); len(a.list) == 0 && i >= 0 {
		args := a.take(r, "attribute", "default")
		apply = r.attributeGetter(args[0], args[1])
	} else {
		if len(a.list) == 0 {
			r.fail(nil, "map requires a filter argument")
		}
		f := r.dialect.filter(r.str(a.list[0]))
		inner := arguments{of: r.str(a.list[0]), list: a.list[1:], names: a.names, named: a.named}
		apply = func(item any) any { return f(r, item, inner) }
	}
	items := r.iterate(v)
	r.items(len(items))
	all := make([]any, len(items))
	for i, item := range items {
		all[i] = apply(item)
	}
	return &generator{items: all}
}

// selecting keeps the items that pass a test, or those that do not; byAttribute tests an attribute of theirs.
func selecting(keep, byAttribute bool) filter {
	return func(r *run, v any, a arguments) any {
		get := func(item any) any { return item }
		list := a.list
		if byAttribute {
			if len(list) == 0 {
				r.fail(nil, "Missing parameter for attribute name")
			}
			get = r.attributeGetter(list[0], absent{})
			list = list[1:]
		}
		passes := func(v any) bool { return r.truth(v) }
		if len(list) > 0 {
			name := r.str(list[0])
			t := tests[name]
			if t == nil {
				r.fail(ErrSyntax, "No test named '%s'.", name)
			}
			inner := arguments{of: name, list: list[1:], names: a.names, named: a.named}
			passes = func(v any) bool { return t(r, v, inner) }
		}
		var all []any
		for _, item := range r.iterate(v) {
			r.items(1)
			if passes(get(item)) == keep {
				all = append(all, item)
			}
		}
		return &generator{items: all}
	}
}
