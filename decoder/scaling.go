package decoder

import (
	"fmt"
	"math"

	"shallow/checkpoint"
)

// noScaling leaves the frequencies as the base gives them.
func noScaling(r *Rope, _ *checkpoint.Config, _ settings) error {
	r.fix(plain(r.Base, r.Dim))
	return nil
}

// factorOf reads a scaling's factor, def where it is absent or null.
func factorOf(p *checkpoint.Config, def float64) (float64, error) {
	f := p.Float("factor", def)
	if !(f >= 1 && f < 1e6) {
		return 0, fmt.Errorf("decoder: config.json: rope scaling has factor %g, expected 1 or more", f)
	}
	return f, nil
}

// stretch is how many times the context is longer than the original one.
func stretch(p *checkpoint.Config, c settings) float64 {
	return max(float64(c.number("max_position_embeddings"))/float64(originalContext(p, c)), 1)
}

// originalContext is the length that the model was trained for before it was stretched. Families that keep it beside
// the scaling believe that one first.
func originalContext(p *checkpoint.Config, c settings) int {
	const key = "original_max_position_embeddings"
	if _, ok := c.family.defaults[key]; ok {
		return max(c.number(key), 1)
	}
	return max(p.Int(key, c.number("max_position_embeddings")), 1)
}

// linearScaling divides all positions by a factor.
func linearScaling(r *Rope, p *checkpoint.Config, _ settings) error {
	factor, err := factorOf(p, 0)
	fs := plain(r.Base, r.Dim)
	for j := range fs {
		fs[j] /= float32(factor)
	}
	r.fix(fs)
	return err
}

// dynamicScaling raises the base with the length of the sequence once that is beyond the context:
// base · (factor·T/max − (factor−1))^(dim/(dim−2)).
func dynamicScaling(r *Rope, p *checkpoint.Config, c settings) error {
	factor, err := factorOf(p, 0)
	if r.Dim < 4 {
		return unsupported("config.json: dynamic rope scaling of %d channels", r.Dim)
	}
	base, dim, limit := r.Base, r.Dim, c.number("max_position_embeddings")
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
func bandScaling(r *Rope, p *checkpoint.Config, c settings) error {
	factor, err := factorOf(p, 0)
	if err != nil {
		return err
	}
	low, high := p.Float("low_freq_factor", 0), p.Float("high_freq_factor", 0)
	context := float64(originalContext(p, c))
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
func yarnScaling(r *Rope, p *checkpoint.Config, c settings) error {
	factor, err := factorOf(p, stretch(p, c))
	if err != nil {
		return err
	}
	context := float64(originalContext(p, c))
	fast, slow := p.Float("beta_fast", 0), p.Float("beta_slow", 0)
	if fast == 0 {
		fast = 32
	}
	if slow == 0 {
		slow = 1
	}
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

// longScaling divides each frequency by a factor of its own: one list for sequences within the original context, another
// for longer ones. cos and sin are longer in both.
// Source: Ding et al., 2024 (LongRoPE).
func longScaling(r *Rope, p *checkpoint.Config, c settings) error {
	context := originalContext(p, c)
	factor, err := factorOf(p, stretch(p, c))
	if err != nil {
		return err
	}
	if factor > 1 {
		r.Scale = math.Sqrt(1 + math.Log(factor)/math.Log(float64(context)))
	}
	r.Scale = p.Float("attention_factor", r.Scale)
	if !(r.Scale > 0 && r.Scale < 1e3) {
		return fmt.Errorf("decoder: config.json: rope scaling makes cos and sin %g times as long, expected a small positive number", r.Scale)
	}
	short, err := dividedBy(r, p, "short_factor")
	if err != nil {
		return err
	}
	long, err := dividedBy(r, p, "long_factor")
	if err != nil {
		return err
	}
	r.Limit = context
	r.frequencies = func(length int) []float32 {
		if length > context {
			return long
		}
		return short
	}
	return nil
}

// listedScaling divides each frequency by a factor of its own, at any length.
func listedScaling(r *Rope, p *checkpoint.Config, _ settings) error {
	fs, err := dividedBy(r, p, "factors")
	r.fix(fs)
	return err
}

// dividedBy is the plain frequencies divided by a list of factors.
func dividedBy(r *Rope, p *checkpoint.Config, key string) ([]float32, error) {
	factors := p.Floats(key)
	if len(factors) != r.Dim/2 {
		return nil, fmt.Errorf("decoder: config.json: rope scaling's %s has %d numbers for %d pairs of channels", key, len(factors), r.Dim/2)
	}
	fs := make([]float32, len(factors))
	for j, f := range factors {
		if fs[j] = 1 / (float32(f) * power(r.Base, j, r.Dim)); !(f > 0) || fs[j]-fs[j] != 0 {
			return nil, fmt.Errorf("decoder: config.json: rope scaling's %s has %g, expected positive numbers", key, f)
		}
	}
	return fs, nil
}

// doublingScaling raises the base in steps as a sequence grows past the context: base · α^(dim/(dim−2)) with
// α = 2^(⌈log₂(T/context)⌉+1) − 1.
// Source: bloc97 and emozilla, 2023 (dynamic NTK), rounded up to steps as the code of the models that use it does.
func doublingScaling(r *Rope, context int) error {
	if r.Dim < 4 {
		return unsupported("config.json: dynamic scaling of %d rotary channels", r.Dim)
	}
	base, dim := r.Base, r.Dim
	unscaled := plain(base, dim)
	r.Limit = context
	r.frequencies = func(length int) []float32 {
		if length <= context {
			return unscaled
		}
		alpha := math.Pow(2, math.Ceil(math.Log2(float64(length)/float64(context)))+1) - 1
		return plain(base*math.Pow(alpha, float64(dim)/float64(dim-2)), dim)
	}
	return nil
}
