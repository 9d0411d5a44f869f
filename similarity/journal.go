package similarity

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"

	"shallow/decoder"
	"shallow/internal/atomicfile"
)

// journal is what is known of the sequences so far, in their order. It is written after each group, and a later run with
// the same key goes on behind it. Nothing in it depends on how the sequences were grouped.
type journal struct {
	Key       string     `json:"key"`
	Sequences []sequence `json:"sequences"`
}

// sequence is what was measured of one sequence.
type sequence struct {
	Distances Table `json:"distances"`
	// Influence[ℓ] is the sum over tokens of 1 - cos(x^(ℓ), x^(ℓ+1)).
	Influence []float64 `json:"influence,omitempty"`
}

// readJournal reads the journal of a run with this key. One of another run, or a damaged one, counts as none.
func readJournal(name, key string, layers, influence, sequences int) *journal {
	fresh := &journal{Key: key}
	if name == "" {
		return fresh
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return fresh
	}
	j := new(journal)
	if json.Unmarshal(data, j) != nil || j.Key != key || len(j.Sequences) > sequences {
		return fresh
	}
	for _, s := range j.Sequences {
		if len(s.Influence) != influence || checkTable("journal", s.Distances, layers, 1) != nil {
			return fresh
		}
	}
	return j
}

func (j *journal) write(name string) error {
	if name == "" {
		return nil
	}
	data, err := json.Marshal(j)
	if err != nil {
		return fmt.Errorf("similarity: %s: %w", name, err)
	}
	if err := atomicfile.Write(name, data); err != nil {
		return fmt.Errorf("similarity: the journal: %w", err)
	}
	return nil
}

// runKey names everything that a sequence's figures depend on: the model, tokens, the kind of the products, the kernels and
// the scope of the influence.
func runKey(m *decoder.Model, sequences [][]int, o Options) (string, error) {
	model, err := m.Checkpoint.Fingerprint()
	if err != nil {
		return "", fmt.Errorf("similarity: %w", err)
	}
	h := sha256.New()
	fmt.Fprintln(h, "journal 2", model, m.Multiplies(), o.Kernels, o.Influence, hashIDs(sequences))
	return hex.EncodeToString(h.Sum(nil)), nil
}

// hashIDs is the SHA-256 of token ids, one sequence a line.
func hashIDs(sequences [][]int) string {
	h := sha256.New()
	for _, ids := range sequences {
		fmt.Fprintln(h, ids)
	}
	return hex.EncodeToString(h.Sum(nil))
}
