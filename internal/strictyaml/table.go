package strictyaml

import (
	"maps"
	"slices"
	"strings"
)

// Table says how each key of an object is read.
type Table map[string]func(*Node) error

// Read reads the keys of an object. One that is not in the table is refused with what unknown says of it, given the keys that are.
// prefix is what errors put before a key.
func (t Table) Read(m *Mapping, prefix string, unknown func(key string, keys []string) string) error {
	for _, key := range m.Keys {
		read, known := t[key]
		if !known {
			return m.At[key].Fail("%s%s: %s", prefix, key, unknown(key, slices.Sorted(maps.Keys(t))))
		}
		if err := read(m.At[key]); err != nil {
			return err
		}
	}
	return nil
}

// Nearest is the name that may have been meant by a word, "" where none is near. Of several it is the first by the alphabet.
func Nearest(word string, names []string) string {
	best, least := "", 1+max(2, len(word)/3)
	for _, name := range slices.Sorted(slices.Values(names)) {
		if d := distance(strings.ToLower(word), strings.ToLower(name)); d < least {
			best, least = name, d
		}
	}
	return best
}

// distance is how many letters must be put in, left out or changed to make b of a.
func distance(a, b string) int {
	const far = 64 // of texts that are no names
	if len(a) > far || len(b) > far {
		return far
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		corner := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := corner
			if a[i] != b[j] {
				change++
			}
			corner = row[j+1]
			row[j+1] = min(change, corner+1, row[j]+1)
		}
	}
	return row[len(b)]
}
