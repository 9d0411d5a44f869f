package similarity

import (
	"errors"
	"fmt"
	"math"
)

// Table is the distances of one sequence: row n-1, entry ℓ is d(ℓ, n).
type Table [][]float64

// Angles computes d(ℓ, n) of one sequence for all ℓ and n from its last token's states [L+1][D], the state that enters
// layer 0 first and the one that leaves the last layer last. Sums are float64. A state that is not finite, or zero
// throughout, is an error that names the layer it enters.
func Angles(states [][]float32) (Table, error) {
	layers := len(states) - 1
	if layers < 1 {
		return nil, errors.New("no layer between the states")
	}
	squares := make([]float64, len(states))
	for l, x := range states {
		squares[l] = dot(x, x)
		if math.IsNaN(squares[l]) || math.IsInf(squares[l], 0) {
			return nil, fmt.Errorf("the state %s is not finite", boundary(l, layers))
		}
		if squares[l] == 0 {
			return nil, fmt.Errorf("the state %s is zero, so it has no angle", boundary(l, layers))
		}
	}
	t := newTable(layers)
	for n := 1; n <= layers; n++ {
		for l := range t[n-1] {
			// One root of the product: of equal states the cosine is then exactly 1.
			cos := dot(states[l], states[l+n]) / math.Sqrt(squares[l]*squares[l+n])
			t[n-1][l] = math.Acos(max(-1, min(1, cos))) / math.Pi
		}
	}
	return t, nil
}

// boundary names the place of state ℓ of L+1.
func boundary(l, layers int) string {
	if l == layers {
		return fmt.Sprintf("that leaves layer %d", l-1)
	}
	return fmt.Sprintf("that enters layer %d", l)
}

func newTable(layers int) Table {
	t := make(Table, layers)
	for i := range t {
		t[i] = make([]float64, layers-i)
	}
	return t
}

func dot(a, b []float32) float64 {
	var s float64
	for i, x := range a {
		s += float64(x) * float64(b[i])
	}
	return s
}

// Reduce averages tables of sequences of a model with the given number of layers, in their order, and finds the best
// blocks. It fills Layers, Sequences, Distances, Stderr and Best.
func Reduce(layers int, tables []Table) (*Distances, error) {
	if len(tables) == 0 {
		return nil, errors.New("similarity: no sequences to average over")
	}
	d := &Distances{
		Version: 1, Metric: "angular", Layers: layers, Sequences: len(tables),
		Distances: newTable(layers), Stderr: newTable(layers), Best: make([]Best, layers),
	}
	sample := make([]float64, len(tables))
	for i := range layers {
		for l := range d.Distances[i] {
			for s, t := range tables {
				sample[s] = t[i][l]
			}
			d.Distances[i][l], d.Stderr[i][l] = meanError(sample)
		}
		d.Best[i] = best(i+1, d.Distances[i], tables)
	}
	return d, nil
}

// best is the start with the smallest mean distance, the lower of equal ones, and how sure it is.
func best(n int, row []float64, tables []Table) Best {
	first, second := 0, -1
	for l := 1; l < len(row); l++ {
		switch {
		case row[l] < row[first]:
			first, second = l, first
		case second < 0 || row[l] < row[second]:
			second = l
		}
	}
	b := Best{N: n, Start: first, Distance: row[first]}
	if second < 0 {
		return b
	}
	differences := make([]float64, len(tables))
	for s, t := range tables {
		differences[s] = t[n-1][second] - t[n-1][first]
	}
	mean, err := meanError(differences)
	b.Next = &Next{Start: second, Difference: mean, Stderr: err}
	b.Tie = len(tables) > 1 && mean <= err
	return b
}

// meanError is the mean of a sample and its standard error, 0 for a sample of one.
func meanError(sample []float64) (mean, stderr float64) {
	for _, v := range sample {
		mean += v
	}
	n := float64(len(sample))
	mean /= n
	if len(sample) < 2 {
		return mean, 0
	}
	var squares float64
	for _, v := range sample {
		squares += (v - mean) * (v - mean)
	}
	return mean, math.Sqrt(squares / (n - 1) / n)
}
