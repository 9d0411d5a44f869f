// Package pyrandom draws as Python's random.Random does: the 32-bit Mersenne Twister MT19937, seeded by an integer, and
// Python's ways from its words to samples. Few-shot examples and bootstrap draws of lm-evaluation-harness come from there, so
// that equal prompts need equal draws.
package pyrandom

import (
	"fmt"
	"math"
)

const (
	words = 624 // of the generator's state
	shift = 397
	upper = 1 << 31
)

// Random is one generator. It is not safe for concurrent use.
type Random struct {
	state [words]uint32
	next  int
}

// New is random.Random(seed).
func New(seed uint64) *Random {
	// Python cuts the integer into 32-bit words, the lowest first, at least one.
	key := []uint32{uint32(seed)}
	if high := uint32(seed >> 32); high != 0 {
		key = append(key, high)
	}
	r := &Random{next: words}
	r.seed(19650218)
	i, j := 1, 0
	for range max(words, len(key)) {
		r.state[i] = (r.state[i] ^ (r.state[i-1]^r.state[i-1]>>30)*1664525) + key[j] + uint32(j)
		if i++; i == words {
			r.state[0], i = r.state[words-1], 1
		}
		if j++; j == len(key) {
			j = 0
		}
	}
	for range words - 1 {
		r.state[i] = (r.state[i] ^ (r.state[i-1]^r.state[i-1]>>30)*1566083941) - uint32(i)
		if i++; i == words {
			r.state[0], i = r.state[words-1], 1
		}
	}
	r.state[0] = upper
	return r
}

func (r *Random) seed(s uint32) {
	r.state[0] = s
	for i := 1; i < words; i++ {
		r.state[i] = 1812433253*(r.state[i-1]^r.state[i-1]>>30) + uint32(i)
	}
}

// word is the next 32 bits.
func (r *Random) word() uint32 {
	if r.next == words {
		for i := range words {
			y := r.state[i]&upper | r.state[(i+1)%words]&(upper-1)
			r.state[i] = r.state[(i+shift)%words] ^ y>>1 ^ (y&1)*0x9908b0df
		}
		r.next = 0
	}
	y := r.state[r.next]
	r.next++
	y ^= y >> 11
	y ^= y << 7 & 0x9d2c5680
	y ^= y << 15 & 0xefc60000
	return y ^ y>>18
}

// Float is random(): a float64 of 53 random bits in [0, 1).
func (r *Random) Float() float64 {
	a, b := r.word()>>5, r.word()>>6
	return (float64(a)*(1<<26) + float64(b)) / (1 << 53)
}

// below is _randbelow: an integer in [0, n) for n from 1 to 2³¹.
func (r *Random) below(n int) int {
	bits := 0
	for k := n; k > 0; k >>= 1 {
		bits++
	}
	for {
		if v := int(r.word() >> (32 - bits)); v < n {
			return v
		}
	}
}

// Sample is sample(range(n), k): k different numbers of [0, n) in the order of their drawing.
func (r *Random) Sample(n, k int) ([]int, error) {
	if k < 0 || k > n {
		return nil, fmt.Errorf("a sample of %d is wanted of %d", k, n)
	}
	out := make([]int, k)
	// Python takes a pool or a set by size; the two draw differently.
	size := 21
	if k > 5 {
		size += int(math.Pow(4, math.Ceil(math.Log(float64(k*3))/math.Log(4))))
	}
	if n <= size {
		pool := make([]int, n)
		for i := range pool {
			pool[i] = i
		}
		for i := range out {
			j := r.below(n - i)
			out[i], pool[j] = pool[j], pool[n-i-1]
		}
		return out, nil
	}
	taken := map[int]bool{}
	for i := range out {
		j := r.below(n)
		for taken[j] {
			j = r.below(n)
		}
		taken[j], out[i] = true, j
	}
	return out, nil
}

// Choices is choices(range(n), k=k): k numbers of [0, n), each drawn anew. It fills out.
func (r *Random) Choices(n int, out []int) {
	for i := range out {
		out[i] = int(math.Floor(r.Float() * float64(n)))
	}
}
