package sweep

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"shallow/checkpoint"
	"shallow/compute"
	"shallow/corpus"
	"shallow/decoder"
	"shallow/plan"
	"shallow/similarity"
	"shallow/tokenizer"
)

// subject is a model of the sweep.
type subject struct {
	spec       ModelSpec
	path       string // directory or GGUF file
	checkpoint *checkpoint.Checkpoint
	model      *decoder.Model
	tokenizer  *tokenizer.Tokenizer

	content, vocabulary string // hashes
	distances           *similarity.Distances
	distancesHash       string
	pace                float64 // rows through a layer in a second, measured; 0 before
	healings            map[string]*healer
}

// openSubject opens a model of the spec.
func (s *sweep) openSubject(ctx context.Context, spec ModelSpec) (_ *subject, err error) {
	m := &subject{spec: spec, healings: map[string]*healer{}}
	if m.path, err = s.Loader.Model(ctx, spec.Model); err != nil {
		return nil, err
	}
	if m.checkpoint, err = openCheckpoint(m.path); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			m.close()
		}
	}()
	precision, err := decoder.ParsePrecision(s.spec.Precision)
	if err != nil {
		return nil, err
	}
	if m.model, err = decoder.Open(s.Device, m.checkpoint, decoder.Options{Pack: true, Precision: precision}); err != nil {
		return nil, err
	}
	if m.tokenizer, err = openTokenizer(m.path); err != nil {
		return nil, err
	}
	if m.vocabulary, err = vocabulary(m.path, m.checkpoint); err != nil {
		return nil, err
	}
	s.stage("hash", spec.Name)
	m.content, err = content(ctx, m.checkpoint, filepath.Join(s.Output, "hashes"), s.progress)
	return m, err
}

func (m *subject) close() {
	if m.model != nil {
		m.model.Close()
	}
	m.checkpoint.Close()
}

func (m *subject) layers() int { return m.model.Spec.L }

// sequences are the texts to measure on.
func (s *sweep) sequences(ctx context.Context, m *subject) ([][]int, error) {
	c := s.spec.Corpus
	found, err := s.Loader.Texts(ctx, c.Files, m.encoder, corpus.Options{
		Field: c.Field, Blank: c.Split == "blank", Samples: c.Samples, Length: c.Length, Vocabulary: m.model.Spec.V,
	})
	if err != nil {
		return nil, err
	}
	sequences := make([][]int, len(found.Sequences))
	for i, q := range found.Sequences {
		sequences[i] = q.IDs
	}
	return sequences, nil
}

func (m *subject) encoder() (corpus.Encoder, error) { return m.tokenizer, nil }

// measured reads the model's distances if they are there, and says where they are or will be and what they are known by.
func (s *sweep) measured(m *subject, sequences [][]int) (dir, key string, there bool) {
	key = hashJSON(struct {
		In        inputs
		Sequences [][]int
	}{s.inputs(m), sequences})[:16]
	dir = filepath.Join(s.Output, "measure-"+fileName(m.spec.Name)+"-"+key[:8])
	d, hash, err := similarity.Read(filepath.Join(dir, distancesFile))
	if err != nil {
		return dir, key, false
	}
	m.distances, m.distancesHash = d, hash
	return dir, key, true
}

const distancesFile = "distances.json"

// measure finds the model's distances, unless they are there already.
func (s *sweep) measure(ctx context.Context, m *subject) error {
	sequences, err := s.sequences(ctx, m)
	if err != nil {
		return err
	}
	dir, key, _ := s.measured(m, sequences)
	there := func() bool {
		_, _, there := s.measured(m, sequences)
		return there
	}
	return s.once(ctx, "measure-"+key, there, func(ctx context.Context) error {
		if err := os.MkdirAll(dir, 0o777); err != nil {
			return fmt.Errorf("sweep: %w", err)
		}
		s.stage("measure", m.spec.Name)
		s.at.Layers = m.layers()
		journal := filepath.Join(dir, "measure.journal")
		d, err := similarity.Measure(ctx, m.model, sequences, similarity.Options{Memory: s.memory(), Journal: journal, Kernels: s.Kernels, Progress: s.progress})
		if err != nil {
			return err
		}
		d.Tool, d.Model = s.Tool, similarity.ModelOf(m.checkpoint)
		d.Corpus.Files, d.Corpus.Samples, d.Corpus.Length = s.spec.Corpus.Files, s.spec.Corpus.Samples, s.spec.Corpus.Length
		if err := d.Write(filepath.Join(dir, distancesFile)); err != nil {
			return err
		}
		_ = os.Remove(journal) // what is left of it does no harm
		return nil
	})
}

// inputs are those that all cells of a model share.
func (s *sweep) inputs(m *subject) inputs {
	return inputs{Version: journalVersion, Model: m.content, Tokenizer: m.vocabulary, Kernels: s.Kernels, Precision: m.model.Multiplies().String(), Drop: []int{}}
}

// plan is which n layers a strategy drops.
func (s *sweep) plan(m *subject, strategy string, n int) (p *plan.Plan, err error) {
	if strategy == Deepest || m.distances == nil { // what is not measured is only forecast
		p, err = plan.Deepest(m.layers(), n)
	} else {
		p, err = plan.Similarity(m.distances, n, plan.Options{From: s.spec.From, AllowLast: s.spec.AllowLast})
	}
	if err != nil {
		return nil, fmt.Errorf("sweep: %s, %s, %d layers: %w", m.spec.Name, strategy, n, err)
	}
	p.Tool, p.Model = s.Tool, similarity.ModelOf(m.checkpoint)
	if p.Distance != nil {
		p.From = m.distancesHash
	}
	return p, nil
}

// distance is d(start, n) of a block that was measured.
func (m *subject) distance(drop []int) *float64 {
	n := len(drop)
	if m.distances == nil || n == 0 || drop[n-1]-drop[0] != n-1 {
		return nil
	}
	d := m.distances.Distances[n-1][drop[0]]
	return &d
}

// describe is the model for sweep.json.
func (m *subject) describe() (Model, error) {
	layout, err := m.checkpoint.Layout()
	if err != nil {
		return Model{}, err
	}
	out := Model{
		Name: m.spec.Name, Fingerprint: m.content, Type: m.checkpoint.Config.ModelType(), Layers: m.layers(), Hidden: m.model.Spec.D, Vocabulary: m.model.Spec.V,
		Parameters: m.model.Spec.Parameters(), Bytes: m.checkpoint.Size(), CacheBytes: m.model.Spec.CacheBytes(compute.BFloat16), Distances: m.distances,
	}
	for l := range m.layers() {
		var bytes int64
		if l < len(layout.Tensors) {
			for _, name := range layout.Tensors[l] {
				t, _ := m.checkpoint.Tensor(name)
				bytes += t.Length
			}
		}
		out.LayerBytes = append(out.LayerBytes, bytes)
		out.LayerParameters = append(out.LayerParameters, m.model.Spec.LayerParameters(l))
	}
	return out, nil
}

// fileName is a name as part of a file's.
func fileName(name string) string {
	name = strings.Map(func(r rune) rune {
		if strings.ContainsRune(`/\:*?"<>| `, r) || r < ' ' {
			return '_'
		}
		return r
	}, name)
	return strings.TrimLeft(name[:min(len(name), 60)], ".")
}
