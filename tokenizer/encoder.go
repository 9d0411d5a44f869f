package tokenizer

import (
	"hash/maphash"
	"strings"
)

// encoder is the working memory of one Encode: its ids, and the words that were merged before. Every goroutine takes
// its own, so no lock is needed.
type encoder struct {
	ids     []int
	words   wordCache
	symbols []uint32
	links   []link
	heap    []uint64
	starts  []int32
	nodes   []node // Unigram's best paths
}

// The cache keeps words of at most cacheWord bytes in cacheSlots places; a word's hash says which, and a later word
// takes it over.
const (
	cacheSlots = 1 << 16
	cacheWord  = 64
)

type cachedWord struct {
	word string
	ids  []uint32
}

type wordCache struct {
	seed  maphash.Seed
	slots []cachedWord
}

// slot is the place of word, nil if words of its length are not kept.
func (c *wordCache) slot(word string) *cachedWord {
	if len(word) > cacheWord {
		return nil
	}
	if c.slots == nil {
		c.seed = maphash.MakeSeed()
		c.slots = make([]cachedWord, cacheSlots)
	}
	return &c.slots[maphash.String(c.seed, word)%cacheSlots]
}

// keep appends e.symbols to the ids and puts them into the cache.
func (e *encoder) keep(slot *cachedWord, word string) {
	for _, id := range e.symbols {
		e.ids = append(e.ids, int(id))
	}
	if slot != nil {
		*slot = cachedWord{strings.Clone(word), append([]uint32(nil), e.symbols...)}
	}
}
