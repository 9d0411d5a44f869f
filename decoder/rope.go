package decoder

import (
	"fmt"
	"math"
	"slices"

	"shallow/checkpoint"
	"shallow/compute"
)

// Rope is a rotary position encoding: how fast each pair of channels turns, and by what cos and sin are multiplied.
//
// Frequencies and angles are rounded to float32 where the reference implementation rounds them: at position 4000 the
// rounding of a frequency turns a channel by more than float32 logits can hide.
type Rope struct {
	Kind  string // of attention that it is for, as "full_attention"; empty is any
	Dim   int    // channels of a head that turn
	Pairs compute.Pairs
	Base  float64 // rope_theta
	Scale float64 // of cos and sin

	// Limit is the length beyond which frequencies depend on the length of the whole sequence; 0 is never.
	Limit int
	// LogN is the length beyond which queries are multiplied by the logarithm of their position to this base; 0 is never.
	// Source: Su, 2021 (attention scaled by entropy).
	LogN int

	frequencies func(length int) []float32 // [Dim/2], radians a position
}

// scaling completes a Rope from the parameters of its rope_type. p is the object that holds them.
type scaling func(r *Rope, p *checkpoint.Config, c settings) error

// readRopes reads rope_parameters, or rope_theta and rope_scaling with its key type or rope_type. rope_parameters may hold
// an object for each kind of attention; families of old that have two kinds give the second base a key of its own.
func (s *Spec) readRopes(c settings) error {
	if c.family.names.Position != "" {
		for i := range s.Layers {
			s.Layers[i].Rope = -1
		}
		return nil
	}
	p := c.Sub("rope_parameters")
	if p == nil {
		p = c.Sub("rope_scaling")
	}
	if p == nil {
		p = c.Config
	}
	add := func(p *checkpoint.Config, kind string, base float64) error {
		r, err := s.newRope(c, p, base)
		r.Kind = kind
		s.Ropes = append(s.Ropes, r)
		return err
	}
	base := c.real("rope_theta")
	if kinds := attentionKinds(p); len(kinds) > 0 {
		for _, kind := range kinds {
			own := base
			if kind == windowed && c.family.windowBase != "" {
				own = c.real(c.family.windowBase)
			}
			if err := add(p.Sub(kind), kind, own); err != nil {
				return err
			}
		}
		return nil
	}
	if c.family.windowBase == "" {
		return add(p, "", base)
	}
	if err := add(p, full, base); err != nil {
		return err
	}
	unscaled, err := checkpoint.ParseConfig([]byte("{}"))
	if err != nil {
		return err
	}
	return add(unscaled, windowed, c.real(c.family.windowBase))
}

// attentionKinds are the kinds of attention that rope_parameters has an object for, in a fixed order.
func attentionKinds(p *checkpoint.Config) []string {
	var kinds []string
	for _, k := range p.Keys() {
		if p.Sub(k) != nil && (k == full || k == windowed) {
			kinds = append(kinds, k)
		}
	}
	slices.Sort(kinds)
	return kinds
}

// useRopes gives each layer the encoding of its kind of attention.
func (s *Spec) useRopes(types []string) error {
	s.typed = true
	for i, t := range types {
		at := slices.IndexFunc(s.Ropes, func(r Rope) bool { return r.Kind == "" || r.Kind == t })
		if at < 0 {
			return fmt.Errorf("decoder: config.json: rope_parameters has nothing for layer %d, whose attention is %q", i, t)
		}
		s.Layers[i].Rope = at
	}
	return nil
}

// newRope reads one encoding. p is the object of its parameters, or the whole config.
func (s *Spec) newRope(c settings, p *checkpoint.Config, base float64) (Rope, error) {
	r := Rope{Base: base, Scale: 1, Pairs: c.family.pairs}
	partial := c.real("partial_rotary_factor")
	kind := "default"
	if p != c.Config {
		r.Base = p.Float("rope_theta", r.Base)
		partial = p.Float("partial_rotary_factor", partial)
		kind = p.String("rope_type", p.String("type", "default"))
		for _, k := range p.Keys() {
			if p.Sub(k) != nil {
				return Rope{}, unsupported("config.json: %s within the parameters of rotary positions", k)
			}
		}
	}
	switch pairs := c.text("rope_pairs"); pairs {
	case "":
	case "neighbours":
		r.Pairs = compute.Neighbours
	default:
		return Rope{}, unsupported("config.json: rope_pairs %q", pairs)
	}
	if !(r.Base > 1 && r.Base < 1e15) {
		return Rope{}, fmt.Errorf("decoder: config.json: %s is %g, expected a number above 1", c.name("rope_theta"), r.Base)
	}
	if r.Dim = int(float64(s.HeadSize) * partial); r.Dim < 2 || r.Dim > s.HeadSize || r.Dim%2 != 0 {
		return Rope{}, fmt.Errorf("decoder: config.json: %s %g turns %d of %d channels, expected an even number", c.name("partial_rotary_factor"), partial, r.Dim, s.HeadSize)
	}
	if other, ok := c.family.scalings[kind]; ok {
		kind = other
	}
	complete, ok := scalings[kind]
	if !ok {
		return Rope{}, unsupported("config.json: rope_type %q", kind)
	}
	if err := complete(&r, p, c); err != nil {
		return Rope{}, err
	}
	return r, c.Err()
}

// plain are the unscaled frequencies base^(-2j/dim), one for each pair of channels j.
// Source: Su et al., 2021, section 3.2.2.
func plain(base float64, dim int) []float32 {
	fs := make([]float32, dim/2)
	for j := range fs {
		fs[j] = 1 / power(base, j, dim)
	}
	return fs
}

// power is base^(2j/dim) with exponent and result rounded to float32.
func power(base float64, j, dim int) float32 {
	return float32(math.Pow(base, float64(float32(2*j)/float32(dim))))
}

func (r *Rope) fix(fs []float32) {
	r.frequencies = func(int) []float32 { return fs }
}

// fill writes cos and sin, both [rows, Dim/2], of positions first, first+1, … of a sequence of the given length.
func (r *Rope) fill(cos, sin []float32, first, length int) {
	fs := r.frequencies(length)
	for i := 0; i < len(cos)/len(fs); i++ {
		for j, f := range fs {
			angle := float64(float32(first+i) * f)
			cos[i*len(fs)+j] = float32(math.Cos(angle)) * float32(r.Scale)
			sin[i*len(fs)+j] = float32(math.Sin(angle)) * float32(r.Scale)
		}
	}
}

// fillGrowth writes what queries at positions first, first+1, … are multiplied by.
func (r *Rope) fillGrowth(growth []float32, first int) {
	for i := range growth {
		growth[i] = 1
		if position := first + i; position >= r.LogN {
			growth[i] = float32(math.Log(float64(position+1)) / math.Log(float64(r.LogN)))
		}
	}
}
