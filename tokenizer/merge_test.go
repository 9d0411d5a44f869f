package tokenizer

import (
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
)

// mergePlain is byte-pair encoding as it is defined: look for the lowest rank, the leftmost of equal ones, join, again.
func (m *bpe) mergePlain(symbols []uint32) []uint32 {
	for {
		best, at := uint32(noRank), -1
		for i := 0; i+1 < len(symbols); i++ {
			if rank := m.rank(symbols[i], symbols[i+1]); rank < best {
				best, at = rank, i
			}
		}
		if at < 0 {
			return symbols
		}
		symbols[at] = m.merges.also(symbols[at], symbols[at+1])
		symbols = slices.Delete(symbols, at+1, at+2)
	}
}

// The heap, the list of ranks, the cache and the seams change nothing.
func TestMergesEqualPlain(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, name := range []string{"llama2", "mistral-v3", "gpt2", "tiny-metaspace-first", "tiny-gemma-form"} {
		m := open(t, name).model.(*bpe)
		for range 300 {
			text := strings.ReplaceAll(randomText(r, 120)+strings.Repeat(string(rune('a'+r.IntN(3))), r.IntN(30)), " ", "▁")
			if text == "" {
				continue
			}
			e := &encoder{}
			m.split(e, text)
			symbols := slices.Clone(e.symbols)
			want := m.mergePlain(slices.Clone(symbols))
			blocks := func(n int) func(e *encoder) {
				return func(e *encoder) {
					if !m.mergeBlocks(e, n) {
						m.mergeLong(e)
					}
				}
			}
			for kind, merge := range map[string]func(*encoder){"long": m.mergeLong, "chosen": m.merge, "blocks of 3": blocks(3), "of 7": blocks(7), "of 40": blocks(40)} {
				e.symbols = slices.Clone(symbols)
				if merge(e); !slices.Equal(e.symbols, want) {
					t.Fatalf("%s, %s: %q: %v, want %v", name, kind, text, e.symbols, want)
				}
			}
			for range 2 { // the second time from the cache
				e.ids = nil
				if err := m.encode(e, text); err != nil {
					t.Fatal(err)
				}
				if !slices.EqualFunc(e.ids, want, func(a int, b uint32) bool { return a == int(b) }) {
					t.Fatalf("%s: %q: %v, want %v", name, text, e.ids, want)
				}
			}
		}
	}
}

func TestEncodeAtOnce(t *testing.T) {
	tok := open(t, "llama2")
	text := book(t)[:200_000]
	want := tok.Encode(text, true)
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			if !slices.Equal(tok.Encode(text, true), want) {
				t.Error("other ids in another goroutine")
			}
		})
	}
	group.Wait()
}
