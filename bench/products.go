// Package bench measures what a machine does and what that means for a model: matrix products by kind of weight, the
// memory's read bandwidth, and the tokens per second of measuring and of decoding.
//
// Figures are medians of interleaved rounds. A shared machine is noisy: compare ratios of one run, not runs.
package bench

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"shallow/compute"
)

// Shape is a product x [M, K] times a weight [N, K].
type Shape struct {
	M int `json:"m"`
	K int `json:"k"`
	N int `json:"n"`
}

// maxSide bounds M, K and N, so that a mistyped shape does not take all memory.
const maxSide = 1 << 16

// ParseShape reads a shape as MxKxN, for example 512x2048x5632.
func ParseShape(text string) (Shape, error) {
	var sides []int
	for part := range strings.SplitSeq(text, "x") {
		n, err := strconv.Atoi(part)
		if err != nil || n < 1 || n > maxSide {
			return Shape{}, fmt.Errorf("bench: shape %q: expected MxKxN, each from 1 to %d, as 512x2048x5632", text, maxSide)
		}
		sides = append(sides, n)
	}
	if len(sides) != 3 {
		return Shape{}, fmt.Errorf("bench: shape %q has %d numbers, expected MxKxN, as 512x2048x5632", text, len(sides))
	}
	return Shape{M: sides[0], K: sides[1], N: sides[2]}, nil
}

// flops is the work of one product.
func (s Shape) flops() float64 { return 2 * float64(s.M) * float64(s.K) * float64(s.N) }

// DefaultShape is the up projection of a model of 1.1 billion parameters, for 512 tokens.
var DefaultShape = Shape{M: 512, K: 2048, N: 5632}

// Product is the rate of one kind of product.
type Product struct {
	Shape
	Weights    string  `json:"weights"`    // kind of the stored weight
	Multiplied string  `json:"multiplied"` // kind in which the products are multiplied
	Packed     bool    `json:"packed"`     // whether the weight was packed beforehand
	GFLOPS     float64 `json:"gflops"`
	Best       float64 `json:"best"`
	Share      float64 `json:"share_of_peak,omitempty"`
}

// Peaked is a device that knows what its registers alone could do, in GFLOP/s, and how fast it reads memory, in GB/s.
type Peaked interface {
	Peak(in compute.Kind) float64
	ReadBandwidth() float64
}

// Products measures the products of every kind of weight at a shape.
func Products(dev compute.Device, shape Shape, rounds int) ([]Product, error) {
	type run struct {
		Product
		product compute.Product
		in      compute.Kind
		rates   []float64
	}
	r := rand.New(rand.NewPCG(1, 1))
	x := random(dev, r, compute.Float32, shape.M, shape.K)
	out := dev.New(compute.Float32, shape.M, shape.N)
	defer dev.Release(x.Memory)
	defer dev.Release(out.Memory)
	var runs []*run
	add := func(kind, in compute.Kind, pack bool) {
		w := random(dev, r, kind, shape.N, shape.K)
		if pack {
			plain := w
			w = dev.Pack(plain, in)
			dev.Release(plain.Memory)
		}
		runs = append(runs, &run{
			Product: Product{Shape: shape, Weights: kind.String(), Multiplied: in.String(), Packed: pack},
			product: compute.Product{Out: out, W: w}, in: in,
		})
	}
	add(compute.Float32, compute.Float32, false)
	add(compute.Float32, compute.Float32, true)
	add(compute.BFloat16, compute.Float32, false)
	add(compute.Float16, compute.Float32, false)
	add(compute.NF4, compute.Float32, false)
	if dev.Multiplies(compute.BFloat16) == compute.BFloat16 {
		add(compute.BFloat16, compute.BFloat16, false)
		add(compute.BFloat16, compute.BFloat16, true)
		add(compute.NF4, compute.BFloat16, false)
	}
	for round := range rounds + 1 { // the first warms up
		for _, r := range runs {
			begin := time.Now()
			dev.MatMul(x, r.in, r.product)
			if err := dev.Sync(); err != nil {
				return nil, err
			}
			if round > 0 {
				r.rates = append(r.rates, shape.flops()/time.Since(begin).Seconds()/1e9)
			}
		}
	}
	peaks := map[compute.Kind]float64{}
	if p, ok := dev.(Peaked); ok {
		peaks[compute.Float32], peaks[compute.BFloat16] = p.Peak(compute.Float32), p.Peak(compute.BFloat16)
	}
	var products []Product
	for _, r := range runs {
		dev.Release(r.product.W.Memory)
		r.GFLOPS, r.Best = median(r.rates), slices.Max(r.rates)
		if peak := peaks[r.in]; peak > 0 {
			r.Share = r.GFLOPS / peak
		}
		products = append(products, r.Product)
	}
	return products, nil
}

// random makes a tensor of small random numbers of a kind.
func random(dev compute.Device, r *rand.Rand, kind compute.Kind, rows, cols int) compute.Tensor {
	n := rows * cols
	if kind == compute.NF4 {
		codes, absmax := make([]byte, (n+1)/2), make([]float32, (n+compute.NF4Block-1)/compute.NF4Block)
		for i := range codes {
			codes[i] = byte(r.Uint32())
		}
		for i := range absmax {
			absmax[i] = r.Float32()
		}
		return dev.LoadNF4(rows, cols, codes, absmax)
	}
	if kind == compute.Float32 {
		values := make([]float32, n)
		for i := range values {
			values[i] = r.Float32() - 0.5
		}
		return dev.Load(kind, rows, cols, compute.Bytes(values))
	}
	// Any sign and mantissa with an exponent that makes the number about one half, in either 16-bit kind.
	keep, set := uint16(0x807f), uint16(0x3f00)
	if kind == compute.Float16 {
		keep, set = 0x83ff, 0x3800
	}
	values := make([]uint16, n)
	for i := range values {
		values[i] = uint16(r.Uint32())&keep | set
	}
	return dev.Load(kind, rows, cols, compute.Bytes(values))
}

func median(s []float64) float64 {
	s = slices.Sorted(slices.Values(s))
	return (s[(len(s)-1)/2] + s[len(s)/2]) / 2
}
