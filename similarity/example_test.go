package similarity_test

import (
	"fmt"

	"shallow/similarity"
)

// Two sequences that went through a model of two layers: the second layer turns their last states less.
func ExampleReduce() {
	var tables []similarity.Table
	for _, states := range [][][]float32{
		{{1, 0}, {1, 1}, {1, 1.2}},
		{{0, 1}, {1, 1}, {1.3, 1}},
	} {
		table, err := similarity.Angles(states)
		if err != nil {
			fmt.Println(err)
			return
		}
		tables = append(tables, table)
	}
	d, err := similarity.Reduce(2, tables)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, b := range d.Best {
		fmt.Printf("n = %d: from layer %d on, %.3f\n", b.N, b.Start, b.Distance)
	}
	// Output:
	// n = 1: from layer 1 on, 0.035
	// n = 2: from layer 0 on, 0.285
}
