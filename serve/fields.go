package serve

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math"
	"net/http"
	"reflect"
	"sort"
	"strconv"
	"strings"
	"time"
)

// fields are those of a request's JSON object. Each is taken once; what nobody has taken at the end has no meaning here and
// is refused. The first mistake is kept in problem and the rest then reads as not given.
type fields struct {
	raw     map[string]json.RawMessage
	problem *problem
}

// readFields reads the body of a request, whole and within bounds.
func (s *Server) readFields(w http.ResponseWriter, r *http.Request) (*fields, *problem) {
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, s.limits.Body))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return nil, &problem{status: http.StatusRequestEntityTooLarge, kind: "invalid_request_error",
			message: "the request has more than " + strconv.FormatInt(large.Limit, 10) + " bytes: send fewer prompts at once"}
	case err != nil:
		w.Header().Set("Connection", "close")
		return nil, &problem{status: http.StatusRequestTimeout, kind: "invalid_request_error", message: "the request was not read whole: " + err.Error()}
	}
	// Only a body that was read whole gets more time than ServeHTTP gave it: net/http reads what is left of others.
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{})
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(data, &raw); err != nil {
		return nil, refuse("", "the request is no JSON object: %v", err)
	}
	if raw == nil {
		return nil, refuse("", "the request is null, expected a JSON object")
	}
	return &fields{raw: raw}, nil
}

// take is a field's value; false where it is not given or null.
func (f *fields) take(name string) (json.RawMessage, bool) {
	v, ok := f.raw[name]
	delete(f.raw, name)
	return v, ok && f.problem == nil && !bytes.Equal(v, []byte("null"))
}

func (f *fields) refuse(name, format string, a ...any) {
	if f.problem == nil {
		f.problem = refuse(name, format, a...)
	}
}

// number is a field's finite number between two bounds.
func (f *fields) number(name string, otherwise, lo, hi float64) float64 {
	v, ok := f.take(name)
	if !ok {
		return otherwise
	}
	var n float64
	if err := json.Unmarshal(v, &n); err != nil || math.IsInf(n, 0) {
		f.refuse(name, "%s is no number", brief(v))
		return otherwise
	}
	if n < lo || n > hi {
		f.refuse(name, "%v is not between %v and %v", n, lo, hi)
		return otherwise
	}
	return n
}

// integer is a field's whole number between two bounds. 16.0 is one: clients in some languages know no other numbers.
func (f *fields) integer(name string, otherwise, lo, hi int) int {
	v, ok := f.take(name)
	if !ok {
		return otherwise
	}
	n, ok := whole(v)
	if !ok {
		f.refuse(name, "%s is no whole number", brief(v))
		return otherwise
	}
	if n < int64(lo) || n > int64(hi) {
		f.refuse(name, "%d is not between %d and %d", n, lo, hi)
		return otherwise
	}
	return int(n)
}

func whole(v json.RawMessage) (int64, bool) {
	if n, err := strconv.ParseInt(string(v), 10, 64); err == nil {
		return n, true
	}
	var x float64
	if err := json.Unmarshal(v, &x); err != nil || x != math.Trunc(x) || math.Abs(x) > 1<<53 {
		return 0, false
	}
	return int64(x), true
}

// flag is a field's truth value.
func (f *fields) flag(name string, otherwise bool) bool {
	v, ok := f.take(name)
	if !ok {
		return otherwise
	}
	if err := json.Unmarshal(v, &otherwise); err != nil {
		f.refuse(name, "%s is neither true nor false", brief(v))
	}
	return otherwise
}

// text is a field's string.
func (f *fields) text(name string) string {
	v, ok := f.take(name)
	if !ok {
		return ""
	}
	var s string
	if err := json.Unmarshal(v, &s); err != nil {
		f.refuse(name, "%s is no string", brief(v))
	}
	return s
}

// neutral takes fields that are known and not supported: they may say what happens anyway, which is the value, as JSON.
func (f *fields) neutral(value string, names ...string) {
	for _, name := range names {
		v, ok := f.take(name)
		if ok && !sameJSON(v, []byte(value)) {
			f.refuse(name, "%s is not supported; leave it out, or give %s", brief(v), value)
		}
	}
}

func sameJSON(a, b []byte) bool {
	var x, y any
	return json.Unmarshal(a, &x) == nil && json.Unmarshal(b, &y) == nil && reflect.DeepEqual(x, y)
}

// ignore takes fields that say nothing about the answer.
func (f *fields) ignore(names ...string) {
	for _, name := range names {
		delete(f.raw, name)
	}
}

// done is the first mistake, which may be a field that nobody knows.
func (f *fields) done() *problem {
	if f.problem != nil {
		return f.problem
	}
	var unknown []string
	for name, v := range f.raw {
		if !bytes.Equal(v, []byte("null")) {
			unknown = append(unknown, name)
		}
	}
	if len(unknown) > 0 {
		sort.Strings(unknown)
		return refuse(brief([]byte(unknown[0])), "this field is not known, and an answer that ignores it could mislead; leave it out")
	}
	return nil
}

// brief is a value as an error shows it.
func brief(v []byte) string {
	const most = 40
	s := strings.ToValidUTF8(string(v), "\ufffd")
	if runes := []rune(s); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return s
}
