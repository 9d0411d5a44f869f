package similarity

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"

	"shallow/internal/atomicfile"
)

// Distances is what a measurement found, and the content of distances.json.
type Distances struct {
	Version int    `json:"version"` // 1
	Tool    string `json:"tool,omitempty"`
	Model   Model  `json:"model"`
	Corpus  Corpus `json:"corpus"`
	Metric  string `json:"metric"` // "angular"
	// Layers is L, Sequences the number of sequences averaged over, Tokens the tokens in them.
	Layers    int `json:"layers"`
	Sequences int `json:"sequences"`
	Tokens    int `json:"tokens"`
	// Precision is the kind in which the weights were multiplied, as "bfloat16".
	Precision string `json:"precision,omitempty"`
	// Distances[n-1][ℓ] is d(ℓ, n), n from 1 to L, ℓ from 0 to L-n.
	Distances [][]float64 `json:"distances"`
	// Stderr is the standard error of each mean over sequences; zeros where there is one sequence.
	Stderr [][]float64 `json:"stderr"`
	// Best[n-1] is the block of n layers with the smallest distance, the last layer not spared.
	Best []Best `json:"best"`
	// Influence is measured over all tokens, unless it was switched off.
	Influence *Influence `json:"influence,omitempty"`
}

// Model says which checkpoint was measured.
type Model struct {
	Name       string `json:"name"`
	ConfigHash string `json:"config_hash,omitempty"` // SHA-256 of config.json
	Type       string `json:"type,omitempty"`        // model_type
	DType      string `json:"dtype,omitempty"`       // of the stored weights
}

// Corpus says which sequences were run.
type Corpus struct {
	Hash    string   `json:"hash,omitempty"` // SHA-256 of the token ids
	Files   []string `json:"files,omitempty"`
	Samples int      `json:"samples,omitempty"` // the most sequences taken
	Length  int      `json:"length,omitempty"`  // the most tokens of a sequence
}

// Best is the block of n layers, from Start on, that changes the residual stream least.
type Best struct {
	N        int     `json:"n"`
	Start    int     `json:"start"`
	Distance float64 `json:"distance"`
	// Next is the second best start; absent for n = L, where there is one only.
	Next *Next `json:"next,omitempty"`
	// Tie reports that the next start is within one standard error of the difference, so that other sequences may well
	// choose it. It is false where one sequence tells nothing about errors.
	Tie bool `json:"tie,omitempty"`
}

// Next is the start that comes second, and by how much.
type Next struct {
	Start int `json:"start"`
	// Difference is the mean over sequences of its distance less the best's, Stderr the standard error of that mean:
	// paired, so that what all sequences share cancels.
	Difference float64 `json:"difference"`
	Stderr     float64 `json:"stderr"`
}

// Influence is the block influence of single layers: the mean over all tokens of 1 - cos(x^(ℓ), x^(ℓ+1)).
// Source: Men et al., "ShortGPT", 2024, equation 1.
type Influence struct {
	Metric string `json:"metric"` // "1-cosine"
	Tokens int    `json:"tokens"`
	// Layers[ℓ] for ℓ from 0 on: L-1 of them, or L where the last layer was run over all tokens too.
	Layers []float64 `json:"layers"`
}

// maxLayers bounds what a file may claim; the deepest published models have some hundred layers.
const maxLayers = 4096

// maxFile bounds the size of a distances.json that is read.
const maxFile = 256 << 20

// Read reads and checks a distances.json. hash is the SHA-256 of its bytes, in hexadecimal.
func Read(name string) (d *Distances, hash string, err error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, "", fmt.Errorf("similarity: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, "", fmt.Errorf("similarity: %w", err)
	}
	if len(data) > maxFile {
		return nil, "", fmt.Errorf("similarity: %s: larger than %d MB; it is no distances.json", name, maxFile>>20)
	}
	if d, err = Parse(data); err != nil {
		return nil, "", fmt.Errorf("similarity: %s: %w", name, err)
	}
	sum := sha256.Sum256(data)
	return d, hex.EncodeToString(sum[:]), nil
}

// Parse reads the bytes of a distances.json and checks that the tables have the right shape and sensible values.
func Parse(data []byte) (*Distances, error) {
	d := new(Distances)
	dec := json.NewDecoder(bytes.NewReader(data))
	if err := dec.Decode(d); err != nil {
		return nil, fmt.Errorf("not a distances.json: %w", err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, fmt.Errorf("something follows the JSON object")
	}
	if err := d.check(); err != nil {
		return nil, err
	}
	return d, nil
}

// Write writes distances.json.
func (d *Distances) Write(name string) error {
	if err := d.check(); err != nil {
		return fmt.Errorf("similarity: %s: %w", name, err)
	}
	data, err := json.Marshal(d)
	if err != nil {
		return fmt.Errorf("similarity: %s: %w", name, err)
	}
	if err := atomicfile.Write(name, append(data, '\n')); err != nil {
		return fmt.Errorf("similarity: %w", err)
	}
	return nil
}

func (d *Distances) check() error {
	switch {
	case d.Version != 1:
		return fmt.Errorf("version is %d; this program reads version 1", d.Version)
	case d.Metric != "angular":
		return fmt.Errorf("metric is %q, not \"angular\"", d.Metric)
	case d.Layers < 1 || d.Layers > maxLayers:
		return fmt.Errorf("layers is %d, not between 1 and %d", d.Layers, maxLayers)
	case d.Sequences < 1 || d.Tokens < d.Sequences:
		return fmt.Errorf("%d sequences of %d tokens in all", d.Sequences, d.Tokens)
	}
	if err := checkTable("distances", d.Distances, d.Layers, 1); err != nil {
		return err
	}
	if err := checkTable("stderr", d.Stderr, d.Layers, math.MaxFloat64); err != nil {
		return err
	}
	if len(d.Best) != d.Layers {
		return fmt.Errorf("best has %d entries for %d layers", len(d.Best), d.Layers)
	}
	for i, b := range d.Best {
		if b.N != i+1 || b.Start < 0 || b.Start > d.Layers-b.N {
			return fmt.Errorf("best[%d] is a block of %d layers from layer %d on", i, b.N, b.Start)
		}
		if b.Next != nil && (b.Next.Start < 0 || b.Next.Start > d.Layers-b.N) {
			return fmt.Errorf("best[%d].next starts at layer %d", i, b.Next.Start)
		}
	}
	if in := d.Influence; in != nil {
		if len(in.Layers) != d.Layers && len(in.Layers) != d.Layers-1 {
			return fmt.Errorf("influence has %d layers of %d", len(in.Layers), d.Layers)
		}
		for l, v := range in.Layers {
			if !(v >= -1e-9 && v <= 2+1e-9) {
				return fmt.Errorf("influence of layer %d is %v, not between 0 and 2", l, v)
			}
		}
	}
	return nil
}

// checkTable checks that row n-1 has L-n+1 entries between 0 and limit.
func checkTable(name string, rows [][]float64, layers int, limit float64) error {
	if len(rows) != layers {
		return fmt.Errorf("%s has %d rows for %d layers", name, len(rows), layers)
	}
	for i, row := range rows {
		if len(row) != layers-i {
			return fmt.Errorf("%s[%d] has %d entries; blocks of %d of %d layers have %d starts",
				name, i, len(row), i+1, layers, layers-i)
		}
		for l, v := range row {
			if !(v >= 0 && v <= limit) {
				return fmt.Errorf("%s[%d][%d] is %v, out of range", name, i, l, v)
			}
		}
	}
	return nil
}
