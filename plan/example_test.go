package plan_test

import (
	"fmt"

	"shallow/plan"
)

// The paper's simple strategy on a model of 32 layers, a quarter of which go.
func ExampleDeepest() {
	n, err := plan.ParseDrop("25%", 32)
	if err != nil {
		fmt.Println(err)
		return
	}
	p, err := plan.Deepest(32, n)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(p)
	fmt.Print(p.LlamaCPP())
	// Output:
	// drops 8 of 32 layers, [23, 31): 23 24 25 26 27 28 29 30
	// 23,24,25,26,27,28,29,30
}
