package gguf

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"shallow/checkpoint"
)

// UnsupportedError says why a file can be pruned and listed but not run.
type UnsupportedError struct{ Reason string }

func (e *UnsupportedError) Error() string { return e.Reason }

func unsupported(format string, a ...any) error {
	return &UnsupportedError{fmt.Sprintf(format, a...)}
}

// Checkpoint shows a file of a known family and computable types as the Hugging Face checkpoint that it was made from, with
// two keys in config.json that no such checkpoint has: rope_pairs, where rotary pairs are neighbours, and the rope_type
// "factors". The error is an *UnsupportedError where the model cannot be run. The checkpoint has its own mapping of the
// file and outlives it.
func (f *File) Checkpoint() (*checkpoint.Checkpoint, error) {
	s, err := f.shape()
	if err != nil {
		return nil, err
	}
	family, ok := families[s.arch]
	if !ok {
		return nil, unsupported("gguf: %s: architecture %q is not run; those that are: %s", f.Path, s.arch, strings.Join(slices.Sorted(maps.Keys(families)), ", "))
	}
	parts, err := f.parts(s, family)
	if err != nil {
		return nil, err
	}
	config, err := f.config(s, family)
	if err != nil {
		return nil, err
	}
	return checkpoint.Assemble(f.Path, config, parts)
}

// Listing shows any file as a checkpoint that can be inspected and planned for but not run: tensors have GGUF's own names, and
// config.json says no more than how many layers there are.
func (f *File) Listing() (*checkpoint.Checkpoint, error) {
	s, err := f.shape()
	if err != nil {
		return nil, err
	}
	var parts []checkpoint.Tensor
	for _, t := range f.Tensors {
		parts = append(parts, t.part(t.Name))
	}
	config := fmt.Sprintf(`{"model_type":%q,"num_hidden_layers":%d,"num_nextn_predict_layers":%d}`, "GGUF "+s.arch, s.layers, s.behind)
	return checkpoint.Assemble(f.Path, []byte(config), parts)
}

// OpenCheckpoint opens a file as Checkpoint does, or as Listing does where the model cannot be run.
func OpenCheckpoint(path string) (*checkpoint.Checkpoint, error) {
	f, err := Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	c, err := f.Checkpoint()
	var cannot *UnsupportedError
	if errors.As(err, &cannot) {
		return f.Listing()
	}
	return c, err
}

// part is the tensor as a checkpoint has it: the dimensions the other way round.
func (t Tensor) part(name string) checkpoint.Tensor {
	shape := make([]int, len(t.Dims))
	for i, d := range t.Dims {
		shape[len(shape)-1-i] = int(d)
	}
	return checkpoint.Tensor{Name: name, DType: checkpoint.DType(t.Type.String()), Shape: shape, Offset: t.Offset, Length: t.Length}
}

// parts are the tensors under their Hugging Face names, without those that config.json speaks for.
func (f *File) parts(s shape, a family) ([]checkpoint.Tensor, error) {
	var parts []checkpoint.Tensor
	for _, t := range f.Tensors {
		if t.Name == ropeFactors {
			continue
		}
		name, ok := a.hubName(t.Name)
		if !ok {
			return nil, unsupported("gguf: %s: tensor %q of a %s is not known: the model cannot be run", f.Path, t.Name, s.arch)
		}
		switch t.Type {
		case F32, F16, BF16, Q8_0:
		default:
			return nil, unsupported("gguf: %s: tensor %q is %v; only F32, F16, BF16 and Q8_0 are computed: measure the model in one of them, the plan then fits this file too", f.Path, t.Name, t.Type)
		}
		parts = append(parts, t.part(name))
	}
	return parts, nil
}

// ropeFactors is the tensor that divides rotary frequencies.
const ropeFactors = "rope_freqs.weight"

// hubName is the Hugging Face name of a tensor of the families that are run.
func (a family) hubName(name string) (string, bool) {
	prefix, rest := "", name
	if layer, within, ok := layerOf(name); ok {
		prefix, rest = fmt.Sprintf("model.layers.%d.", layer), within
	}
	module, kind, _ := strings.Cut(rest, ".")
	hub, ok := a.names[module]
	return prefix + hub + "." + kind, ok && (kind == "weight" || kind == "bias") && (prefix == "") == (strings.HasPrefix(hub, "model.") || hub == "lm_head")
}
