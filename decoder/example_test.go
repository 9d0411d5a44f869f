package decoder_test

import (
	"fmt"
	"log"

	"shallow/checkpoint"
	"shallow/compute/cpu"
	"shallow/decoder"
)

// The loss of one sequence with two layers left out. One layer's weights are in memory at a time.
func Example() {
	losses, err := lossesWithout([]int{24, 25})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(losses)
}

func lossesWithout(drop []int) ([]float32, error) {
	c, err := checkpoint.Open("models/llama-2-7b")
	if err != nil {
		return nil, err
	}
	defer c.Close()
	dev, err := cpu.New(cpu.Options{})
	if err != nil {
		return nil, err
	}
	defer dev.Close()
	m, err := decoder.Open(dev, c, decoder.Options{})
	if err != nil {
		return nil, err
	}
	defer m.Close()

	g, err := m.Start([][]int{{1, 450, 7483, 310, 3444, 338}})
	if err != nil {
		return nil, err
	}
	defer g.Close()
	for layer, err := range m.Layers(drop) {
		if err != nil {
			return nil, err
		}
		g.Forward(layer) // g.X() is now what leaves the layer
	}
	head := m.Head()
	defer head.Release()
	return g.Losses(head)
}
