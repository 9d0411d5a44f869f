package decoder

import (
	"slices"

	"shallow/checkpoint"
)

// settings reads config.json under the names of one family: a key of the table stands for whatever the family calls it,
// an absent key means the family's default, and null means none: 0, false, "" or no list.
type settings struct {
	*checkpoint.Config
	family *family
}

// name is what config.json calls a key.
func (s settings) name(key string) string {
	if other, ok := s.family.keys[key]; ok {
		return other
	}
	if other, ok := s.family.orKeys[key]; ok && !slices.Contains(s.Keys(), key) {
		return other
	}
	return key
}

// given reports whether config.json has the key, null included.
func (s settings) given(key string) bool { return slices.Contains(s.Keys(), s.name(key)) }

// none reports whether config.json says null.
func (s settings) none(key string) bool { return s.given(key) && !s.Has(s.name(key)) }

// value is the family's default of a key, or that of all families.
func setting[T any](s settings, key string) T {
	var zero T
	if s.none(key) {
		return zero
	}
	if v, ok := s.family.defaults[key].(T); ok {
		return v
	}
	if v, ok := commonDefaults[key].(T); ok {
		return v
	}
	return zero
}

func (s settings) number(key string) int  { return s.Int(s.name(key), setting[int](s, key)) }
func (s settings) flag(key string) bool   { return s.Bool(s.name(key), setting[bool](s, key)) }
func (s settings) text(key string) string { return s.String(s.name(key), setting[string](s, key)) }

func (s settings) real(key string) float64 { return s.Float(s.name(key), setting[float64](s, key)) }
