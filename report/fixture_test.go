package report

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"shallow/similarity"
	"shallow/sweep"
)

// fixtureTask is a task of the fixture with where it collapses.
type fixtureTask struct {
	name, kind, metric string
	chance             *float64
	dense              float64
	samples, shots     int
	// knees are the fractions of layers at which half is lost, in the order of fixtureCurves.
	knees [4]float64
	width float64 // of the collapse, as a fraction
}

// fixtureCurves are strategy and healing.
var fixtureCurves = [4][2]string{
	{sweep.Similarity, sweep.Unhealed}, {sweep.Similarity, "qlora"}, {sweep.Deepest, sweep.Unhealed}, {sweep.Deepest, "qlora"},
}

func chance(x float64) *float64 { return &x }

// fixtureTasks have the shape of the paper's Llama-2-7B (Gromov et al., figures 2, 3 and 6): questions flat, then sudden; text
// that must be written lost at once.
var fixtureTasks = []fixtureTask{
	{"mmlu", "multiple_choice", "acc", chance(0.25), 0.458, 14042, 5, [4]float64{0.33, 0.46, 0.07, 0.47}, 0.012},
	{"boolq", "multiple_choice", "acc", chance(0.5), 0.777, 3270, 0, [4]float64{0.29, 0.45, 0.05, 0.44}, 0.02},
	{"hellaswag", "multiple_choice", "acc_norm", chance(0.25), 0.76, 10042, 0, [4]float64{0.26, 0.4, 0.08, 0.38}, 0.07},
	{"gsm8k", "generate_until", "exact_match", nil, 0.141, 1319, 5, [4]float64{0.05, 0.1, 0.03, 0.09}, 0.03},
	{"c4@paper", "next_token_loss", "loss_norm", nil, 0.19, 2000, 0, [4]float64{0.33, 0, 0.06, 0}, 0.03},
}

// fixture is a sweep of a model of 32 layers, as a program on a small machine might have found it.
func fixture(t testing.TB) *sweep.Result {
	t.Helper()
	r := &sweep.Result{
		Version: 1, Tool: "shallow 0.1.0",
		Spec:     []byte(`{"models":[{"name":"llama-2-7b","path":"models/llama-2-7b"}],"strategies":["similarity","deepest"],"n":"1:25","tasks":["mmlu","boolq","hellaswag","gsm8k","c4@paper"],"healing":["none",{"name":"qlora","steps":5000}]}`),
		Healings: []sweep.Healing{{Name: "qlora", Settings: map[string]string{"method": "qlora", "steps": "5000", "lr": "3e-4", "rank": "2", "corpus": "allenai/c4:en/train"}}},
	}
	m := sweep.Model{
		Name: "llama-2-7b", Fingerprint: "9c1e3c1c0f0a4e2d8b7f6a5c4d3e2f1a0b9c8d7e6f5a4b3c2d1e0f9a8b7c6d5e", Type: "llama",
		Layers: 32, Hidden: 4096, Vocabulary: 32000, Parameters: 6738415616, Bytes: 13476831232, CacheBytes: 524288, Distances: fixtureDistances(t),
	}
	for range m.Layers {
		m.LayerBytes, m.LayerParameters = append(m.LayerBytes, 404766720), append(m.LayerParameters, 202383360)
	}
	r.Models = []sweep.Model{m}
	for _, task := range fixtureTasks {
		r.Cells = append(r.Cells, fixtureCell(&m, task, -1, 0))
		for curve := range fixtureCurves {
			for n := 1; n <= 24; n++ {
				r.Cells = append(r.Cells, fixtureCell(&m, task, curve, n))
			}
		}
	}
	r.Planned = len(r.Cells)
	return r
}

// fixtureCell is one cell; curve -1 is the unpruned model's.
func fixtureCell(m *sweep.Model, task fixtureTask, at, n int) sweep.Cell {
	c := sweep.Cell{
		ID: fmt.Sprintf("%064x", uint64(at+2)*1e9+uint64(n)*1e6+uint64(len(task.name))), Model: m.Name, Strategy: sweep.None, Healing: sweep.Unhealed,
		N: n, Task: task.name, Kind: task.kind, Chance: task.chance, Shots: task.shots, Samples: task.samples, Seconds: 1000 / float64(1+n),
		TokensPerSecond: 41 / (1 - 0.94*float64(n)/float64(m.Layers)), PeakMemory: 2_600_000_000 - 40_000_000*int64(n),
		Settings: sweep.Settings{Precision: "bfloat16", Kernels: "avx2", Seed: 1234, Data: map[string]string{"cais/mmlu/test.parquet": "2f1a0b9c8d7e6f5a4b3c2d1e0f9a8b7c6d5e4f3a2b1c0d9e8f7a6b5c4d3e2f1a"}},
	}
	noise := rand.New(rand.NewPCG(uint64(at+2), uint64(n*64+len(task.name))))
	f := float64(n) / float64(m.Layers)
	value := task.dense
	if n > 0 {
		c.Strategy, c.Healing = fixtureCurves[at][0], fixtureCurves[at][1]
		c.Start = m.Layers - 1 - n
		if c.Strategy == sweep.Similarity {
			c.Start = llamaStarts[n-1]
			d := m.Distances.Distances[n-1][c.Start]
			c.Distance = &d
		}
		for l := range n {
			c.Drop = append(c.Drop, c.Start+l)
		}
		lost := 1 / (1 + math.Exp((task.knees[at]-f)/task.width))
		switch {
		case task.kind != "next_token_loss":
			floor := 0.0
			if task.chance != nil {
				floor = *task.chance
			}
			value = floor + (task.dense-floor)*(1-lost)*(1-0.12*f)
		case c.Healing != sweep.Unhealed:
			value = 0.19 + 0.24*f + 0.02*float64(at/2)*f
		default:
			value = 0.19 + 0.15*f + (0.85+0.3*f)*lost
		}
	}
	higher := task.kind != "next_token_loss"
	stderr := math.Sqrt(max(1e-6, value*(1-min(1, value))) / float64(task.samples))
	if !higher {
		stderr = 0.0015
	}
	value = max(0, value+stderr*noise.NormFloat64())
	c.Metrics = []sweep.Metric{{Metric: task.metric, Filter: "none", Value: value, Stderr: &stderr, HigherIsBetter: &higher}}
	if c.Healing != sweep.Unhealed {
		loss := 1.9 + 2*f
		c.HealSeconds, c.HealLoss = 41_000*(1-f), &loss
	}
	return c
}

// llamaStarts are the first layers of the blocks that the paper's authors published for Llama-2-7B, n from 1 to 24.
var llamaStarts = []int{23, 23, 23, 23, 23, 22, 22, 21, 20, 19, 18, 18, 17, 16, 15, 8, 8, 7, 4, 4, 4, 2, 2, 2}

// fixtureDistances have the least value of each row where the paper has it, and grow towards the first and last layers.
func fixtureDistances(t testing.TB) *similarity.Distances {
	t.Helper()
	const layers = 32
	var tables []similarity.Table
	for s := range 3 {
		table := make(similarity.Table, layers)
		for i := range table {
			n := i + 1
			least := 1
			if n <= len(llamaStarts) {
				least = llamaStarts[i]
			}
			for l := 0; l+n <= layers; l++ {
				v := 0.075*math.Pow(float64(n), 0.52) + 0.006*math.Abs(float64(l-min(least, layers-n))) + 0.0004*float64(s)
				if l == 0 {
					v += 0.22
				}
				if l+n == layers {
					v += 0.14
				}
				table[i] = append(table[i], min(0.6, v))
			}
		}
		tables = append(tables, table)
	}
	d, err := similarity.Reduce(layers, tables)
	if err != nil {
		t.Fatal(err)
	}
	d.Tokens, d.Precision = 1536, "bfloat16"
	d.Model.Name = "llama-2-7b"
	d.Corpus.Files, d.Corpus.Hash = []string{"allenai/c4:en/validation"}, "5e4f3a2b1c0d9e8f7a6b5c4d3e2f1a0b9c8d7e6f5a4b3c2d1e0f9a8b7c6d5e4f"
	return d
}
