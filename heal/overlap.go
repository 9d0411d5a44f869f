package heal

import (
	"cmp"
	"math"
	"slices"
)

const (
	gram = 13 // tokens in a row that two documents share by chance no more. Source: Brown et al., 2020, appendix C
	// shortest is the length of the shortest document that can be found again, as a whole.
	shortest = 8
	// common is in how many documents a run of tokens may be before it is a phrase that tells nothing. Source: as above.
	common = 10
	// maxGrams bounds the memory for runs of tokens, 16 bytes each. Of more than that only a sample is looked for, which
	// finds a document that is copied as a whole as well.
	maxGrams = 1 << 22
)

// Overlap is a training document that has text of another document in it.
type Overlap struct {
	Source   string // of the training document
	Document int    // its number there, from 0
	Of       int    // the number of the other document, of which it has most
	Shared   int    // runs of 13 tokens (or whole documents of 8 to 12) that it has of others
}

// Overlaps are the training documents that have text of others in them.
type Overlaps struct {
	Documents int       // how many they are
	Others    int       // how many of the others are met
	Worst     []Overlap // those which share most, and of these the first
}

// Overlap finds the training documents that share 13 tokens in a row with one of others, such as the questions of an
// evaluation, encoded without special tokens. It keeps the worst limit of them.
func (d *Data) Overlap(others []Document, limit int) Overlaps {
	compact := make([][]int32, len(others))
	for i, x := range others {
		compact[i] = make([]int32, len(x.IDs))
		for j, id := range x.IDs {
			compact[i][j] = int32(id)
		}
	}
	return d.overlap(compact, limit)
}

// HeldOverlap finds the training documents that share 13 tokens in a row with one that is validated on.
func (d *Data) HeldOverlap(limit int) Overlaps {
	others := make([][]int32, len(d.held))
	for i, x := range d.held {
		others[i] = x.ids
	}
	return d.overlap(others, limit)
}

func (d *Data) overlap(others [][]int32, limit int) Overlaps {
	g := newGrams(others, maxGrams)
	var found Overlaps
	met := map[int32]bool{}
	for _, s := range d.sources {
		for _, x := range s.documents {
			shared := map[int32]int{}
			g.each(x.ids, func(other int32) { shared[other]++ })
			if len(shared) == 0 {
				continue
			}
			o := Overlap{Source: s.name, Document: int(x.number), Of: math.MaxInt}
			most := 0
			for other, n := range shared {
				met[other] = true
				o.Shared += n
				if n > most || n == most && int(other) < o.Of {
					most, o.Of = n, int(other)
				}
			}
			found.Documents++
			found.Worst = append(found.Worst, o)
		}
		if len(found.Worst) > limit {
			slices.SortStableFunc(found.Worst, func(a, b Overlap) int { return cmp.Compare(b.Shared, a.Shared) })
			found.Worst = found.Worst[:limit]
		}
	}
	slices.SortStableFunc(found.Worst, func(a, b Overlap) int { return cmp.Compare(b.Shared, a.Shared) })
	found.Others = len(met)
	return found
}

// grams are runs of tokens by their hashes, and a document that has each.
type grams struct {
	lengths []int // of the runs
	sample  uint64
	hashes  []uint64 // ascending
	of      []int32
	first   []int32 // [1<<16 + 1]: where the hashes begin whose upper bits are so
}

type hashed struct {
	hash uint64
	of   int32
}

// newGrams takes the runs of documents, or the share of them that a limit above 1 leaves room for: those whose hash ends in zeros.
func newGrams(documents [][]int32, limit int) *grams {
	g := &grams{}
	var all []hashed
	for i, ids := range documents {
		length := min(len(ids), gram)
		if length < shortest {
			continue
		}
		if !slices.Contains(g.lengths, length) {
			g.lengths = append(g.lengths, length)
		}
		roll(ids, length, func(hash uint64) {
			if hash&g.sample != 0 {
				return
			}
			if all = append(all, hashed{hash, int32(i)}); len(all) < limit {
				return
			}
			for all = distinct(all); len(all) > limit/2; {
				g.sample = g.sample<<1 | 1
				all = slices.DeleteFunc(all, func(h hashed) bool { return h.hash&g.sample != 0 })
			}
		})
	}
	for all = distinct(all); len(all) > 0; {
		n := 1
		for n < len(all) && all[n].hash == all[0].hash {
			n++
		}
		if n <= common {
			g.hashes, g.of = append(g.hashes, all[0].hash), append(g.of, all[0].of)
		}
		all = all[n:]
	}
	g.first = make([]int32, 1<<16+1)
	for _, h := range g.hashes {
		g.first[h>>48+1]++
	}
	for i := range 1 << 16 {
		g.first[i+1] += g.first[i]
	}
	return g
}

// distinct sorts runs and leaves each document's once: it may repeat itself.
func distinct(all []hashed) []hashed {
	slices.SortFunc(all, func(a, b hashed) int { return cmp.Or(cmp.Compare(a.hash, b.hash), cmp.Compare(a.of, b.of)) })
	return slices.Compact(all)
}

// each calls met for each run of ids that is known, with a document that has it.
func (g *grams) each(ids []int32, met func(of int32)) {
	for _, length := range g.lengths {
		roll(ids, length, func(hash uint64) {
			if hash&g.sample != 0 {
				return
			}
			begin, end := g.first[hash>>48], g.first[hash>>48+1]
			if i, ok := slices.BinarySearch(g.hashes[begin:end], hash); ok {
				met(g.of[int(begin)+i])
			}
		})
	}
}

// roll calls use with the hash of each run of so many ids: a polynomial in an odd base modulo 2^64, mixed with the length.
// Source: Karp and Rabin, 1987.
func roll(ids []int32, length int, use func(hash uint64)) {
	const base = 0x5851f42d4c957f2d
	highest := uint64(1) // the factor of the token that leaves
	for range length {
		highest *= base
	}
	sum := uint64(0)
	for i, id := range ids {
		sum = sum*base + token(id)
		if i >= length {
			sum -= highest * token(ids[i-length])
		}
		if i >= length-1 {
			use(mix(sum + uint64(length)))
		}
	}
}

// token is a token's digit.
func token(id int32) uint64 { return mix(uint64(uint32(id)) + 0x9e3779b97f4a7c15) }
