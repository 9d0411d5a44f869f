package decoder_test

import (
	"encoding/binary"
	"fmt"
	"math"
	"testing"

	"shallow/compute/cpu"
	"shallow/decoder"
)

// plainModel is the forward pass in float64, as the papers write it: no batches, no pages, no tiles, no tables.
type plainModel struct {
	weights          map[string]stored
	d, heads, kv, hd int
	eps, theta       float64
	window           func(layer int) int // 0 is none
	layers           int
}

func newPlainModel(t *testing.T, dir string) *plainModel {
	t.Helper()
	c := readConfig(t, dir)
	number := func(key string, def float64) float64 {
		if v, ok := c[key].(float64); ok {
			return v
		}
		return def
	}
	p := &plainModel{weights: readWeights(t, dir), d: int(number("hidden_size", 0)), heads: int(number("num_attention_heads", 0)),
		layers: int(number("num_hidden_layers", 0)), eps: number("rms_norm_eps", 0), theta: number("rope_theta", 0)}
	p.kv = int(number("num_key_value_heads", 0))
	p.hd = int(number("head_dim", float64(p.d/p.heads)))
	if r, ok := c["rope_parameters"].(map[string]any); ok {
		p.theta = r["rope_theta"].(float64)
	}
	deep := int(number("max_window_layers", 0))
	windowed := c["use_sliding_window"] != false
	p.window = func(layer int) int {
		if windowed && layer >= deep {
			return int(number("sliding_window", 0))
		}
		return 0
	}
	return p
}

// values widens a tensor; nil where it is absent.
func (p *plainModel) values(name string) []float64 {
	w := p.weights[name]
	var out []float64
	switch w.DType {
	case "F32":
		for i := 0; i < len(w.data); i += 4 {
			out = append(out, float64(math.Float32frombits(binary.LittleEndian.Uint32(w.data[i:]))))
		}
	case "BF16":
		for i := 0; i < len(w.data); i += 2 {
			out = append(out, float64(math.Float32frombits(uint32(binary.LittleEndian.Uint16(w.data[i:]))<<16)))
		}
	case "F16":
		for i := 0; i < len(w.data); i += 2 {
			h := binary.LittleEndian.Uint16(w.data[i:])
			sign, exponent, fraction := 1-2*float64(h>>15), int(h>>10&31), float64(h&1023)
			if exponent == 0 {
				out = append(out, sign*math.Ldexp(fraction, -24))
			} else {
				out = append(out, sign*math.Ldexp(fraction+1024, exponent-25))
			}
		}
	}
	return out
}

func (p *plainModel) norm(x []float64, weight []float64) []float64 {
	if weight == nil {
		return x
	}
	out := make([]float64, len(x))
	for g := 0; g < len(x); g += len(weight) {
		var sum float64
		for _, v := range x[g : g+len(weight)] {
			sum += v * v
		}
		r := 1 / math.Sqrt(sum/float64(len(weight))+p.eps)
		for j, w := range weight {
			out[g+j] = x[g+j] * r * w
		}
	}
	return out
}

func (p *plainModel) linear(name string, x []float64) []float64 {
	w, b := p.values(name+".weight"), p.values(name+".bias")
	out := make([]float64, len(w)/len(x))
	for i := range out {
		for j, v := range x {
			out[i] += w[i*len(x)+j] * v
		}
		if b != nil {
			out[i] += b[i]
		}
	}
	return out
}

func (p *plainModel) rotate(x []float64, position int) {
	for h := 0; h < len(x); h += p.hd {
		for j := range p.hd / 2 {
			angle := float64(position) * math.Pow(p.theta, -2*float64(j)/float64(p.hd))
			a, b := x[h+j], x[h+j+p.hd/2]
			x[h+j] = a*math.Cos(angle) - b*math.Sin(angle)
			x[h+j+p.hd/2] = b*math.Cos(angle) + a*math.Sin(angle)
		}
	}
}

// states gives the residual stream [L+1][T][D] of one sequence.
func (p *plainModel) states(ids []int) [][][]float64 {
	embedding := p.values("model.embed_tokens.weight")
	x := make([][]float64, len(ids))
	for t, id := range ids {
		x[t] = embedding[id*p.d : (id+1)*p.d]
	}
	all := [][][]float64{x}
	for l := range p.layers {
		at := fmt.Sprintf("model.layers.%d.", l)
		var keys, values [][]float64
		next := make([][]float64, len(x))
		for t := range x {
			h := p.norm(x[t], p.values(at+"input_layernorm.weight"))
			q := p.norm(p.linear(at+"self_attn.q_proj", h), p.values(at+"self_attn.q_norm.weight"))
			k := p.norm(p.linear(at+"self_attn.k_proj", h), p.values(at+"self_attn.k_norm.weight"))
			p.rotate(q, t)
			p.rotate(k, t)
			keys, values = append(keys, k), append(values, p.linear(at+"self_attn.v_proj", h))
			o := p.linear(at+"self_attn.o_proj", p.attention(q, keys, values, p.window(l)))
			y := make([]float64, p.d)
			for i := range y {
				y[i] = x[t][i] + o[i]
			}
			h = p.norm(y, p.values(at+"post_attention_layernorm.weight"))
			gate, up := p.linear(at+"mlp.gate_proj", h), p.linear(at+"mlp.up_proj", h)
			for i, g := range gate {
				gate[i] = g / (1 + math.Exp(-g)) * up[i]
			}
			for i, v := range p.linear(at+"mlp.down_proj", gate) {
				y[i] += v
			}
			next[t] = y
		}
		x = next
		all = append(all, x)
	}
	return all
}

func (p *plainModel) attention(q []float64, keys, values [][]float64, window int) []float64 {
	first := 0
	if window > 0 {
		first = max(0, len(keys)-window)
	}
	out := make([]float64, len(q))
	for h := range p.heads {
		kv := h / (p.heads / p.kv) * p.hd
		var total float64
		for t := first; t < len(keys); t++ {
			var score float64
			for j := range p.hd {
				score += q[h*p.hd+j] * keys[t][kv+j]
			}
			weight := math.Exp(score / math.Sqrt(float64(p.hd)))
			total += weight
			for j := range p.hd {
				out[h*p.hd+j] += weight * values[t][kv+j]
			}
		}
		for j := range p.hd {
			out[h*p.hd+j] /= total
		}
	}
	return out
}

// Sequences longer than a page, in pieces of an odd size.
func TestStatesEqualFloat64(t *testing.T) {
	for _, name := range []string{"llama-plain", "llama-gqa-tied", "llama-bias", "mistral-window", "qwen2", "qwen3"} {
		t.Run(name, func(t *testing.T) {
			e := readExpected(t, name)
			p := newPlainModel(t, e.dir)
			var want [][][][]float64
			m := openModel(t, e.dir, 2, decoder.Options{Precision: decoder.Float32, Rows: 61, Pack: true})
			sequences := randomSequences(m.Spec)[2:6]
			for _, ids := range sequences {
				want = append(want, p.states(ids))
			}
			states, g := runStates(t, m, sequences, nil)
			var worst float64
			for s := range sequences {
				for i := range states {
					var diff, top float64
					for row, lo := range span(g.Offsets()[s], g.Offsets()[s+1]) {
						for j, v := range want[s][i][row] {
							top = max(top, math.Abs(v))
							diff = max(diff, math.Abs(v-float64(states[i][lo*m.Spec.D+j])))
						}
					}
					if !(diff <= tolerance*top) {
						t.Errorf("sequence %d, boundary %d: differs by %.2g of %.2g", s, i, diff, top)
					}
					worst = max(worst, diff/top)
				}
			}
			t.Logf("largest deviation %.2g at %v", worst, cpu.Best())
		})
	}
}
