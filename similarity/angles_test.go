package similarity

import (
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func TestAnglesOfKnownStates(t *testing.T) {
	states := [][]float32{{2, 0}, {3, 0}, {0, 5}, {-1, 0}, {-1, -1}}
	got, err := Angles(states)
	if err != nil {
		t.Fatal(err)
	}
	want := Table{
		{0, 0.5, 0.5, 0.25},
		{0.5, 1, 0.75},
		{1, 0.75},
		{0.75},
	}
	for i := range want {
		for l := range want[i] {
			if math.Abs(got[i][l]-want[i][l]) > 1e-9 {
				t.Errorf("d(%d, %d) = %v, want %v", l, i+1, got[i][l], want[i][l])
			}
		}
	}
	if got[0][0] != 0 {
		t.Errorf("the distance of states of one direction is %v, not exactly 0", got[0][0])
	}
}

func TestAnglesBeyondFloat32(t *testing.T) {
	// Products of these overflow and underflow in float32.
	for _, scale := range []float32{1e30, 1e-30} {
		got, err := Angles([][]float32{{scale, 0}, {scale, scale}})
		if err != nil || math.Abs(got[0][0]-0.25) > 1e-7 {
			t.Errorf("states of size %v: %v, %v; want 0.25", scale, got, err)
		}
	}
}

func TestAnglesRefuses(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for _, c := range []struct {
		states [][]float32
		want   string
	}{
		{[][]float32{{1}, {nan}, {1}}, "that enters layer 1 is not finite"},
		{[][]float32{{1}, {1}, {inf}}, "that leaves layer 1 is not finite"},
		{[][]float32{{0}, {1}, {1}}, "that enters layer 0 is zero"},
		{[][]float32{{1}}, "no layer"},
	} {
		if _, err := Angles(c.states); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v, want %q", c.states, err, c.want)
		}
	}
}

func TestReduceIsTheMeanOfArccos(t *testing.T) {
	const layers, sequences, d = 5, 7, 11
	r := rand.New(rand.NewPCG(1, 2))
	var tables []Table
	var states [sequences][layers + 1][]float32
	for s := range states {
		for l := range states[s] {
			for range d {
				states[s][l] = append(states[s][l], float32(r.NormFloat64()))
			}
		}
		table, err := Angles(states[s][:])
		if err != nil {
			t.Fatal(err)
		}
		tables = append(tables, table)
	}
	got, err := Reduce(layers, tables)
	if err != nil {
		t.Fatal(err)
	}
	for n := 1; n <= layers; n++ {
		if len(got.Distances[n-1]) != layers-n+1 {
			t.Fatalf("row %d has %d entries, want %d", n-1, len(got.Distances[n-1]), layers-n+1)
		}
		smallest := 0
		for l := 0; l+n <= layers; l++ {
			// Written again from the definition, one sequence after another.
			var sum, squares float64
			for s := range states {
				var ab, aa, bb float64
				for i := range d {
					a, b := float64(states[s][l][i]), float64(states[s][l+n][i])
					ab, aa, bb = ab+a*b, aa+a*a, bb+b*b
				}
				angle := math.Acos(ab/math.Sqrt(aa)/math.Sqrt(bb)) / math.Pi
				sum += angle
				squares += angle * angle
			}
			mean := sum / sequences
			stderr := math.Sqrt((squares - sequences*mean*mean) / (sequences - 1) / sequences)
			if math.Abs(got.Distances[n-1][l]-mean) > 1e-14 || math.Abs(got.Stderr[n-1][l]-stderr) > 1e-12 {
				t.Errorf("d(%d, %d) = %v ± %v, want %v ± %v", l, n, got.Distances[n-1][l], got.Stderr[n-1][l], mean, stderr)
			}
			if got.Distances[n-1][l] < got.Distances[n-1][smallest] {
				smallest = l
			}
		}
		if b := got.Best[n-1]; b.N != n || b.Start != smallest || b.Distance != got.Distances[n-1][smallest] {
			t.Errorf("best[%d] = %+v, want start %d", n-1, b, smallest)
		}
	}
}

func TestTieIsPaired(t *testing.T) {
	// Start 1 is closer than start 0 by 0.01 in every sequence, although the sequences themselves differ far more: sure.
	// Start 2 is now closer, now farther: a tie.
	sure := []Table{{{0.21, 0.20, 0.9}, {0, 0}, {0}}, {{0.51, 0.50, 0.9}, {0, 0}, {0}}, {{0.81, 0.80, 0.9}, {0, 0}, {0}}}
	tied := []Table{{{0.3, 0.20, 0.25}, {0, 0}, {0}}, {{0.6, 0.50, 0.46}, {0, 0}, {0}}, {{0.9, 0.80, 0.81}, {0, 0}, {0}}}
	for _, c := range []struct {
		tables []Table
		tie    bool
		next   int
	}{{sure, false, 0}, {tied, true, 2}, {tied[:1], false, 2}} {
		d, err := Reduce(3, c.tables)
		if err != nil {
			t.Fatal(err)
		}
		if b := d.Best[0]; b.Start != 1 || b.Next == nil || b.Next.Start != c.next || b.Tie != c.tie {
			t.Errorf("best of %v: start %d, next %+v, tie %v; want start 1, next %d, tie %v", c.tables, b.Start, b.Next, b.Tie, c.next, c.tie)
		}
		if d.Best[2].Next != nil {
			t.Errorf("all layers have a second start: %+v", d.Best[2].Next)
		}
	}
}

func TestWriteThenRead(t *testing.T) {
	d, err := Reduce(2, []Table{{{0.1, 0.2}, {0.3}}, {{0.2, 0.2}, {0.4}}})
	if err != nil {
		t.Fatal(err)
	}
	d.Tokens = 9
	d.Influence = &Influence{Metric: "1-cosine", Tokens: 9, Layers: []float64{0.5}}
	name := filepath.Join(t.TempDir(), "distances.json")
	if err := d.Write(name); err != nil {
		t.Fatal(err)
	}
	got, hash, err := Read(name)
	if err != nil || !reflect.DeepEqual(got, d) || len(hash) != 64 {
		t.Errorf("read %+v, %q, %v; wrote %+v", got, hash, err, d)
	}
}

func TestParseRefuses(t *testing.T) {
	const good = `{"version":1,"model":{"name":"m"},"corpus":{},"metric":"angular","layers":2,"sequences":1,"tokens":3,` +
		`"distances":[[0.1,0.2],[0.3]],"stderr":[[0,0],[0]],"best":[{"n":1,"start":0,"distance":0.1},{"n":2,"start":0,"distance":0.3}]}`
	if _, err := Parse([]byte(good)); err != nil {
		t.Fatalf("a good file: %v", err)
	}
	for _, c := range []struct{ old, new, want string }{
		{`"version":1`, `"version":3`, "version is 3"},
		{`"angular"`, `"cosine"`, "metric"},
		{`"layers":2`, `"layers":3`, "2 rows for 3 layers"},
		{`"layers":2`, `"layers":2000000000`, "not between 1 and"},
		{`[0.1,0.2]`, `[0.1]`, "distances[0] has 1 entries"},
		{`[0.1,0.2]`, `[0.1,1.2]`, "distances[0][1] is 1.2"},
		{`[[0,0],[0]]`, `[[0,-1],[0]]`, "stderr[0][1] is -1"},
		{`"n":2,"start":0`, `"n":2,"start":1`, "best[1]"},
		{`"n":2,"start":0`, `"n":3,"start":0`, "best[1]"},
		{`"sequences":1`, `"sequences":0`, "0 sequences"},
		{good, good + `1`, "something follows"},
		{good, `null`, "version is 0"},
	} {
		if _, err := Parse([]byte(strings.Replace(good, c.old, c.new, 1))); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("with %s for %s: %v, want %q", c.new, c.old, err, c.want)
		}
	}
}

func TestReadNamesTheFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "distances.json")
	if err := os.WriteFile(name, []byte(`{"version":1`), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Read(name); err == nil || !strings.Contains(err.Error(), name) {
		t.Errorf("half a file: %v, want an error that names %s", err, name)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"version":1,"metric":"angular","layers":1,"sequences":1,"tokens":3,"distances":[[0.1]],"stderr":[[0]],"best":[{"n":1,"start":0}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := Parse(data)
		if err == nil && (len(d.Distances) != d.Layers || len(d.Best) != d.Layers) {
			t.Errorf("accepted %+v", d)
		}
	})
}
