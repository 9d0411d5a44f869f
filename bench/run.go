package bench

import (
	"fmt"
	"runtime"

	"shallow/compute"
	"shallow/decoder"
)

// Report is all that a run of the benchmark found.
type Report struct {
	System   string    `json:"system"` // operating system and architecture
	Device   string    `json:"device"`
	Threads  int       `json:"threads"`
	Portable bool      `json:"portable"` // whether there are no kernels for this processor, and portable Go computes
	Peak     []Peak    `json:"peak"`
	Read     float64   `json:"read_gb_per_sec"`
	Products []Product `json:"products"`
	Model    *Model    `json:"model,omitempty"`
}

// Peak is what the registers alone could do.
type Peak struct {
	Multiplied string  `json:"multiplied"`
	GFLOPS     float64 `json:"gflops"`
}

// Machine measures a device. The caller fills in what only it knows: Device's threads and whether it is portable.
func Machine(dev compute.Device, shapes []Shape, rounds int) (*Report, error) {
	b := &Report{System: runtime.GOOS + "/" + runtime.GOARCH, Device: dev.String()}
	if p, ok := dev.(Peaked); ok {
		kinds := []compute.Kind{compute.Float32}
		if dev.Multiplies(compute.BFloat16) == compute.BFloat16 {
			kinds = append(kinds, compute.BFloat16)
		}
		for _, in := range kinds {
			b.Peak = append(b.Peak, Peak{Multiplied: in.String(), GFLOPS: p.Peak(in)})
		}
		b.Read = p.ReadBandwidth()
	}
	for _, shape := range shapes {
		products, err := Products(dev, shape, rounds)
		if err != nil {
			return nil, fmt.Errorf("bench: %w", err)
		}
		b.Products = append(b.Products, products...)
	}
	return b, nil
}

// Options say how to benchmark a model.
type Options struct {
	Length, Tokens, Rounds, Steps int
	// Decode is whether to time decoding, for which all weights are read again and again.
	Decode    bool
	Bandwidth float64 // GB/s, for the limit of decoding
}

// Run benchmarks a model, whose layers must be opened for packing.
func Run(m *decoder.Model, name string, o Options) (*Model, error) {
	b := &Model{Name: name, Layers: m.Spec.L, Multiplied: m.Multiplies().String()}
	var err error
	if b.Measure, err = MeasureRate(m, o.Length, o.Tokens, o.Rounds); err != nil {
		return nil, fmt.Errorf("bench: measuring: %w", err)
	}
	if !o.Decode {
		return b, nil
	}
	d, err := DecodeRate(m, o.Steps, o.Bandwidth)
	if err != nil {
		return nil, err
	}
	b.Decode = &d
	return b, nil
}
