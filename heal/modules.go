package heal

import (
	"fmt"
	"hash/fnv"
	"math"
	"slices"
	"strings"

	"shallow/decoder"
)

// module is a matrix of the model that can have an adapter: the stored tensor's name without ".weight", and its sizes.
type module struct {
	name        string
	in, out     int
	feedForward bool
}

// modules lists the matrices of all layers that can have adapters, in the order in which data meets them. Matrices that one tensor
// holds are one.
func modules(s *decoder.Spec) []module {
	n := s.Names
	var all []module
	seen := map[string]bool{}
	for i := range s.L {
		for _, w := range s.AdaptableWeights(i) {
			if seen[w.Name] {
				continue
			}
			seen[w.Name] = true
			name := strings.TrimSuffix(w.Name, ".weight")
			shape := w.Shape()
			if w.Transposed {
				slices.Reverse(shape)
			}
			m := module{name: name, in: shape[1], out: shape[0]}
			for _, f := range []string{n.Gate, n.Up, n.Down, n.GateUp} {
				m.feedForward = m.feedForward || f != "" && name == s.LayerName(i, f)
			}
			all = append(all, m)
		}
	}
	return all
}

// chosen are the modules that --targets names: mlp, all, or the ends of names.
func chosen(all []module, targets string) ([]module, error) {
	ends := strings.Split(targets, ",")
	met := make([]bool, len(ends))
	var some []module
	for _, m := range all {
		take := targets == "all" || targets == "mlp" && m.feedForward
		for i, e := range ends {
			if m.name == e || e != "" && strings.HasSuffix(m.name, "."+e) {
				take, met[i] = true, true
			}
		}
		if take {
			some = append(some, m)
		}
	}
	if targets != "all" && targets != "mlp" {
		if i := slices.Index(met, false); i >= 0 {
			return nil, fmt.Errorf("heal: --targets: the model has no matrix that ends in %q; the first layer's are %s", ends[i], strings.Join(firstLayer(all), ", "))
		}
	}
	if len(some) == 0 {
		return nil, fmt.Errorf("heal: --targets %s: the model has no such matrix", targets)
	}
	return some, nil
}

func firstLayer(all []module) []string {
	var names []string
	for _, m := range all {
		name := layerNumber.ReplaceAllString(m.name, "")
		if slices.Contains(names, name) {
			break
		}
		names = append(names, name)
	}
	return names
}

// forAdapter is a purpose of random numbers beside those of the data.
const forAdapter = 64

// newAdapter is an adapter that changes nothing yet: B zero, A uniform within 1/√in. Source: He et al., 2015, with the slope √5 that
// PEFT takes. Element i of a module depends on the seed, the module's name and i alone.
func newAdapter(m module, rank int, alpha float64, seed uint64) LowRank {
	l := LowRank{Module: m.name, Rank: rank, Alpha: alpha, Scale: scaleOf(alpha, rank, false), In: m.in, Out: m.out,
		A: make([]float32, rank*m.in), B: make([]float32, m.out*rank)}
	h := fnv.New64a()
	h.Write([]byte(m.name))
	number := h.Sum64()
	bound := 1 / math.Sqrt(float64(m.in))
	for i := range l.A {
		unit := float64(random(seed, forAdapter, number, uint64(i))>>11) / (1 << 53)
		l.A[i] = float32((2*unit - 1) * bound)
	}
	return l
}

// fit finds each module of an adapter in the model, whatever prefix its name has, and compares sizes.
func (p *PEFT) fit(all []module) error {
	for i := range p.Modules {
		l := &p.Modules[i]
		var found []module
		for _, m := range all {
			if m.name == l.Module || strings.HasSuffix(m.name, "."+l.Module) || strings.HasSuffix(l.Module, "."+m.name) {
				found = append(found, m)
			}
		}
		if len(found) != 1 {
			return fmt.Errorf("heal: the adapter has module %q, the model has %d matrices of that name", l.Module, len(found))
		}
		m := found[0]
		if l.In != m.in || l.Out != m.out {
			return fmt.Errorf("heal: the adapter's module %q has %d inputs and %d outputs, the model's has %d and %d: it is another model's", l.Module, l.In, l.Out, m.in, m.out)
		}
		l.Module = m.name
	}
	return nil
}
