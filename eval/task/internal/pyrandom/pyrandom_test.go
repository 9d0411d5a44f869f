package pyrandom_test

import (
	"slices"
	"testing"

	"shallow/eval/task/internal/pyrandom"
)

// The numbers are Python 3.11's.
func TestDraws(t *testing.T) {
	for _, c := range []struct {
		seed    uint64
		floats  []float64
		samples [][]int // of the sizes below, in this order
		choices []int
		last    []int // the last three of 300 of 7473
	}{
		{0, []float64{0.8444218515250481, 0.7579544029403025}, [][]int{{3445, 331, 2121, 4188, 3980}, {3317, 6420, 6798, 2484, 3904}, {5, 3, 2, 7}, {17, 96, 12, 79, 32, 68, 90, 77}, {4, 9, 3, 2, 10, 15}, {71, 12, 45, 55, 40, 78}}, []int{6, 2, 5, 4, 5, 0}, []int{383, 1357, 3648}},
		{1234, []float64{0.9664535356921388, 0.4407325991753527}, [][]int{{61, 742, 7462, 6610, 4769}, {286, 5501, 5677, 687, 806}, {5, 3, 0, 7}, {2, 44, 82, 79, 61, 78, 59, 19}, {2, 5, 3, 0, 16, 15}, {31, 8, 69, 59, 83, 76}}, []int{6, 5, 0, 8, 0, 3}, []int{2446, 5583, 5620}},
		{1099511627783, []float64{0.6137037779936511, 0.8149162973309487}, [][]int{{5238, 4672, 5780, 3898, 2054}, {5042, 1038, 4233, 3074, 4270}, {5, 6, 7, 3}, {47, 28, 56, 96, 76, 23, 17, 94}, {16, 18, 5, 1, 8, 2}, {47, 17, 16, 73, 75, 3}}, []int{8, 9, 9, 0, 2, 4}, []int{6570, 6540, 2034}},
	} {
		r := pyrandom.New(c.seed)
		for i, want := range c.floats {
			if got := r.Float(); got != want {
				t.Errorf("seed %d: float %d is %v, want %v", c.seed, i, got, want)
			}
		}
		for i, n := range []int{7473, 7473, 10, 100, 22, 85} {
			want := c.samples[i]
			got, err := r.Sample(n, len(want))
			if err != nil || !slices.Equal(got, want) {
				t.Errorf("seed %d: sample %d of %d is %v, want %v (%v)", c.seed, len(want), n, got, want, err)
			}
		}
		got := make([]int, len(c.choices))
		if r.Choices(10, got); !slices.Equal(got, c.choices) {
			t.Errorf("seed %d: choices are %v, want %v", c.seed, got, c.choices)
		}
		if got, err := r.Sample(7473, 300); err != nil || !slices.Equal(got[297:], c.last) {
			t.Errorf("seed %d: a long sample ends in %v, want %v (%v)", c.seed, got[297:], c.last, err)
		}
	}
	if _, err := pyrandom.New(1).Sample(3, 4); err == nil {
		t.Error("a sample larger than its range is drawn")
	}
}
