package report

import (
	"bytes"
	"flag"
	"image"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"testing"

	"shallow/similarity"
)

var update = flag.Bool("update", false, "write the golden files anew")

// measured looks like a real model's distances: the first and last layers stand out, the least is deep.
func measured(t *testing.T, layers int) *similarity.Distances {
	t.Helper()
	var tables []similarity.Table
	for s := range 4 {
		table := make(similarity.Table, layers)
		for i := range table {
			n := i + 1
			for l := 0; l+n <= layers; l++ {
				v := 0.06*math.Sqrt(float64(n)) + 0.004*math.Abs(float64(l+n)-0.85*float64(layers))
				if l == 0 {
					v += 0.2
				}
				if l+n == layers {
					v += 0.1
				}
				// The sequences differ, and differ about even starts.
				v += 0.001*float64(s) + 0.01*float64((s%2)*(1-l%2))
				table[i] = append(table[i], v)
			}
		}
		tables = append(tables, table)
	}
	d, err := similarity.Reduce(layers, tables)
	if err != nil {
		t.Fatal(err)
	}
	d.Tokens = 100
	d.Model.Name = "tiny"
	d.Influence = &similarity.Influence{Metric: "1-cosine", Tokens: 100}
	for l := range layers - 1 {
		d.Influence.Layers = append(d.Influence.Layers, 0.3/float64(l+1))
	}
	return d
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	name = filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(name, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs; got\n%s", name, got)
	}
}

func TestText(t *testing.T) {
	d := measured(t, 12)
	golden(t, "plain.txt", []byte(HeatMap(d, Plain, 80)))
	golden(t, "narrow.txt", []byte(HeatMap(d, Plain, 20)))
	golden(t, "256.txt", []byte(HeatMap(d, Colour256, 80)))
	golden(t, "true.txt", []byte(HeatMap(d, TrueColour, 0)))
	golden(t, "best.txt", []byte(Best(d)))
	golden(t, "layers.txt", []byte(Layers(d)))
}

func TestTextOfOneLayer(t *testing.T) {
	d, err := similarity.Reduce(1, []similarity.Table{{{0.25}}})
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "one.txt", []byte(HeatMap(d, Plain, 80)+Best(d)+Layers(d)))
}

func TestRescale(t *testing.T) {
	d := &similarity.Distances{Distances: [][]float64{
		{0.9, 0.7, 0.3, 0.5, 0.1, 0.1, 0.2, 0.8}, // but for two at either end: 0.1 to 0.5
		{0.1, 0.3, 0.2, 0.5},
		{0.2, 0.2, 0.2},
	}}
	want := [][]float64{{1, 1, 0.5, 1, 0, 0, 0.25, 1}, {0, 0.5, 0.25, 1}, {0, 0, 0}}
	for i, row := range rescale(d) {
		for l, v := range row {
			if math.Abs(v-want[i][l]) > 1e-12 {
				t.Errorf("row %d is %v, want %v", i, row, want[i])
				break
			}
		}
	}
}

func TestPictures(t *testing.T) {
	d := measured(t, 12)
	dir := t.TempDir()
	if err := WriteSVG(filepath.Join(dir, "heatmap.svg"), d); err != nil {
		t.Fatal(err)
	}
	svg, err := os.ReadFile(filepath.Join(dir, "heatmap.svg"))
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "heatmap.svg", svg)

	if err := WritePNG(filepath.Join(dir, "heatmap.png"), d); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(dir, "heatmap.png"))
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(filepath.Join("testdata", "heatmap.png"), got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(filepath.Join("testdata", "heatmap.png"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := difference(t, got, want); diff > 1 {
		t.Errorf("heatmap.png differs from testdata by %.2f of 255 a pixel", diff)
	}
}

// difference is the mean difference of two pictures' colours. Processors may round the edges of letters differently.
func difference(t *testing.T, a, b []byte) float64 {
	t.Helper()
	decode := func(data []byte) image.Image {
		m, err := png.Decode(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	x, y := decode(a), decode(b)
	if x.Bounds() != y.Bounds() {
		t.Fatalf("the picture has size %v, want %v", x.Bounds(), y.Bounds())
	}
	var sum, n float64
	for i := x.Bounds().Min.X; i < x.Bounds().Max.X; i++ {
		for j := x.Bounds().Min.Y; j < x.Bounds().Max.Y; j++ {
			r1, g1, b1, _ := x.At(i, j).RGBA()
			r2, g2, b2, _ := y.At(i, j).RGBA()
			sum += math.Abs(float64(r1)-float64(r2)) + math.Abs(float64(g1)-float64(g2)) + math.Abs(float64(b1)-float64(b2))
			n += 3
		}
	}
	return sum / n / 257
}
