package heal

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"shallow/checkpoint"
	"shallow/compute"
	"shallow/decoder"
)

// Method is what is trained.
type Method string

// The methods.
const (
	LoRA Method = "lora" // adapters of low rank beside frozen weights
	Full Method = "full" // every weight
	Tail Method = "tail" // the last layers, the final norm and the head
	Join Method = "join" // the layers on both sides of the cut
)

// forWeights is a purpose of random numbers beside those of data and adapters.
const forWeights = 65

// modelFolder is where methods that train weights write the model, below the output.
const modelFolder = "model"

// newTrainee prepares what the method trains.
func (o *Options) newTrainee(m *decoder.Model) (*trainee, error) {
	if o.Method == LoRA || o.Method == "" {
		p, err := o.adapter(m)
		if err != nil {
			return nil, err
		}
		if o.Init != "" {
			o.initHash = p.hash()
		}
		t := newAdapters(m, p)
		for i := range p.Modules { // on the device until they are written
			p.Modules[i].A, p.Modules[i].B = nil, nil
		}
		return t, nil
	}
	if o.Init != "" {
		return nil, fmt.Errorf("heal: --init is an adapter, which --method %s does not train", o.Method)
	}
	want, err := o.weights(m)
	if err != nil {
		return nil, err
	}
	parameters, err := m.Parameters(want)
	if err != nil {
		return nil, err
	}
	t := &trainee{parameters: parameters}
	for _, p := range parameters {
		t.variables = append(t.variables, variable{name: p.Name, vector: p.Vector, value: p.Value, gradient: p.Gradient})
	}
	if o.FromScratch {
		return t, t.randomise(m, o.Seed)
	}
	return t, nil
}

// weights says which stored tensors the method trains.
func (o *Options) weights(m *decoder.Model) (func(name string) bool, error) {
	s := m.Spec
	var layers []int
	switch o.Method {
	case Full:
		return func(string) bool { return true }, nil
	case Tail:
		if o.TailLayers < 0 || o.TailLayers > s.L {
			return nil, fmt.Errorf("heal: the last %d of %d layers", o.TailLayers, s.L)
		}
		for i := s.L - o.TailLayers; i < s.L; i++ {
			layers = append(layers, i)
		}
	case Join:
		if o.Cut == nil {
			return nil, errors.New("heal: --method join trains the layers on both sides of a cut: plan.json is not beside the model, so give --cut")
		}
		for _, i := range []int{o.Cut.Layer - 1, o.Cut.Layer} {
			if i >= 0 && i < s.L {
				layers = append(layers, i)
			}
		}
	default:
		return nil, fmt.Errorf("heal: method %q is none of lora, full, tail, join", o.Method)
	}
	var names []string
	for _, i := range layers {
		names = append(names, m.LayerTensors(i)...)
	}
	if o.Method == Tail {
		names = append(names, s.FinalNormTensors()...)
		names = append(names, s.HeadWeight().Name)
	}
	return func(name string) bool { return slices.Contains(names, name) }, nil
}

// randomise gives every weight a value as if nothing had been learned: matrices normal with a deviation of 0.02, or the config's
// initializer_range, those that add to the residual stream less by the root of twice the layers, norms the identity, biases zero.
// Source: Radford et al., 2019, section 2.3.
func (t *trainee) randomise(m *decoder.Model, seed uint64) error {
	s, config := m.Spec, m.Checkpoint.Config.Decoder()
	usual := config.Float("initializer_range", 0.02)
	if err := config.Err(); err != nil || !(usual > 0 && usual < 1) {
		return errors.Join(err, fmt.Errorf("heal: config.json: an initializer_range of %g", usual))
	}
	for number, p := range t.parameters {
		x := make([]float32, p.Value.Rows*p.Value.Cols)
		deviation := usual
		if adds(s, p.Stored) {
			deviation /= math.Sqrt(2 * float64(s.L))
		}
		for i := range x {
			switch {
			case strings.HasSuffix(p.Stored, ".bias"):
			case p.Vector:
				x[i] = 1 - s.NormOffset
			default:
				x[i] = float32(deviation * normal(seed, uint64(number), uint64(i)))
			}
		}
		m.Device.Upload(p.Value, compute.Bytes(x))
	}
	return m.Device.Sync()
}

// adds reports whether a matrix's outputs are added to the residual stream.
func adds(s *decoder.Spec, name string) bool {
	return strings.HasSuffix(name, "."+s.Names.Output+".weight") || strings.HasSuffix(name, "."+s.Names.Down+".weight")
}

// normal is a number of the standard normal distribution. Source: Box and Muller, 1958.
func normal(seed, a, b uint64) float64 {
	unit := func(x uint64) float64 { return (float64(x>>11) + 0.5) / (1 << 53) }
	u, v := unit(random(seed, forWeights, a, 2*b)), unit(random(seed, forWeights, a, 2*b+1))
	return math.Sqrt(-2*math.Log(u)) * math.Cos(2*math.Pi*v)
}

// writeModel writes a checkpoint with the trained weights below dir, in the types that they had or in the one that is given.
func (t *trainee) writeModel(ctx context.Context, m *decoder.Model, dir string, given checkpoint.DType) (err error) {
	w, err := checkpoint.NewWriter(filepath.Join(dir, modelFolder), checkpoint.WriterOptions{Replace: true})
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.Abort())
		}
	}()
	trained := map[string]bool{}
	for _, p := range t.parameters {
		trained[p.Stored] = true
	}
	c := m.Checkpoint
	var outputs []checkpoint.Output
	for _, name := range c.Names() {
		x, _ := c.Tensor(name)
		out := checkpoint.Copy(x, name)
		if trained[name] {
			if given != "" {
				x.DType = given
			}
			out = checkpoint.Output{Name: name, DType: x.DType, Shape: x.Shape, Make: func() ([]byte, error) {
				values, err := m.Trained(name, t.parameters)
				if err != nil {
					return nil, err
				}
				return narrow(values, x.DType)
			}}
		}
		outputs = append(outputs, out)
	}
	if err := w.WriteTensors(ctx, outputs, 0, c.Metadata()); err != nil {
		return err
	}
	files := &merging{model: m}
	if given != "" {
		if files.config, err = c.Config.WithElementType(given); err != nil {
			return err
		}
	}
	if err := files.carry(ctx, w); err != nil {
		return err
	}
	if err := w.Sync(); err != nil {
		return err
	}
	return w.Commit()
}
