package tokenizer

import "math/bits"

// pairTable maps pairs of numbers to a number, or to two: a hash table with open addressing, at most half full.
type pairTable struct {
	entries []pairEntry
	shift   uint
}

type pairEntry struct {
	key   uint64 // left<<32 | right, plus one; 0 is free
	value uint32
	also  uint32 // the second number: what a merge makes of the pair
}

func newPairTable(size int) pairTable {
	log := max(bits.Len(uint(2*size)), 4)
	return pairTable{make([]pairEntry, 1<<log), uint(64 - log)}
}

// slot is the place of a key or the free one where it belongs.
func (t *pairTable) slot(key uint64) *pairEntry {
	i := int(key * 0x9e3779b97f4a7c15 >> t.shift)
	for {
		e := &t.entries[i]
		if e.key == key || e.key == 0 {
			return e
		}
		i = (i + 1) & (len(t.entries) - 1)
	}
}

func pairKey(left, right uint32) uint64 { return uint64(left)<<32 | uint64(right) + 1 }

func (t *pairTable) set(left, right, value uint32) {
	key := pairKey(left, right)
	*t.slot(key) = pairEntry{key: key, value: value}
}

func (t *pairTable) setBoth(left, right, value, also uint32) {
	key := pairKey(left, right)
	*t.slot(key) = pairEntry{key, value, also}
}

func (t *pairTable) get(left, right uint32) (value uint32, ok bool) {
	e := t.slot(pairKey(left, right))
	return e.value, e.key != 0
}

// also is the second number of a pair that the table has.
func (t *pairTable) also(left, right uint32) uint32 { return t.slot(pairKey(left, right)).also }
