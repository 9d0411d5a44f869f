package decoder

import (
	"fmt"
	"math"

	"shallow/checkpoint"
)

// Rope is a rotary position encoding: how fast each pair of channels turns, and by what cos and sin are multiplied.
//
// Frequencies and angles are rounded to float32 where the reference implementation rounds them: at position 4000 the
// rounding of a frequency turns a channel by more than float32 logits can hide.
type Rope struct {
	Dim   int     // channels of a head that turn
	Base  float64 // rope_theta
	Scale float64 // of cos and sin

	// Limit is the length beyond which frequencies depend on the length of the whole sequence; 0 is never.
	Limit int

	frequencies func(length int) []float32 // [Dim/2], radians a position
}

// scaling completes a Rope from the parameters of its rope_type. p is the object that holds them.
type scaling func(r *Rope, p *checkpoint.Config, s *Spec) error

// newRope reads rope_parameters, or rope_theta and rope_scaling with its key type or rope_type.
func newRope(c *checkpoint.Config, s *Spec) (Rope, error) {
	p, key := c.Sub("rope_parameters"), "rope_parameters"
	if p == nil {
		p, key = c.Sub("rope_scaling"), "rope_scaling"
	}
	r := Rope{Base: c.Float("rope_theta", 10000), Scale: 1}
	partial := c.Float("partial_rotary_factor", 1)
	kind := "default"
	if p != nil {
		r.Base = p.Float("rope_theta", r.Base)
		partial = p.Float("partial_rotary_factor", partial)
		kind = p.String("rope_type", p.String("type", "default"))
		for _, k := range p.Keys() {
			if p.Sub(k) != nil {
				return Rope{}, unsupported("config.json: %s.%s", key, k)
			}
		}
	}
	if !(r.Base > 1 && r.Base < 1e15) {
		return Rope{}, fmt.Errorf("decoder: config.json: rope_theta is %g, expected a number above 1", r.Base)
	}
	if r.Dim = int(float64(s.HeadSize) * partial); r.Dim < 2 || r.Dim > s.HeadSize || r.Dim%2 != 0 {
		return Rope{}, fmt.Errorf("decoder: config.json: partial_rotary_factor %g turns %d of %d channels, expected an even number", partial, r.Dim, s.HeadSize)
	}
	complete, ok := scalings[kind]
	if !ok {
		return Rope{}, unsupported("config.json: %s.rope_type %q", key, kind)
	}
	if p == nil {
		p = c
	}
	if err := complete(&r, p, s); err != nil {
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

func noScaling(r *Rope, _ *checkpoint.Config, _ *Spec) error {
	r.fix(plain(r.Base, r.Dim))
	return nil
}

// factorOf reads a scaling's factor.
func factorOf(p *checkpoint.Config) (float64, error) {
	f := p.Float("factor", 0)
	if !(f >= 1 && f < 1e6) {
		return 0, fmt.Errorf("decoder: config.json: rope scaling has factor %g, expected 1 or more", f)
	}
	return f, nil
}

// linearScaling divides all positions by a factor.
func linearScaling(r *Rope, p *checkpoint.Config, _ *Spec) error {
	factor, err := factorOf(p)
	fs := plain(r.Base, r.Dim)
	for j := range fs {
		fs[j] /= float32(factor)
	}
	r.fix(fs)
	return err
}

// dynamicScaling raises the base with the length of the sequence once that is beyond the context:
// base · (factor·T/max − (factor−1))^(dim/(dim−2)).
func dynamicScaling(r *Rope, p *checkpoint.Config, s *Spec) error {
	factor, err := factorOf(p)
	if r.Dim < 4 {
		return unsupported("config.json: dynamic rope scaling of %d channels", r.Dim)
	}
	base, dim, limit := r.Base, r.Dim, s.Context
	r.Limit = limit
	unscaled := plain(base, dim)
	r.frequencies = func(length int) []float32 {
		if length <= limit {
			return unscaled
		}
		// Rounded step by step as the reference implementation does.
		stretch := float32(float32(factor*float64(length))/float32(limit)) - float32(factor-1)
		stretch = float32(math.Pow(float64(stretch), float64(dim)/float64(dim-2)))
		return plain(float64(float32(base)*stretch), dim)
	}
	return err
}

// bandScaling divides slow frequencies by a factor, leaves fast ones, and goes smoothly from one to the other between
// two wavelengths that are fractions of the original context.
// Source: the rule that Meta published with its models of 128k tokens.
func bandScaling(r *Rope, p *checkpoint.Config, s *Spec) error {
	factor, err := factorOf(p)
	if err != nil {
		return err
	}
	low, high := p.Float("low_freq_factor", 0), p.Float("high_freq_factor", 0)
	context := float64(p.Int("original_max_position_embeddings", s.Context))
	if !(low > 0 && high > low) || context < 1 {
		return fmt.Errorf("decoder: config.json: rope scaling has low_freq_factor %g, high_freq_factor %g, original_max_position_embeddings %g: expected 0 < low < high, and a length", low, high, context)
	}
	fs := plain(r.Base, r.Dim)
	for j, f := range fs {
		wavelength := float32(2*math.Pi) / f
		slow := f / float32(factor)
		switch {
		case wavelength > float32(context/low):
			fs[j] = slow
		case wavelength >= float32(context/high):
			smooth := (float32(context)/wavelength - float32(low)) / float32(high-low)
			fs[j] = (1-smooth)*slow + smooth*f
		}
	}
	r.fix(fs)
	return nil
}

// yarnScaling mixes frequencies divided by a factor with unscaled ones, along a ramp between the channels that turn
// beta_slow and beta_fast times within the original context, and makes cos and sin longer.
// Source: Peng et al., 2023 (YaRN), section 3.2 and 3.4.
func yarnScaling(r *Rope, p *checkpoint.Config, s *Spec) error {
	factor, err := factorOf(p)
	if err != nil {
		return err
	}
	context := float64(p.Int("original_max_position_embeddings", s.Context))
	fast, slow := p.Float("beta_fast", 32), p.Float("beta_slow", 1)
	if !(slow > 0 && fast >= slow) || context < 1 {
		return fmt.Errorf("decoder: config.json: rope scaling has beta_slow %g, beta_fast %g, original_max_position_embeddings %g: expected 0 < slow <= fast, and a length", slow, fast, context)
	}
	r.Scale = yarnAttention(factor, 1)
	if m, all := p.Float("mscale", 0), p.Float("mscale_all_dim", 0); m != 0 && all != 0 {
		r.Scale = yarnAttention(factor, m) / yarnAttention(factor, all)
	}
	r.Scale = p.Float("attention_factor", r.Scale)

	// turning is the channel that turns so many times within the context.
	turning := func(times float64) float64 {
		return float64(r.Dim) * math.Log(context/(times*2*math.Pi)) / (2 * math.Log(r.Base))
	}
	first, last := turning(fast), turning(slow)
	if p.Bool("truncate", true) {
		first, last = math.Floor(first), math.Ceil(last)
	}
	first, last = max(first, 0), min(last, float64(r.Dim-1))
	if first == last {
		last += 0.001
	}
	fs := make([]float32, r.Dim/2)
	for j := range fs {
		ramp := (float32(j) - float32(first)) / float32(last-first)
		keep := 1 - min(max(ramp, 0), 1)
		whole := power(r.Base, j, r.Dim)
		fs[j] = 1/(float32(factor)*whole)*(1-keep) + 1/whole*keep
	}
	r.fix(fs)
	return nil
}

func yarnAttention(factor, scale float64) float64 {
	if factor <= 1 {
		return 1
	}
	return 0.1*scale*math.Log(factor) + 1
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
