package decoder

import "fmt"

// UnsupportedError says which setting of a model is not understood. Nothing can be computed or proved for it; its
// tensors can still be inspected and copied.
type UnsupportedError struct {
	What string // as: config.json: hidden_act "relu"
}

func (e *UnsupportedError) Error() string { return "decoder: " + e.What + " is not supported" }

func unsupported(format string, a ...any) error {
	return &UnsupportedError{What: fmt.Sprintf(format, a...)}
}

// TensorError says which tensor of which file is not what the config asks for.
type TensorError struct {
	File, Tensor string
	Want         []int  // the shape that config.json asks for
	Found        []int  // nil where the tensor is missing
	Note         string // what to do
}

func (e *TensorError) Error() string {
	switch {
	case e.Found == nil && e.Want == nil:
		return fmt.Sprintf("decoder: %s: tensor %q: %s", e.File, e.Tensor, e.Note)
	case e.Found == nil:
		return fmt.Sprintf("decoder: %s: tensor %q of shape %v is missing: %s", e.File, e.Tensor, e.Want, e.Note)
	}
	return fmt.Sprintf("decoder: %s: tensor %q has shape %v, config.json asks for %v: %s", e.File, e.Tensor, e.Found, e.Want, e.Note)
}
