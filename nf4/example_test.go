package nf4_test

import (
	"encoding/binary"
	"fmt"
	"log"
	"math"

	"shallow/checkpoint"
	"shallow/nf4"
)

// A matrix [2, 2] is one short block.
func ExampleQuantize() {
	var data []byte
	for _, v := range []float32{0.3, -0.6, 0.05, 0} {
		data = binary.LittleEndian.AppendUint32(data, math.Float32bits(v))
	}
	m, err := nf4.Quantize(checkpoint.F32, data, 2, 2, nf4.Options{})
	if err != nil {
		log.Fatal(err)
	}
	x := make([]float32, 4)
	m.Float32(x, 0)
	fmt.Printf("%x %v %.4f\n", m.Codes, m.Absmax, x)
	// Output: c087 [0.6] [0.2644 -0.6000 0.0477 0.0000]
}
