package jinja

import (
	"math"
	"math/big"
)

// Map is an object that keeps its keys in the order in which they were set, as a Python dict does. The zero Map is empty.
type Map struct {
	keys, values []any
	at           map[any]int // by the key's hash
}

// NewMap makes an empty Map.
func NewMap() *Map { return &Map{} }

// Set gives a key its value. A key that is there keeps its place.
func (m *Map) Set(key string, value any) { m.put(key, key, value) }

// Get gives the value of a key.
func (m *Map) Get(key string) (any, bool) {
	i, ok := m.at[key]
	if !ok {
		return nil, false
	}
	return m.values[i], true
}

// Len counts the keys.
func (m *Map) Len() int { return len(m.keys) }

// Keys are the keys that are strings, in order; those that JSON can make are.
func (m *Map) Keys() []string {
	keys := make([]string, 0, len(m.keys))
	for _, k := range m.keys {
		if s, ok := k.(string); ok {
			keys = append(keys, s)
		}
	}
	return keys
}

func (m *Map) put(hash, key, value any) {
	if i, ok := m.at[hash]; ok {
		m.values[i] = value
		return
	}
	if m.at == nil {
		m.at = map[any]int{}
	}
	m.at[hash] = len(m.keys)
	m.keys = append(m.keys, key)
	m.values = append(m.values, value)
}

func (m *Map) remove(hash any) {
	i, ok := m.at[hash]
	if !ok {
		return
	}
	m.keys = append(m.keys[:i:i], m.keys[i+1:]...)
	m.values = append(m.values[:i:i], m.values[i+1:]...)
	delete(m.at, hash)
	for h, j := range m.at {
		if j > i {
			m.at[h] = j - 1
		}
	}
}

func (m *Map) clone() *Map {
	c := &Map{keys: m.keys[:len(m.keys):len(m.keys)], values: append([]any(nil), m.values...), at: make(map[any]int, len(m.at))}
	for h, i := range m.at {
		c.at[h] = i
	}
	return c
}

// none is the hash of nil, bigHash that of an integer past int64, tupleHash that of a tuple.
type (
	none      struct{}
	bigHash   string
	tupleHash string
)

// hash gives what equal keys have in common; false if a value can be no key.
func (r *run) hash(v any) (any, bool) {
	switch x := v.(type) {
	case nil:
		return none{}, true
	case bool:
		return number(x), true
	case float64:
		if x == math.Trunc(x) && math.Abs(x) < 1<<62 {
			return int64(x), true
		}
		return x, true
	case markup:
		return string(x), true
	case *big.Int:
		return bigHash(x.String()), true
	case *tuple:
		for _, item := range x.items {
			if _, ok := r.hash(item); !ok {
				return nil, false
			}
		}
		return tupleHash(r.repr(x)), true
	case *list, *Map, *slice, *namespace:
		return nil, false
	case *undefined:
		r.needLax(x)
		return none{}, true
	}
	return v, true
}

func (r *run) mustHash(v any) any {
	h, ok := r.hash(v)
	if !ok {
		r.fail(nil, "unhashable type: '%s'", typeName(v))
	}
	return h
}

func (r *run) setItem(m *Map, key, value any) { m.put(r.mustHash(key), key, value) }

func (r *run) getItem(m *Map, key any) (any, bool) {
	i, ok := m.at[r.mustHash(key)]
	if !ok {
		return nil, false
	}
	return m.values[i], true
}
