package report

import (
	"fmt"
	"image/color"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/palette"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"

	"shallow/internal/atomicfile"
	"shallow/similarity"
)

// The picture's size. A PNG has 96 pixels an inch.
const (
	pictureWidth  = 7 * vg.Inch
	pictureHeight = 6 * vg.Inch
	margin        = vg.Inch / 8
)

// WritePNG draws the heat map as a PNG file.
func WritePNG(name string, d *similarity.Distances) error {
	return write(name, d, vgimg.PngCanvas{Canvas: vgimg.New(pictureWidth, pictureHeight)})
}

// WriteSVG draws the heat map as an SVG file.
func WriteSVG(name string, d *similarity.Distances) error {
	return write(name, d, vgsvg.New(pictureWidth, pictureHeight))
}

func write(name string, d *similarity.Distances, c vg.CanvasWriterTo) error {
	starts := make([]int, len(d.Best))
	for i, b := range d.Best {
		starts[i] = b.Start
	}
	p, err := picture(d, d.Model.Name, starts)
	if err != nil {
		return fmt.Errorf("report: %s: %w", name, err)
	}
	data, err := drawn(p, p.Legend, 0, c)
	if err != nil {
		return fmt.Errorf("report: %s: %w", name, err)
	}
	if err := atomicfile.Write(name, data); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return nil
}

// picture is the heat map with a ring round the block of each row that starts at starts[n-1], unless that is negative.
func picture(d *similarity.Distances, name string, starts []int) (*plot.Plot, error) {
	p := plot.New()
	p.Title.Text = fmt.Sprintf("%s: angular distance, each row from its least (yellow) to its greatest", name)
	p.Title.TextStyle.Font.Size = vg.Points(11)
	p.Title.Padding = vg.Points(6)
	p.X.Label.Text = "first layer of the block, ℓ"
	p.Y.Label.Text = "layers in the block, n"
	p.X.Tick.Marker, p.Y.Tick.Marker = integers{}, integers{}

	cells := plotter.NewHeatMap(grid{rescale(d)}, shades{})
	cells.Min, cells.Max = 0, 1
	cells.NaN = color.Transparent
	p.Add(cells)

	var points plotter.XYs
	for i, start := range starts {
		if start >= 0 {
			points = append(points, plotter.XY{X: float64(start), Y: float64(i + 1)})
		}
	}
	if len(points) == 0 {
		return p, nil
	}
	marks, err := plotter.NewScatter(points)
	if err != nil {
		return nil, err
	}
	marks.GlyphStyle = draw.GlyphStyle{Color: color.Black, Radius: vg.Points(2.5), Shape: draw.RingGlyph{}}
	p.Add(marks)
	return p, nil
}

// grid is the triangle of distances as gonum/plot wants it: columns ℓ, rows n, NaN where no block fits.
type grid struct{ rows [][]float64 }

func (g grid) Dims() (c, r int) { return len(g.rows), len(g.rows) }
func (g grid) X(c int) float64  { return float64(c) }
func (g grid) Y(r int) float64  { return float64(r + 1) }
func (g grid) Z(c, r int) float64 {
	if c >= len(g.rows[r]) {
		return math.NaN()
	}
	return g.rows[r][c]
}

// shades is the colour map as a palette.
type shades struct{}

var _ palette.Palette = shades{}

func (shades) Colors() []color.Color {
	const steps = 256
	colors := make([]color.Color, steps)
	for i := range colors {
		colors[i] = shade(float64(i) / (steps - 1))
	}
	return colors
}

// integers puts ticks at whole numbers only.
type integers struct{}

func (integers) Ticks(low, high float64) []plot.Tick {
	every := 1
	for (high-low)/float64(every) > 12 {
		switch every {
		case 1:
			every = 2
		case 2:
			every = 5
		default:
			every *= 2
		}
	}
	var ticks []plot.Tick
	for v := int(math.Ceil(low)); v <= int(high); v++ {
		if v%every == 0 {
			ticks = append(ticks, plot.Tick{Value: float64(v), Label: fmt.Sprint(v)})
		}
	}
	return ticks
}
