package jinja

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
)

// textMethods are Python's methods of str.
var textMethods map[string]methodOf

func init() {
	textMethods = map[string]methodOf{
		"strip": stripped(true, true), "lstrip": stripped(true, false), "rstrip": stripped(false, true),
		"upper": changed(upper), "lower": changed(lower), "title": changed(title), "capitalize": changed(capitalize),
		"swapcase": changed(swapCase), "casefold": changed(func(s string) string { return cases.Fold().String(s) }),
		"isspace": asked(all(isSpace)), "isdecimal": asked(all(isDecimal)), "isdigit": asked(all(isDigit)), "isnumeric": asked(all(isNumeric)),
		"isalpha": asked(all(unicode.IsLetter)), "isalnum": asked(all(isAlnum)), "istitle": asked(isTitle),
		"isupper": asked(func(s string) bool { return hasCase(s, isLowerRune) }),
		"islower": asked(func(s string) bool { return hasCase(s, isUpperRune) }),
		"isascii": asked(func(s string) bool {
			return strings.IndexFunc(s, func(c rune) bool { return c >= utf8.RuneSelf }) < 0
		}),
		"isprintable": asked(func(s string) bool { return s == "" || all(printable)(s) }),
		"split":       textSplit, "rsplit": textRsplit, "splitlines": textSplitLines,
		"partition": partition(strings.Index), "rpartition": partition(strings.LastIndex),
		"join": textJoin, "replace": textReplace, "format": textFormat,
		"startswith": affix(strings.HasPrefix), "endswith": affix(strings.HasSuffix),
		"removeprefix": removed(strings.TrimPrefix), "removesuffix": removed(strings.TrimSuffix),
		"find": found(strings.Index, false), "rfind": found(strings.LastIndex, false),
		"index": found(strings.Index, true), "rindex": found(strings.LastIndex, true), "count": textCount,
		"center": padded(1, 1), "ljust": padded(0, 1), "rjust": padded(1, 0), "zfill": textZfill,
	}
}

// subject reads the text a method stands behind.
func subject(r *run, of any) string {
	s, _ := asText(of)
	r.work(len(s))
	return s
}

func texts(parts []string, from any) *list {
	items := make([]any, len(parts))
	for i, p := range parts {
		items[i] = likeText(from, p)
	}
	return &list{items: items}
}

func changed(f func(string) string) methodOf {
	return func(r *run, of any, a arguments) any {
		a.take(r)
		s := f(subject(r, of))
		r.text(len(s))
		return likeText(of, s)
	}
}

func asked(f func(string) bool) methodOf {
	return func(r *run, of any, a arguments) any {
		a.take(r)
		return f(subject(r, of))
	}
}

func stripped(left, right bool) methodOf {
	return func(r *run, of any, a arguments) any {
		in := isSpace
		if set := a.take(r, "chars")[0]; given(set) && set != nil {
			chars := a.text(r, set, "")
			in = func(c rune) bool { return strings.ContainsRune(chars, c) }
		}
		s := subject(r, of)
		if left {
			s = strings.TrimLeftFunc(s, in)
		}
		if right {
			s = strings.TrimRightFunc(s, in)
		}
		return likeText(of, s)
	}
}

// separator reads the arguments of split.
func separator(r *run, a arguments) (sep string, isSpace bool, limit int64) {
	v := a.take(r, "sep", "maxsplit")
	limit = a.integer(r, v[1], -1)
	if !given(v[0]) || v[0] == nil {
		return "", true, limit
	}
	if sep = a.text(r, v[0], ""); sep == "" {
		r.fail(nil, "empty separator")
	}
	return sep, false, limit
}

func textSplit(r *run, of any, a arguments) any {
	sep, spaces, limit := separator(r, a)
	s := subject(r, of)
	r.items(strings.Count(s, sep) + 1)
	if spaces {
		return texts(splitSpace(s, limit), of)
	}
	if limit >= 0 {
		limit = min(limit, int64(len(s))) + 1
	}
	return texts(strings.SplitN(s, sep, int(limit)), of)
}

func textRsplit(r *run, of any, a arguments) any {
	sep, spaces, limit := separator(r, a)
	s := subject(r, of)
	r.items(strings.Count(s, sep) + 1)
	if spaces {
		return texts(rsplitSpace(s, limit), of)
	}
	return texts(rsplit(s, sep, limit), of)
}

func textSplitLines(r *run, of any, a arguments) any {
	ends := a.flag(r, a.take(r, "keepends")[0])
	lines := splitLines(subject(r, of), ends)
	r.items(len(lines))
	return texts(lines, of)
}

func partition(index func(s, sep string) int) methodOf {
	return func(r *run, of any, a arguments) any {
		sep := a.text(r, a.take(r, "sep!")[0], "")
		if sep == "" {
			r.fail(nil, "empty separator")
		}
		s := subject(r, of)
		parts := []string{s, "", ""}
		if i := index(s, sep); i >= 0 {
			parts = []string{s[:i], sep, s[i+len(sep):]}
		} else if a.of == "rpartition" {
			parts = []string{"", "", s}
		}
		return &tuple{items: texts(parts, of).items}
	}
}

func textJoin(r *run, of any, a arguments) any {
	v := a.take(r, "iterable!")
	sep := subject(r, of)
	parts := []string{}
	size := 0
	if !isIterable(r, v[0], arguments{}) {
		r.fail(nil, "can only join an iterable")
	}
	for i, item := range r.iterate(v[0]) {
		s, ok := asText(item)
		if !ok {
			r.needLax(item)
			r.fail(nil, "sequence item %d: expected str instance, %s found", i, typeName(item))
		}
		size += len(s) + len(sep)
		r.text(size)
		parts = append(parts, s)
	}
	return likeText(of, strings.Join(parts, sep))
}

func textReplace(r *run, of any, a arguments) any {
	v := a.take(r, "old!", "new!", "count")
	return likeText(of, r.replace(subject(r, of), a.text(r, v[0], ""), a.text(r, v[1], ""), a.integer(r, v[2], -1)))
}

func (r *run) replace(s, old, by string, limit int64) string {
	n := int64(strings.Count(s, old)) // for "" the number of characters and one, as in Python
	if limit >= 0 {
		n = min(n, limit)
	}
	if grown := len(by) - len(old); grown > 0 && n > int64(maxText/grown) {
		r.text(-1)
	}
	r.text(len(s) + int(n)*(len(by)-len(old)))
	return strings.Replace(s, old, by, int(n))
}

func affix(has func(s, part string) bool) methodOf {
	return func(r *run, of any, a arguments) any {
		v := a.take(r, "prefix!", "start", "end")
		s, _, ok := r.window(subject(r, of), a, v[1:])
		if !ok {
			return false
		}
		candidates := []any{v[0]}
		if t, ok := v[0].(*tuple); ok {
			candidates = t.items
		}
		for _, c := range candidates {
			r.work(stepWork)
			part, ok := asText(c)
			if !ok {
				r.needLax(c)
				r.fail(nil, "%s first arg must be str or a tuple of str, not %s", a.of, typeName(c))
			}
			if has(s, part) {
				return true
			}
		}
		return false
	}
}

// window cuts a text to the start and end of a method's arguments. offset counts the characters before it.
func (r *run) window(s string, a arguments, v []any) (part string, offset int, ok bool) {
	if !given(v[0]) && !given(v[1]) {
		return s, 0, true
	}
	runes := []rune(s)
	r.work(len(s))
	n := int64(len(runes))
	bound := func(v any, standard int64) int64 {
		if v == nil || !given(v) {
			return standard
		}
		i := a.integer(r, v, 0)
		if i < 0 {
			i = max(i+n, 0)
		}
		return i
	}
	start, end := bound(v[0], 0), min(bound(v[1], n), n)
	if start > end {
		return "", 0, false
	}
	return string(runes[start:end]), int(start), true
}

func removed(trim func(s, part string) string) methodOf {
	return func(r *run, of any, a arguments) any {
		return likeText(of, trim(subject(r, of), a.text(r, a.take(r, "prefix!")[0], "")))
	}
}

func found(index func(s, part string) int, must bool) methodOf {
	return func(r *run, of any, a arguments) any {
		v := a.take(r, "sub!", "start", "end")
		part := a.text(r, v[0], "")
		s, offset, ok := r.window(subject(r, of), a, v[1:])
		i := -1
		if ok {
			i = index(s, part)
		}
		if i >= 0 {
			return int64(offset + utf8.RuneCountInString(s[:i]))
		}
		if must {
			r.fail(nil, "substring not found")
		}
		return int64(-1)
	}
}

func textCount(r *run, of any, a arguments) any {
	v := a.take(r, "sub!", "start", "end")
	part := a.text(r, v[0], "")
	s, _, ok := r.window(subject(r, of), a, v[1:])
	if !ok {
		return int64(0)
	}
	return int64(strings.Count(s, part))
}

func padded(left, right int) methodOf {
	return func(r *run, of any, a arguments) any {
		v := a.take(r, "width!", "fillchar")
		s, fill := subject(r, of), a.text(r, v[1], " ")
		if utf8.RuneCountInString(fill) != 1 {
			r.fail(nil, "The fill character must be exactly one character long")
		}
		missing := a.integer(r, v[0], 0) - int64(r.count(s))
		if missing <= 0 {
			return of
		}
		before := missing
		if left+right == 2 { // CPython puts the odd one before if the width is odd, too
			before = missing/2 + missing&a.integer(r, v[0], 0)&1
		} else if left == 0 {
			before = 0
		}
		r.text(int(min(missing, maxText+1)) * len(fill))
		return likeText(of, strings.Repeat(fill, int(before))+s+strings.Repeat(fill, int(missing-before)))
	}
}

func textZfill(r *run, of any, a arguments) any {
	s := subject(r, of)
	missing := a.integer(r, a.take(r, "width!")[0], 0) - int64(r.count(s))
	if missing <= 0 {
		return of
	}
	r.text(int(min(missing, maxText+1)))
	sign := ""
	if s != "" && (s[0] == '-' || s[0] == '+') {
		sign, s = s[:1], s[1:]
	}
	return likeText(of, sign+strings.Repeat("0", int(missing))+s)
}
