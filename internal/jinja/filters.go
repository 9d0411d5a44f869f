package jinja

import (
	"math"
	"math/big"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A filter makes a value of the one before the bar.
type filter func(r *run, v any, a arguments) any

// filters are Jinja's by name, without those for web pages.
var filters map[string]filter

// filter finds a filter. One that is not there is an error only where it is used, so that a template which has one in a
// branch that is not taken still works.
func (d *dialect) filter(name string) filter {
	switch {
	case name == "tojson" && d.chat:
		return chatJSON
	case name == "regex_replace" && !d.chat:
		return regexReplace
	}
	if f, ok := filters[name]; ok {
		return f
	}
	return func(r *run, _ any, _ arguments) any {
		r.fail(ErrSyntax, "No filter named '%s'.", name)
		return nil
	}
}

func init() {
	filters = map[string]filter{
		"abs": filterAbs, "attr": filterAttr, "default": filterDefault, "d": filterDefault, "escape": filterEscape, "e": filterEscape,
		"forceescape": filterForceEscape, "safe": filterSafe, "float": filterFloat, "int": filterInt, "format": filterFormat,
		"round": filterRound, "string": filterString, "tojson": taskJSON, "length": filterLength, "count": filterLength,
		"capitalize": onText(capitalize), "lower": onText(lower), "upper": onText(upper), "title": onText(titleFilter),
		"trim": filterTrim, "replace": filterReplace, "indent": filterIndent, "center": filterCenter, "truncate": filterTruncate,
		"wordcount": filterWordCount, "urlencode": filterURLEncode,
		"first": filterFirst, "last": filterLast, "join": filterJoin, "list": filterList, "items": filterItems,
		"dictsort": filterDictSort, "sort": filterSort, "reverse": filterReverse, "unique": filterUnique, "min": extreme(-1),
		"max": extreme(1), "sum": filterSum, "batch": filterBatch, "slice": filterSlice, "groupby": filterGroupBy,
		"map": filterMap, "select": selecting(true, false), "reject": selecting(false, false),
		"selectattr": selecting(true, true), "rejectattr": selecting(false, true),
	}
}

func onText(f func(string) string) filter {
	return func(r *run, v any, a arguments) any {
		a.take(r)
		s := f(r.str(v))
		r.text(len(s))
		return likeText(v, s)
	}
}

// titleFilter differs from str.title: it begins words behind blanks, dashes and opening brackets only.
func titleFilter(s string) string {
	var b strings.Builder
	begins := true
	start := 0
	flush := func(end int) {
		if word := s[start:end]; word != "" {
			_, n := utf8.DecodeRuneInString(word)
			b.WriteString(upper(word[:n]) + lower(word[n:]))
		}
		start = end
	}
	for i, c := range s {
		mark := isSpace(c) || strings.ContainsRune("-({[<", c)
		if mark != begins || i == 0 {
			flush(i)
		}
		begins = mark
	}
	flush(len(s))
	return b.String()
}

func filterAbs(r *run, v any, a arguments) any {
	a.take(r)
	switch x := plainNumber(v).(type) {
	case int64, *big.Int:
		return fromBig(new(big.Int).Abs(toBig(x)))
	case float64:
		return math.Abs(x)
	}
	r.needDefined(v)
	r.fail(nil, "bad operand type for abs(): '%s'", typeName(v))
	return nil
}

func filterAttr(r *run, v any, a arguments) any {
	name := r.str(a.take(r, "name!")[0])
	if m, ok := r.member(v, name); ok {
		return m
	}
	return &undefined{message: repr(owner(v)) + " has no attribute " + repr(name), strict: r.dialect.strict}
}

func filterDefault(r *run, v any, a arguments) any {
	args := a.take(r, "default_value", "boolean")
	if !given(args[0]) {
		args[0] = ""
	}
	if _, missing := v.(*undefined); missing || a.flag(r, args[1]) && !r.truth(v) {
		return args[0]
	}
	return v
}

var escapes = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&#34;", "'", "&#39;")

func escape(s string) string { return escapes.Replace(s) }

func filterEscape(r *run, v any, a arguments) any {
	a.take(r)
	if m, ok := v.(markup); ok {
		return m
	}
	return filterForceEscape(r, v, a)
}

func filterForceEscape(r *run, v any, a arguments) any {
	a.take(r)
	s := r.str(v)
	r.text(6 * len(s))
	return markup(escape(s))
}

func filterSafe(r *run, v any, a arguments) any {
	a.take(r)
	return markup(r.str(v))
}

func filterString(r *run, v any, a arguments) any {
	a.take(r)
	return likeText(v, r.str(v))
}

func filterFloat(r *run, v any, a arguments) any {
	standard := a.take(r, "default")[0]
	if !given(standard) {
		standard = 0.0
	}
	r.needDefined(v)
	if f, ok := toFloat(v); ok {
		return f
	}
	if s, ok := asText(v); ok {
		if f, ok := parseFloat(s); ok {
			return f
		}
	}
	return standard
}

// parseFloat is Python's float() of a text.
func parseFloat(s string) (float64, bool) {
	s = strings.TrimFunc(s, isSpace)
	if strings.ContainsAny(s, "xXpP") || strings.Contains(s, "__") || strings.HasPrefix(s, "_") || strings.HasSuffix(s, "_") {
		return 0, false
	}
	f, err := strconv.ParseFloat(strings.ReplaceAll(s, "_", ""), 64)
	return f, err == nil || math.IsInf(f, 0)
}

// parseInt is Python's int() of a text.
func parseInt(s string, base int) (any, bool) {
	s = strings.TrimFunc(s, isSpace)
	if base < 2 && base != 0 || base > 36 || len(s) > maxBits/4 || strings.HasPrefix(s, "_") || strings.HasSuffix(s, "_") || strings.Contains(s, "__") {
		return nil, false
	}
	sign, digits := "", s
	if s != "" && (s[0] == '-' || s[0] == '+') {
		sign, digits = s[:1], s[1:]
	}
	if prefix := map[int]string{2: "0b", 8: "0o", 16: "0x"}[base]; prefix != "" && strings.HasPrefix(strings.ToLower(digits), prefix) {
		digits = digits[2:]
	}
	if digits == "" || digits[0] == '-' || digits[0] == '+' {
		return nil, false
	}
	z, ok := new(big.Int).SetString(sign+strings.ReplaceAll(digits, "_", ""), base)
	if !ok {
		return nil, false
	}
	return fromBig(z), true
}

func filterInt(r *run, v any, a arguments) any {
	args := a.take(r, "default", "base")
	if !given(args[0]) {
		args[0] = int64(0)
	}
	r.needDefined(v)
	toInt := func(f float64) any {
		if math.IsNaN(f) || math.IsInf(f, 0) {
			return args[0]
		}
		z, _ := big.NewFloat(f).Int(nil)
		return fromBig(z)
	}
	switch x := plainNumber(v).(type) {
	case int64, *big.Int:
		return x
	case float64:
		return toInt(x)
	case string, markup:
		s, _ := asText(x)
		r.work(len(s))
		if n, ok := parseInt(s, int(a.integer(r, args[1], 10))); ok {
			return n
		}
		if f, ok := parseFloat(s); ok {
			return toInt(f)
		}
	}
	return args[0]
}

func filterFormat(r *run, v any, a arguments) any {
	if len(a.list) > 0 && len(a.names) > 0 {
		r.fail(nil, "can't handle positional and keyword arguments at the same time")
	}
	if len(a.names) > 0 {
		m := NewMap()
		for i, name := range a.names {
			m.Set(name, a.named[i])
		}
		return r.percent(r.str(v), m)
	}
	return r.percent(r.str(v), &tuple{items: a.list})
}

func filterRound(r *run, v any, a arguments) any {
	args := a.take(r, "precision", "method")
	precision, how := a.integer(r, args[0], 0), a.text(r, args[1], "common")
	r.needDefined(v)
	f, ok := toFloat(v)
	if !ok {
		r.fail(nil, "type %s doesn't define __round__ method", typeName(v))
	}
	if precision < -400 || precision > 400 {
		r.fail(nil, "precision %d of round is out of reach", precision)
	}
	switch how {
	case "ceil":
		return math.Ceil(f*math.Pow(10, float64(precision))) / math.Pow(10, float64(precision))
	case "floor":
		return math.Floor(f*math.Pow(10, float64(precision))) / math.Pow(10, float64(precision))
	case "common":
		if z := toBig(v); z != nil && precision >= 0 {
			return fromBig(z)
		}
		if precision >= 0 {
			f, _ = strconv.ParseFloat(strconv.FormatFloat(f, 'f', int(precision), 64), 64)
			return f
		}
		scale := math.Pow(10, float64(-precision))
		f = math.RoundToEven(f/scale) * scale
		if _, isFloat := v.(float64); isFloat {
			return f
		}
		return int64(f)
	}
	r.fail(nil, "method must be common, ceil or floor")
	return nil
}

func filterLength(r *run, v any, a arguments) any {
	a.take(r)
	return int64(r.mustLength(v))
}

func filterTrim(r *run, v any, a arguments) any {
	return stripped(true, true)(r, likeText(v, r.str(v)), a)
}

func filterReplace(r *run, v any, a arguments) any {
	args := a.take(r, "old!", "new!", "count")
	if args[2] == nil {
		args[2] = absent{}
	}
	return r.replace(r.str(v), r.str(args[0]), r.str(args[1]), a.integer(r, args[2], -1))
}

func filterIndent(r *run, v any, a arguments) any {
	args := a.take(r, "width", "first", "blank")
	s, ok := asText(v)
	if !ok {
		r.needDefined(v)
		r.fail(nil, "unsupported operand type(s) for +=: '%s' and 'str'", typeName(v))
	}
	indent := "    "
	if n, ok := plainNumber(args[0]).(int64); ok {
		r.text(int(min(n, maxText+1)))
		indent = strings.Repeat(" ", max(int(n), 0))
	} else {
		indent = a.text(r, args[0], indent)
	}
	lines := splitLines(s+"\n", false)
	if len(lines)*len(indent) > maxText {
		r.text(-1)
	}
	r.text(len(s) + len(lines)*len(indent))
	for i := 1; i < len(lines); i++ {
		if lines[i] != "" || a.flag(r, args[2]) {
			lines[i] = indent + lines[i]
		}
	}
	if a.flag(r, args[1]) {
		lines[0] = indent + lines[0]
	}
	return likeText(v, strings.Join(lines, "\n"))
}

func filterCenter(r *run, v any, a arguments) any {
	args := a.take(r, "width")
	if !given(args[0]) {
		args[0] = int64(80)
	}
	return padded(1, 1)(r, likeText(v, r.str(v)), arguments{of: "center", list: args})
}

func filterTruncate(r *run, v any, a arguments) any {
	args := a.take(r, "length", "killwords", "end", "leeway")
	if args[3] == nil {
		args[3] = absent{}
	}
	length, end, leeway := a.integer(r, args[0], 255), a.text(r, args[2], "..."), a.integer(r, args[3], 5)
	s := r.str(v)
	runes := []rune(s)
	r.work(4 * len(s))
	keep := length - int64(utf8.RuneCountInString(end))
	if keep < 0 || leeway < 0 {
		r.fail(nil, "expected length >= %d, got %d", utf8.RuneCountInString(end), length)
	}
	if int64(len(runes)) <= length+leeway {
		return s
	}
	cut := string(runes[:keep])
	if i := strings.LastIndexByte(cut, ' '); i >= 0 && !a.flag(r, args[1]) {
		cut = cut[:i]
	}
	return cut + end
}

func filterWordCount(r *run, v any, a arguments) any {
	a.take(r)
	s := r.str(v)
	r.work(len(s))
	return int64(len(strings.FieldsFunc(s, func(c rune) bool { return c != '_' && !isAlnum(c) && !unicode.Is(unicode.M, c) })))
}

func filterURLEncode(r *run, v any, a arguments) any {
	a.take(r)
	quote := func(s string) string {
		r.text(3 * len(s))
		return url.QueryEscape(s)
	}
	var pairs []any
	switch x := v.(type) {
	case *Map:
		pairs = (&view{of: x, kind: "dict_items"}).items()
	case *list, *tuple, *generator, *view:
		pairs = r.iterate(x)
	default:
		return strings.NewReplacer("%2F", "/", "+", "%20").Replace(quote(r.str(v)))
	}
	var parts []string
	for _, p := range pairs {
		kv := r.iterate(p)
		if len(kv) != 2 {
			r.fail(nil, "not enough values to unpack (expected 2, got %d)", len(kv))
		}
		parts = append(parts, quote(r.str(kv[0]))+"="+quote(r.str(kv[1])))
	}
	return strings.Join(parts, "&")
}

func filterList(r *run, v any, a arguments) any {
	a.take(r)
	items := r.iterate(v)
	r.items(len(items))
	return &list{items: slices.Clone(items)}
}
