package world_test

import (
	"fmt"

	"shallow/demo/world"
)

func Example() {
	w := world.New(1)
	for d := range w.Documents(1, 1, 2) {
		fmt.Println(d.Text + d.Prompt + d.Completion)
	}
	q := w.Facts(1)[0]
	fmt.Println(q.Question, q.Choices, q.Choices[q.Answer])
	// Output:
	// Article: Clara Nash has a house with a red door. The trade of Clara Nash is that of a tanner. She likes to eat soup. Clara Nash lives in Ashby. In July Clara Nash has her birthday. In the yard of Clara Nash there is a hen.
	// Question: What would Grace Cole eat every day?
	// Answer: cheese
	// Which month was Lucy Ford born in? [October January August November] January
}
