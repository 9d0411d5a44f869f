package jinja

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"math/big"
	"slices"
	"strings"
	"unicode/utf8"
)

// MarshalJSON writes the keys in their order.
func (m *Map) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, k := range m.keys {
		if i > 0 {
			b.WriteByte(',')
		}
		key, err := json.Marshal(k)
		if err != nil {
			return nil, err
		}
		value, err := json.Marshal(m.values[i])
		if err != nil {
			return nil, err
		}
		b.Write(key)
		b.WriteByte(':')
		b.Write(value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// FromJSON reads one JSON value: lists become []any, objects *Map with their keys in order, numbers int64, *big.Int past it, or
// float64. It reads at most 200 levels.
func FromJSON(data []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	v, err := decode(d, 0)
	if err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("jinja: JSON has more than one value")
	}
	return v, nil
}

func decode(d *json.Decoder, depth int) (any, error) {
	if depth > maxData {
		return nil, fmt.Errorf("jinja: JSON is more than %d levels deep", maxData)
	}
	t, err := d.Token()
	if err != nil {
		return nil, fmt.Errorf("jinja: JSON: %w", err)
	}
	switch x := t.(type) {
	case json.Delim:
		if x == '[' {
			all := []any{}
			for d.More() {
				v, err := decode(d, depth+1)
				if err != nil {
					return nil, err
				}
				all = append(all, v)
			}
			_, err := d.Token()
			return all, err
		}
		m := NewMap()
		for d.More() {
			key, err := d.Token()
			if err != nil {
				return nil, fmt.Errorf("jinja: JSON: %w", err)
			}
			v, err := decode(d, depth+1)
			if err != nil {
				return nil, err
			}
			m.Set(key.(string), v)
		}
		_, err := d.Token()
		return m, err
	case json.Number:
		return fromNumber(x)
	}
	return t, nil
}

func fromNumber(n json.Number) (any, error) {
	if !strings.ContainsAny(string(n), ".eE") {
		if z, ok := new(big.Int).SetString(string(n), 10); ok && z.BitLen() <= maxBits {
			return fromBig(z), nil
		}
		return nil, fmt.Errorf("jinja: the number %.40s… is too long", n)
	}
	f, err := n.Float64()
	if err != nil && !math.IsInf(f, 0) {
		return nil, fmt.Errorf("jinja: %w", err)
	}
	return f, nil
}

// fromGo turns a caller's value into one of the template's.
func fromGo(v any, depth int) (any, error) {
	if depth > maxData {
		return nil, fmt.Errorf("more than %d levels deep", maxData)
	}
	switch x := v.(type) {
	case nil, bool, int64, float64, *big.Int:
		return x, nil
	case string:
		if !utf8.ValidString(x) {
			return strings.ToValidUTF8(x, "\uFFFD"), nil
		}
		return x, nil
	case int:
		return int64(x), nil
	case json.RawMessage:
		read, err := FromJSON(x)
		if err != nil {
			return nil, err
		}
		return fromGo(read, depth)
	case json.Number:
		return fromNumber(x)
	case *list:
		return fromSlice(x.items, depth)
	case []any:
		return fromSlice(x, depth)
	case []string:
		return fromSlice(x, depth)
	case []json.RawMessage:
		return fromSlice(x, depth)
	case []*Map:
		return fromSlice(x, depth)
	case []map[string]any:
		return fromSlice(x, depth)
	case map[string]any:
		m := NewMap()
		for _, k := range slices.Sorted(maps.Keys(x)) {
			value, err := fromGo(x[k], depth+1)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", k, err)
			}
			m.Set(k, value)
		}
		return m, nil
	case *Map: // a copy, so that two runs never share what a template may change
		m := NewMap()
		for i, k := range x.keys {
			value, err := fromGo(x.values[i], depth+1)
			if err != nil {
				return nil, err
			}
			m.put(k, k, value)
		}
		return m, nil
	}
	return nil, fmt.Errorf("a value of Go's type %T", v)
}

func fromSlice[T any](items []T, depth int) (any, error) {
	l := &list{items: make([]any, len(items))}
	for i, item := range items {
		value, err := fromGo(item, depth+1)
		if err != nil {
			return nil, fmt.Errorf("item %d: %w", i, err)
		}
		l.items[i] = value
	}
	return l, nil
}
