package similarity

import (
	"context"
	"errors"

	"shallow/compute"
	"shallow/decoder"
)

// Scope says over which layers block influence is measured.
type Scope string

// The scopes. Most leaves the last layer out, whose feed-forward part is then run for the last tokens only.
const (
	Most Scope = "most"
	Full Scope = "full"
	Off  Scope = "off"
)

// Options say how to measure.
type Options struct {
	// Memory bounds weights, activations and states together, in bytes; 0 is no bound.
	Memory    int64
	Influence Scope // "" is Most
	// Journal is the file that keeps what is measured so far; "" for none. Who has stored the result may remove it.
	Journal string
	// Kernels names the instruction-set level, since bits differ between levels: a journal goes on at its own level only.
	Kernels string
	// Begin, if given, is called once with what the run will take.
	Begin func(Forecast)
	// Progress, if given, is called now and then with how many rows have gone through how many layers, rows times layers.
	Progress func(done, total int64)
}

// Forecast is what a run will take.
type Forecast struct {
	Sequences, Tokens int   // in all
	Known             int   // sequences that the journal has already
	Groups            int   // times that the weights will be read
	Read              int64 // bytes of weights, all groups together
	Memory            int64 // bytes of weights, activations and states at the most
}

// Measure takes sequences of token ids through all layers of a model, one layer in memory at a time, and reduces the
// last tokens' states to distances. Model, Corpus and Tool are left for the caller to fill in; Corpus has the hash.
//
// When ctx ends it stops within one piece of a layer and returns ctx's error; the journal then holds the groups that
// were finished. Going on from it gives the same bits as a run without a break.
func Measure(ctx context.Context, m *decoder.Model, sequences [][]int, o Options) (*Distances, error) {
	if len(sequences) == 0 {
		return nil, errors.New("similarity: the corpus has no sequences")
	}
	if o.Influence == "" {
		o.Influence = Most
	}
	key, err := runKey(m, sequences, o)
	if err != nil {
		return nil, err
	}
	layers := m.Spec.L
	j := readJournal(o.Journal, key, layers, o.Influence.layers(layers), len(sequences))
	n := need{
		fixed: layerBytes(m),
		states: func(ids []int) int64 {
			return m.StateBytes(len(ids)) + compute.Float32.Bytes((layers+2)*m.Spec.D)
		},
		activity: func(longest int) int64 {
			n := m.ScratchBytes([]int{longest})
			if o.Influence != Off {
				n += m.StateBytes(longest)
			}
			return n
		},
	}
	groups, err := divide(sequences[len(j.Sequences):], o.Memory, n)
	if err != nil {
		return nil, err
	}
	if o.Begin != nil {
		o.Begin(forecast(m, sequences, len(j.Sequences), groups, n))
	}
	progress := newCounter(o.Progress, sequences, layers)
	progress.add(sequences[:len(j.Sequences)], layers)
	for _, group := range groups {
		found, err := pass(ctx, m, group, len(j.Sequences), o.Influence, progress)
		if err != nil {
			return nil, err
		}
		j.Sequences = append(j.Sequences, found...)
		if err := j.write(o.Journal); err != nil {
			return nil, err
		}
	}
	d, err := j.reduce(sequences, layers)
	if err != nil {
		return nil, err
	}
	d.Precision = m.Multiplies().String()
	return d, nil
}

// forecast adds up what a run will take.
func forecast(m *decoder.Model, sequences [][]int, known int, groups [][][]int, n need) Forecast {
	f := Forecast{Sequences: len(sequences), Known: known, Groups: len(groups)}
	for _, ids := range sequences {
		f.Tokens += len(ids)
	}
	for i := range m.Spec.L {
		for _, name := range m.LayerTensors(i) {
			t, _ := m.Checkpoint.Tensor(name)
			f.Read += t.Length * int64(len(groups))
		}
	}
	for _, group := range groups {
		f.Memory = max(f.Memory, n.bytes(group))
	}
	return f
}

// layers is how many of L layers have a block influence.
func (s Scope) layers(layers int) int {
	switch s {
	case Off:
		return 0
	case Full:
		return layers
	}
	return layers - 1
}

// reduce adds up the sequences in their order, whatever groups they were run in.
func (j *journal) reduce(sequences [][]int, layers int) (*Distances, error) {
	tables := make([]Table, len(j.Sequences))
	for s := range j.Sequences {
		tables[s] = j.Sequences[s].Distances
	}
	d, err := Reduce(layers, tables)
	if err != nil {
		return nil, err
	}
	for _, ids := range sequences {
		d.Tokens += len(ids)
	}
	d.Corpus.Hash = hashIDs(sequences)
	measured := len(j.Sequences[0].Influence)
	if measured == 0 {
		return d, nil
	}
	in := &Influence{Metric: "1-cosine", Tokens: d.Tokens, Layers: make([]float64, measured)}
	for l := range in.Layers {
		for s := range j.Sequences {
			in.Layers[l] += j.Sequences[s].Influence[l]
		}
		in.Layers[l] /= float64(d.Tokens)
	}
	d.Influence = in
	return d, nil
}

// counter adds up rows times layers.
type counter struct {
	report      func(done, total int64)
	done, total int64
}

func newCounter(report func(done, total int64), sequences [][]int, layers int) *counter {
	c := &counter{report: report}
	for _, ids := range sequences {
		c.total += int64(len(ids)) * int64(layers)
	}
	return c
}

func (c *counter) add(sequences [][]int, layers int) {
	for _, ids := range sequences {
		c.done += int64(len(ids)) * int64(layers)
	}
	if c.report != nil {
		c.report(c.done, c.total)
	}
}
