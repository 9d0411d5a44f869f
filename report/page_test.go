package report

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"shallow/sweep"
)

// small is the part of the fixture with four n, one part of the tasks and short distances.
func small(t *testing.T) *sweep.Result {
	r := fixture(t)
	r.Cells = slices.DeleteFunc(r.Cells, func(c sweep.Cell) bool {
		return c.N%8 != 0 || c.Task == "boolq" || c.Task == "hellaswag"
	})
	r.Planned = len(r.Cells) + 2
	r.Cells[3].Recorded = true
	d := measured(t, 6)
	m := &r.Models[0]
	m.Distances = nil
	extra := *m
	extra.Name, extra.Layers, extra.Distances = "tiny", 6, d
	extra.LayerBytes, extra.LayerParameters = extra.LayerBytes[:6], extra.LayerParameters[:6]
	r.Models = append(r.Models, extra)
	return r
}

func TestPageData(t *testing.T) {
	data, err := json.MarshalIndent(build(small(t)).Data, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "data.json", append(data, '\n'))
}

// TestFixtureFile keeps testdata/sweep as sweep writes it, for people who want to look at the page.
func TestFixtureFile(t *testing.T) {
	r := fixture(t)
	name := filepath.Join("testdata", "sweep", sweep.ResultFile)
	if *update {
		if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
			t.Fatal(err)
		}
		data, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, append(data, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	read, err := Read(filepath.Dir(name))
	if err != nil {
		t.Fatal(err)
	}
	got, _ := json.Marshal(build(read).Data)
	want, _ := json.Marshal(build(r).Data)
	if string(got) != string(want) {
		t.Error("the file's page differs from the fixture's")
	}
}

func TestFindings(t *testing.T) {
	golden(t, "findings.txt", []byte(strings.Join(Findings(fixture(t)), "\n")+"\n"))
	golden(t, "findings-small.txt", []byte(strings.Join(Findings(small(t)), "\n")+"\n"))
}

// without drops cells.
func without(r *sweep.Result, drop func(sweep.Cell) bool) *sweep.Result {
	r.Cells = slices.DeleteFunc(r.Cells, drop)
	return r
}

func TestMissingParts(t *testing.T) {
	tests := []struct {
		name   string
		change func(*sweep.Result)
		// missing are figures' kinds that are left out, said sentences that the page has instead.
		missing []string
		said    []string
	}{
		{"no healing", func(r *sweep.Result) {
			without(r, func(c sweep.Cell) bool { return c.Healing != sweep.Unhealed })
			r.Healings = nil
		}, []string{"kept-similarity-healed"}, []string{"since the sweep has no such cells yet: healing."}},
		{"one strategy", func(r *sweep.Result) {
			without(r, func(c sweep.Cell) bool { return c.Strategy == sweep.Deepest })
		}, []string{"kept-deepest"}, []string{"no such cells yet: the strategy deepest."}},
		{"no loss", func(r *sweep.Result) {
			without(r, func(c sweep.Cell) bool { return c.Kind == "next_token_loss" })
		}, []string{"loss", "transition"}, []string{"There is no figure of the loss", "it needs a task that chooses among answers and a task of text"}},
		{"no generation", func(r *sweep.Result) {
			without(r, func(c sweep.Cell) bool { return c.Kind == "generate_until" })
		}, []string{"kept", "generation"}, []string{"one that it answers by writing"}},
		{"no choice", func(r *sweep.Result) {
			without(r, func(c sweep.Cell) bool { return c.Kind == "multiple_choice" })
		}, []string{"accuracy", "kept", "transition"}, []string{"one task that the model answers by choosing"}},
		{"no distances", func(r *sweep.Result) { r.Models[0].Distances = nil },
			[]string{"heatmap"}, []string{"The sweep has no distances"}},
		{"no unpruned cells", func(r *sweep.Result) {
			without(r, func(c sweep.Cell) bool { return c.N == 0 })
		}, []string{"kept"}, []string{"both with a score of the unpruned model"}},
		{"no cells", func(r *sweep.Result) { r.Cells = nil },
			[]string{"accuracy", "loss", "kept", "transition", "cost"}, []string{"There are no cells yet", "This sweep is not through:", "0 of 485 cells"}},
		{"no chance level", func(r *sweep.Result) {
			for i := range r.Cells {
				r.Cells[i].Chance = nil
			}
		}, []string{"kept"}, []string{"mmlu has no known chance level, so no transition can be named."}},
		{"a model that only guesses", func(r *sweep.Result) {
			for i := range r.Cells {
				if c := &r.Cells[i]; c.Task == "mmlu" {
					c.Metrics[0].Value = 0.251
				}
			}
		}, nil, []string{"In mmlu the unpruned model is not clearly above chance"}},
		{"no speed", func(r *sweep.Result) {
			for i := range r.Cells {
				r.Cells[i].TokensPerSecond = 0
			}
		}, []string{"cost-speed"}, []string{"Not known: the speed."}},
		{"no metrics", func(r *sweep.Result) {
			for i := range r.Cells {
				r.Cells[i].Metrics = nil
			}
		}, []string{"accuracy", "loss", "kept"}, []string{"no task with a score that rises from chance"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := fixture(t)
			test.change(r)
			p := build(r)
			for _, f := range p.figures() {
				for _, kind := range test.missing {
					if f.ID == kind || strings.HasPrefix(f.ID, kind+"-") {
						t.Errorf("the page has a figure %s", f.ID)
					}
				}
			}
			html, err := p.render()
			if err != nil {
				t.Fatal(err)
			}
			text := strings.NewReplacer("\u00a0", " ", "</strong>", "").Replace(string(html))
			for _, sentence := range test.said {
				if !strings.Contains(text, sentence) {
					t.Errorf("the page does not say %q", sentence)
				}
			}
		})
	}
}

func TestRead(t *testing.T) {
	dir := t.TempDir()
	if _, err := Read(dir); err == nil || !strings.Contains(err.Error(), "neither sweep.json nor distances.json") {
		t.Errorf("an empty directory gives %v", err)
	}
	if err := measured(t, 12).Write(filepath.Join(dir, "distances.json")); err != nil {
		t.Fatal(err)
	}
	r, err := Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	if figures := build(r).figures(); len(figures) != 1 || figures[0].Heat == nil {
		t.Errorf("a measurement alone gives %d figures, not its heat map", len(figures))
	}
	if err := Write(filepath.Join(dir, "page.html"), r); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, sweep.ResultFile), []byte(`{"version":2}`), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(dir); err == nil || !strings.Contains(err.Error(), "version is 2") {
		t.Errorf("a later version gives %v", err)
	}
}

func TestWrite(t *testing.T) {
	name := filepath.Join(t.TempDir(), "a page?.html")
	r := fixture(t)
	if err := Write(name, r); err != nil {
		t.Fatal(err)
	}
	html, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range build(r).figures() {
		for _, extension := range []string{".svg", ".png"} {
			if !strings.Contains(string(html), `href="./a%20page%3F-figures/`+f.ID+extension+`"`) {
				t.Errorf("the page has no link to %s", f.ID+extension)
			}
			if _, err := os.Stat(filepath.Join(filepath.Dir(name), "a page?-figures", f.ID+extension)); err != nil {
				t.Error(err)
			}
		}
	}
	if outside := regexp.MustCompile(`(src|href)="?(https?:|//)`).FindString(string(html)); outside != "" {
		t.Errorf("the page refers to something outside: %s", outside)
	}
	if err := Write(name, &sweep.Result{Version: 1}); err == nil || !strings.Contains(err.Error(), "no model yet") {
		t.Errorf("a result without models gives %v", err)
	}
}

// TestNames holds the figures' names apart however models and tasks are called.
func TestNames(t *testing.T) {
	r := fixture(t)
	for i := range r.Cells {
		switch c := &r.Cells[i]; c.Task {
		case "mmlu":
			c.Task = "../../é"
		case "boolq":
			c.Task = "../../è"
		}
	}
	seen := map[string]bool{}
	for _, f := range build(r).figures() {
		if seen[f.ID] || !regexp.MustCompile(`^[a-z0-9-]+$`).MatchString(f.ID) {
			t.Errorf("a figure is called %q", f.ID)
		}
		seen[f.ID] = true
	}
	if !seen["accuracy-x"] || !seen["accuracy-x-2"] {
		t.Errorf("figures are called %v", seen)
	}
}

func TestPlain(t *testing.T) {
	tests := [][2]string{
		{"llama-2-7b", "llama-2-7b"},
		{"a\u202eb\nc\u0000d", "a b c d"},
		{strings.Repeat("ä", 121), strings.Repeat("ä", 120) + "…"},
		{"", ""},
	}
	for _, test := range tests {
		if got := plain(test[0]); got != test[1] {
			t.Errorf("plain(%q) is %q, want %q", test[0], got, test[1])
		}
	}
}

// TestColours holds the style's inks to the pictures' and all text to a contrast of 4.5 to 1, as WCAG 2.2 asks, light and dark.
func TestColours(t *testing.T) {
	data, err := fs.ReadFile(web, "web/page.css")
	if err != nil {
		t.Fatal(err)
	}
	themes := regexp.MustCompile(`(?s):root \{(.*?)\}`).FindAllStringSubmatch(string(data), -1)
	if len(themes) != 2 {
		t.Fatalf("the style has %d themes, not two", len(themes))
	}
	for i, theme := range themes {
		colours := map[string]string{}
		for _, m := range regexp.MustCompile(`--(\w+): (#[0-9a-f]{6})`).FindAllStringSubmatch(theme[1], -1) {
			colours[m[1]] = m[2]
		}
		for k, ink := range inks {
			if got := colours[fmt.Sprintf("ink%d", k)]; i == 0 && got != ink {
				t.Errorf("ink %d is %s on the page and %s in pictures", k, got, ink)
			}
		}
		for name, colour := range colours {
			if name == "paper" || name == "panel" || name == "hair" {
				continue
			}
			for _, ground := range []string{"paper", "panel"} {
				if c := contrast(t, colour, colours[ground]); c < 4.5 {
					t.Errorf("theme %d: %s on %s has a contrast of %.2f", i, name, ground, c)
				}
			}
		}
	}
}

// contrast is WCAG's ratio of two colours' relative luminances.
func contrast(t *testing.T, a, b string) float64 {
	t.Helper()
	luminance := func(hex string) (sum float64) {
		for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
			v, err := strconv.ParseUint(hex[1+2*i:3+2*i], 16, 8)
			if err != nil {
				t.Fatal(err)
			}
			c := float64(v) / 255
			if c <= 0.04045 {
				c /= 12.92
			} else {
				c = math.Pow((c+0.055)/1.055, 2.4)
			}
			sum += weight * c
		}
		return sum
	}
	x, y := luminance(a), luminance(b)
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}
