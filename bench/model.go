package bench

import (
	"fmt"
	"math/rand/v2"
	"time"

	"shallow/compute"
	"shallow/decoder"
)

// Model is what a machine does with a model.
type Model struct {
	Name   string `json:"name"`
	Layers int    `json:"layers"`
	// Multiplied is the kind in which the products are multiplied.
	Multiplied string  `json:"multiplied"`
	Measure    Measure `json:"measure"`
	// Decode is missing where the weights do not fit the memory.
	Decode *Decode `json:"decode,omitempty"`
}

// Measure is the rate of taking sequences through the layers, as `shallow measure` does.
type Measure struct {
	Length       int     `json:"length"`         // tokens of a sequence
	Tokens       int     `json:"tokens"`         // that went through a layer at a time
	LayerSeconds float64 `json:"layer_seconds"`  // for those tokens
	PackSeconds  float64 `json:"pack_seconds"`   // to read and pack a layer's weights, once for a group of sequences
	TokensPerSec float64 `json:"tokens_per_sec"` // through all layers
	Limit        float64 `json:"limit"`          // tokens/s if there were nothing but the products
	Share        float64 `json:"share_of_limit"`
}

// Decode is the rate of generating one token after another for one sequence.
type Decode struct {
	TokensPerSec float64 `json:"tokens_per_sec"`
	StepBytes    int64   `json:"step_bytes"` // of the weights that a step reads
	Limit        float64 `json:"limit"`      // tokens/s if there were nothing but reading the weights
	Share        float64 `json:"share_of_limit"`
}

// MeasureRate times one layer of the model, in the middle, on tokens rows of sequences of a length. m must pack its layers.
func MeasureRate(m *decoder.Model, length, tokens, rounds int) (Measure, error) {
	length = min(length, m.Spec.Context)
	count := max(1, tokens/length)
	b := Measure{Length: length, Tokens: count * length}
	r := rand.New(rand.NewPCG(2, 2))
	var sequences [][]int
	for range count {
		sequences = append(sequences, randomIDs(r, m.Spec.V, length))
	}
	g, err := m.Start(sequences)
	if err != nil {
		return b, err
	}
	defer g.Close()

	var packs, layers, products []float64
	at := m.Spec.L / 2
	for round := range rounds + 1 { // the first warms up
		begin := time.Now()
		layer := m.Layer(at)
		pack := time.Since(begin).Seconds()
		begin = time.Now()
		g.Forward(layer)
		err := m.Device.Sync()
		forward := time.Since(begin).Seconds()
		layer.Release()
		if err != nil {
			return b, err
		}
		alone, err := productsAlone(m, at, min(b.Tokens, decoder.DefaultRows))
		if err != nil {
			return b, err
		}
		if round > 0 {
			packs, layers, products = append(packs, pack), append(layers, forward), append(products, alone)
		}
	}
	b.PackSeconds, b.LayerSeconds = median(packs), median(layers)
	b.TokensPerSec = float64(b.Tokens) / (b.LayerSeconds * float64(m.Spec.L))
	b.Limit = float64(min(b.Tokens, decoder.DefaultRows)) / (median(products) * float64(m.Spec.L))
	b.Share = b.TokensPerSec / b.Limit
	return b, nil
}

// productsAlone is the seconds of a layer's products with packed weights for a number of rows: nothing but them. Of a
// mixture's experts, each gets its even share of the rows.
func productsAlone(m *decoder.Model, layer, rows int) (float64, error) {
	dev, in := m.Device, m.Multiplies()
	r := rand.New(rand.NewPCG(3, 3))
	var seconds float64
	for _, w := range m.Spec.LayerWeights(layer) {
		if w.Rows == 0 {
			continue
		}
		plain := random(dev, r, in, w.Rows, w.Cols)
		packed := dev.Pack(plain, in)
		dev.Release(plain.Memory)
		rows := rows
		if w.Expert {
			rows = max(1, rows*m.Spec.Experts.Chosen/m.Spec.Experts.Count)
		}
		x, out := random(dev, r, compute.Float32, rows, w.Cols), dev.New(compute.Float32, rows, w.Rows)
		if err := dev.Sync(); err != nil {
			return 0, err
		}
		begin := time.Now()
		dev.MatMul(x, in, compute.Product{Out: out, W: packed})
		err := dev.Sync()
		seconds += time.Since(begin).Seconds()
		for _, t := range []compute.Tensor{packed, x, out} {
			dev.Release(t.Memory)
		}
		if err != nil {
			return 0, err
		}
	}
	return seconds, nil
}

// DecodeRate times steps of one token of one sequence, behind a short prompt, over weights that all lie in memory.
// bandwidth is in GB/s.
func DecodeRate(m *decoder.Model, steps int, bandwidth float64) (Decode, error) {
	var b Decode
	const prompt = 16
	stack, err := m.Resident(nil, false)
	if err != nil {
		return b, err
	}
	defer stack.Release()
	session, err := stack.NewSession(decoder.Room{Length: min(prompt+steps+1, m.Spec.Context)})
	if err != nil {
		return b, err
	}
	defer session.Release()
	seq, err := session.Open()
	if err != nil {
		return b, err
	}
	r := rand.New(rand.NewPCG(4, 4))
	if _, err := session.Feed(decoder.Step{Sequence: seq, IDs: randomIDs(r, m.Spec.V, prompt)}); err != nil {
		return b, fmt.Errorf("bench: prompt: %w", err)
	}
	var seconds []float64
	for step := range steps + 1 { // the first warms up
		begin := time.Now()
		if _, err := session.Feed(decoder.Step{Sequence: seq, IDs: randomIDs(r, m.Spec.V, 1)}); err != nil {
			return b, fmt.Errorf("bench: step %d: %w", step, err)
		}
		if step > 0 {
			seconds = append(seconds, time.Since(begin).Seconds())
		}
	}
	b.TokensPerSec = 1 / median(seconds)
	b.StepBytes = stack.Bytes()
	if bandwidth > 0 {
		b.Limit = bandwidth * 1e9 / float64(b.StepBytes)
		b.Share = b.TokensPerSec / b.Limit
	}
	return b, nil
}

func randomIDs(r *rand.Rand, v, n int) []int {
	ids := make([]int, n)
	for i := range ids {
		ids[i] = r.IntN(v)
	}
	return ids
}
