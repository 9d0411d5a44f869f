package decoder

import (
	"fmt"
	"slices"
	"strings"
)

// Names are a family's tensor names, without ".weight" and ".bias". All but Head follow Base; those of a layer follow
// Layer too, a format with one %d. An empty name means that the family has no such tensor.
type Names struct {
	Base string

	Embedding, Position, FinalNorm string
	Head                           string

	Layer                           string
	AttentionNorm, AttentionOutNorm string // before and after attention
	MLPNorm, MLPOutNorm             string // before and after the feed-forward network

	Query, Key, Value string // or QKV, which holds all three
	QKV               string
	QKVByHead         bool // QKV holds query, key and value of one head after another; else of all heads
	Output            string
	QueryNorm         string
	KeyNorm           string

	Gate, Up, Down string
	GateUp         string // holds gate and up

	Router                           string
	ExpertGate, ExpertUp, ExpertDown string // with a %d for the expert
	SharedRouter                     string // of the shared expert's weight
	SharedGate, SharedUp, SharedDown string

	Transposed bool // the layers' matrices are stored [in, out]
}

// Weight is a tensor that the model needs: its name in the checkpoint and its shape. A vector has Rows 0.
type Weight struct {
	Name       string
	Rows, Cols int

	// Of, where it is not 0, is the number of rows of the stored tensor (elements of a vector) that holds this weight
	// beside others: runs of Run rows, the first one at First, the next Every rows on.
	Of, First, Run, Every int
	Transposed            bool // stored [Cols, Rows]

	Expert bool // of one of many experts: a row of activations meets only some
	router bool // too small to be worth 4 bits, and too delicate
}

// length is the number of rows of a matrix, of elements of a vector.
func (w Weight) length() int {
	if w.Rows == 0 {
		return w.Cols
	}
	return w.Rows
}

// Shape is the shape of the stored tensor as a checkpoint spells it.
func (w Weight) Shape() []int {
	rows := w.length()
	if w.Of > 0 {
		rows = w.Of
	}
	switch {
	case w.Rows == 0:
		return []int{rows}
	case w.Transposed:
		return []int{w.Cols, rows}
	}
	return []int{rows, w.Cols}
}

// Elements is the number of the weight's elements.
func (w Weight) Elements() int64 { return int64(max(w.Rows, 1)) * int64(w.Cols) }

// part is the share of a stored tensor of so many rows that begins at row first.
func (w Weight) part(of, first int) Weight {
	w.Of, w.First, w.Run, w.Every = of, first, w.length(), w.length()
	return w
}

// byHead is the share of a stored tensor of so many rows in which each head has runs of this weight.
func (w Weight) byHead(of, first, run, every int) Weight {
	w.Of, w.First, w.Run, w.Every = of, first, run, every
	return w
}

// LayerName is the name of a tensor of layer i, as LayerName(0, s.Names.Query) + ".weight".
func (s *Spec) LayerName(i int, name string) string {
	return s.Names.Base + fmt.Sprintf(s.Names.Layer, i) + name
}

// layerWeights are the tensors of a layer, each under what it is for. Vectors of biases follow their matrices.
type layerWeights struct {
	attentionNorm, attentionOutNorm, mlpNorm, mlpOutNorm norm
	query, key, value, output                            projection
	queryNorm, keyNorm                                   []norm // one, or one a head; none where the family has none

	gate, up, down                   projection
	router, sharedRouter             projection
	expertGate, expertUp, expertDown []projection
	sharedGate, sharedUp, sharedDown projection
}

// norm is the weight and perhaps the bias of a norm; projection is those of a matrix. A zero Weight is none.
type norm struct{ weight, bias Weight }
type projection struct{ weight, bias Weight }

// weightsOf says which tensors layer i has.
func (s *Spec) weightsOf(i int) layerWeights {
	n, hd := s.Names, s.HeadSize
	q, kv := s.H*hd, s.K*hd
	w := layerWeights{
		attentionNorm:    s.normOf(i, n.AttentionNorm, s.D, s.NormBias),
		attentionOutNorm: s.normOf(i, n.AttentionOutNorm, s.D, s.NormBias),
		mlpNorm:          s.normOf(i, n.MLPNorm, s.D, s.NormBias),
		mlpOutNorm:       s.normOf(i, n.MLPOutNorm, s.D, s.NormBias),
		queryNorm:        s.headNorms(i, n.QueryNorm, s.H),
		keyNorm:          s.headNorms(i, n.KeyNorm, s.K),
		output:           s.matrix(i, n.Output, s.D, q, s.OBias),
	}
	switch {
	case n.QKV == "":
		w.query = s.matrix(i, n.Query, q, s.D, s.QKVBias)
		w.key = s.matrix(i, n.Key, kv, s.D, s.QKVBias)
		w.value = s.matrix(i, n.Value, kv, s.D, s.QKVBias)
	case n.QKVByHead:
		for j, p := range []*projection{&w.query, &w.key, &w.value} {
			*p = s.matrix(i, n.QKV, q, s.D, s.QKVBias)
			p.each(func(part Weight) Weight { return part.byHead(3*q, j*hd, hd, 3*hd) })
		}
	default:
		first := 0
		for _, p := range []struct {
			to   *projection
			rows int
		}{{&w.query, q}, {&w.key, kv}, {&w.value, kv}} {
			*p.to = s.matrix(i, n.QKV, p.rows, s.D, s.QKVBias)
			p.to.each(func(part Weight) Weight { return part.part(q+2*kv, first) })
			first += p.rows
		}
	}
	if s.Layers[i].Sparse {
		s.addExperts(&w, i)
		return w
	}
	w.gate, w.up, w.down = s.feedForwardOf(i, n.Gate, n.Up, n.Down, s.F)
	if n.GateUp != "" {
		for j, p := range []*projection{&w.gate, &w.up} {
			*p = s.matrix(i, n.GateUp, s.F, s.D, s.MLPBias)
			p.each(func(part Weight) Weight { return part.part(2*s.F, j*s.F) })
		}
	}
	return w
}

func (s *Spec) addExperts(w *layerWeights, i int) {
	n, e := s.Names, s.Experts
	w.router = s.matrix(i, n.Router, e.Count, s.D, false)
	w.router.weight.router = true
	for x := range e.Count {
		gate, up, down := s.feedForwardOf(i, fmt.Sprintf(n.ExpertGate, x), fmt.Sprintf(n.ExpertUp, x), fmt.Sprintf(n.ExpertDown, x), e.F)
		gate.weight.Expert, up.weight.Expert, down.weight.Expert = true, true, true
		w.expertGate, w.expertUp, w.expertDown = append(w.expertGate, gate), append(w.expertUp, up), append(w.expertDown, down)
	}
	if e.SharedF > 0 {
		w.sharedRouter = s.matrix(i, n.SharedRouter, 1, s.D, false)
		w.sharedRouter.weight.router = true
		w.sharedGate, w.sharedUp, w.sharedDown = s.feedForwardOf(i, n.SharedGate, n.SharedUp, n.SharedDown, e.SharedF)
	}
}

func (s *Spec) feedForwardOf(i int, gate, up, down string, f int) (g, u, d projection) {
	return s.matrix(i, gate, f, s.D, s.MLPBias), s.matrix(i, up, f, s.D, s.MLPBias), s.matrix(i, down, s.D, f, s.MLPBias)
}

func (s *Spec) normOf(i int, name string, size int, bias bool) (n norm) {
	if name == "" {
		return n
	}
	n.weight = Weight{Name: s.LayerName(i, name) + ".weight", Cols: size}
	if bias {
		n.bias = Weight{Name: s.LayerName(i, name) + ".bias", Cols: size}
	}
	return n
}

func (s *Spec) headNorms(i int, name string, heads int) []norm {
	switch {
	case name == "":
		return nil
	case s.QKNorm == Whole:
		return []norm{s.normOf(i, name, heads*s.HeadSize, s.QKNormBias)}
	case s.QKNorm == PerHead:
		return []norm{s.normOf(i, name, s.HeadSize, s.QKNormBias)}
	}
	var norms []norm
	for h := range heads {
		norms = append(norms, s.normOf(i, fmt.Sprintf(name, h), s.HeadSize, s.QKNormBias))
	}
	return norms
}

func (s *Spec) matrix(i int, name string, rows, cols int, bias bool) (p projection) {
	if name == "" {
		return p
	}
	p.weight = Weight{Name: s.LayerName(i, name) + ".weight", Rows: rows, Cols: cols, Transposed: s.Names.Transposed}
	if bias {
		p.bias = Weight{Name: s.LayerName(i, name) + ".bias", Cols: rows}
	}
	return p
}

// each changes the weight and the bias, if there is one.
func (p *projection) each(change func(Weight) Weight) {
	p.weight = change(p.weight)
	if p.bias.Name != "" {
		p.bias = change(p.bias)
	}
}

// LayerWeights lists the tensors of layer i in the order in which data meets them. Where one stored tensor holds several
// weights, each is listed.
func (s *Spec) LayerWeights(i int) []Weight {
	w := s.weightsOf(i)
	var ws []Weight
	add := func(weight, bias Weight) {
		for _, x := range []Weight{weight, bias} {
			if x.Name != "" {
				ws = append(ws, x)
			}
		}
	}
	norms := func(ns ...norm) {
		for _, n := range ns {
			add(n.weight, n.bias)
		}
	}
	matrices := func(ps ...projection) {
		for _, p := range ps {
			add(p.weight, p.bias)
		}
	}
	norms(w.attentionNorm)
	matrices(w.query, w.key, w.value)
	norms(w.queryNorm...)
	norms(w.keyNorm...)
	matrices(w.output)
	norms(w.attentionOutNorm, w.mlpNorm)
	matrices(w.gate, w.up, w.down, w.router)
	for x := range w.expertGate {
		matrices(w.expertGate[x], w.expertUp[x], w.expertDown[x])
	}
	matrices(w.sharedRouter, w.sharedGate, w.sharedUp, w.sharedDown)
	norms(w.mlpOutNorm)
	return ws
}

// EmbeddingWeight is what tokens are looked up in.
func (s *Spec) EmbeddingWeight() Weight {
	return Weight{Name: s.Names.Base + s.Names.Embedding + ".weight", Rows: s.V, Cols: s.D}
}

// PositionWeight is what learned positions are looked up in; its name is empty where there are none.
func (s *Spec) PositionWeight() Weight {
	if s.Positions == 0 {
		return Weight{}
	}
	return Weight{Name: s.Names.Base + s.Names.Position + ".weight", Rows: s.Positions, Cols: s.D}
}

// finalNorm is the norm before the head.
func (s *Spec) finalNorm() norm {
	n := norm{weight: Weight{Name: s.Names.Base + s.Names.FinalNorm + ".weight", Cols: s.D}}
	if s.NormBias {
		n.bias = Weight{Name: s.Names.Base + s.Names.FinalNorm + ".bias", Cols: s.D}
	}
	return n
}

// FinalNormTensors are the names of the final norm's tensors.
func (s *Spec) FinalNormTensors() []string {
	n := s.finalNorm()
	if s.NormBias {
		return []string{n.weight.Name, n.bias.Name}
	}
	return []string{n.weight.Name}
}

// HeadWeight turns normed states into logits. A tied head is the embedding.
func (s *Spec) HeadWeight() Weight {
	if s.Tied {
		return s.EmbeddingWeight()
	}
	return Weight{Name: s.Names.Head + ".weight", Rows: s.V, Cols: s.D}
}

// headBias is added to the logits; its name is empty where there is none.
func (s *Spec) headBias() Weight {
	if !s.HeadBias {
		return Weight{}
	}
	return Weight{Name: s.Names.Head + ".bias", Cols: s.V}
}

// outsideWeights are the tensors that belong to no layer, a tied head once.
func (s *Spec) outsideWeights() []Weight {
	n := s.finalNorm()
	all := []Weight{s.EmbeddingWeight(), s.PositionWeight(), n.weight, n.bias, s.headBias()}
	if !s.Tied {
		all = append(all, s.HeadWeight())
	}
	return slices.DeleteFunc(all, func(w Weight) bool { return w.Name == "" })
}

// place finds out under which base the tensors lie: files leave a prefix off or put one more before it. has reports
// whether there is a tensor of a name.
func (s *Spec) place(has func(name string) bool) {
	if has(s.EmbeddingWeight().Name) {
		return
	}
	base := s.Names.Base
	for _, b := range []string{"", "model.", "transformer.", "model.language_model.", "language_model.model.", "language_model.", "model.text_model."} {
		s.Names.Base = b
		if has(s.EmbeddingWeight().Name) {
			if head := strings.TrimSuffix(b, "model.") + s.Names.Head; !s.Tied && !has(s.Names.Head+".weight") && has(head+".weight") {
				s.Names.Head = head
			}
			return
		}
	}
	s.Names.Base = base
}
