package nf4

import (
	"math"
	"slices"
)

// Block is the number of elements that share a scale, NestedBlock the number of scales that share theirs.
const (
	Block       = 64
	NestedBlock = 256
)

// values are what the codes stand for: quantiles of the normal distribution between -1 and 1, with an exact zero.
// Source: Dettmers et al., 2023, appendix E.
var values = [16]float32{
	-1, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453,
	-0.28444138169288635, -0.18477343022823334, -0.09105003625154495, 0,
	0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
	0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1,
}

// midpoints are half way between neighbouring values. A number's code is how many midpoints lie below it: a tie goes down.
var midpoints = func() (mid [15]float32) {
	for i := range mid {
		mid[i] = (values[i] + values[i+1]) / 2
	}
	return mid
}()

// bins cut [-1, 1] into pieces so narrow (1/16) that a piece holds one midpoint at most: the code of a number is its piece's,
// and one more where the number is above the midpoint.
var bins = func() (bins [64]bin) {
	for i := range bins {
		bins[i].midpoint = float32(math.Inf(1))
	}
	for _, mid := range midpoints {
		at := binOf(mid)
		bins[at].midpoint = mid
		for i := at + 1; i < len(bins); i++ {
			bins[i].code++
		}
	}
	return bins
}()

type bin struct {
	midpoint float32
	code     uint32 // of numbers up to the midpoint
}

// binOf is the piece in which v lies. It never falls as v grows, so that midpoints of lower pieces lie below v.
func binOf(v float32) int { return int(uint32(int32((v+1)*16)) & 63) }

// codeOf is the code of v in [-1, 1].
func codeOf(v float32) byte {
	b := &bins[binOf(v)]
	var above uint32
	if v > b.midpoint {
		above = 1
	}
	return byte(b.code + above)
}

// dynamicMap are the values of 8-bit scales, ascending: for each decade from 1e-6 to 1, twice as many evenly spaced values
// as for the decade before, of both signs, and 0 and 1. Within a decade they lie in the middle of equal parts of [0.1, 1].
// Source: Dettmers, "8-Bit Approximations for Parallelism in Deep Learning", 2016; the roundings are bitsandbytes'.
var dynamicMap = func() *[256]float32 {
	table := []float32{0, 1}
	for i := range 7 {
		decade := float32(math.Pow10(i - 6))
		edges := evenly(1<<i + 1)
		for j := range len(edges) - 1 {
			middle := (edges[j] + edges[j+1]) / 2
			table = append(table, decade*middle, -decade*middle)
		}
	}
	slices.Sort(table)
	return (*[256]float32)(table)
}()

// evenly are n numbers from 0.1 to 1 at equal distances, counted from the nearer end and rounded once, as PyTorch's linspace
// does where the processor has fused multiply-add; elsewhere some of its numbers are a unit in the last place off. The
// product of a float32 and a small integer, and its sum with an end, are exact in float64.
func evenly(n int) []float32 {
	const low, high float32 = 0.1, 1
	step := (high - low) / float32(n-1)
	edges := make([]float32, n)
	for i := range edges {
		if i < n/2 {
			edges[i] = float32(float64(low) + float64(step)*float64(i))
		} else {
			edges[i] = float32(float64(high) - float64(step)*float64(n-1-i))
		}
	}
	return edges
}

// dynamicMidpoints are half way between neighbours of dynamicMap.
var dynamicMidpoints = func() (mid [255]float32) {
	for i := range mid {
		mid[i] = 0.5 * (dynamicMap[i] + dynamicMap[i+1])
	}
	return mid
}()
