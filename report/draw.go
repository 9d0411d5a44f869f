package report

import (
	"bytes"
	"fmt"
	"image/color"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"
)

// The size of a chart's picture.
const (
	chartWidth  = 6 * vg.Inch
	chartHeight = 4 * vg.Inch
	legendLine  = vg.Inch / 6
	legendGap   = vg.Inch / 12
)

// pictures are a figure as SVG and as PNG.
func (f *figure) pictures(b *builder) (svg, png []byte, err error) {
	var p *plot.Plot
	width, height, legend := chartWidth, chartHeight, plot.NewLegend()
	strip := vg.Length(0)
	if f.Heat != nil {
		p, err = picture(b.model.Distances, plain(b.model.Name), f.Heat.Chosen)
		width, height = pictureWidth, pictureHeight
	} else {
		p, err = f.Chart.plot(&legend)
		if len(f.Chart.Lines) > 1 {
			strip = legendGap + legendLine*vg.Length(len(f.Chart.Lines))
		}
	}
	if err == nil {
		svg, err = drawn(p, legend, strip, vgsvg.New(width, height+strip))
	}
	if err == nil {
		png, err = drawn(p, legend, strip, vgimg.PngCanvas{Canvas: vgimg.New(width, height+strip)})
	}
	if err != nil {
		return nil, nil, fmt.Errorf("report: %s: %w", f.ID, err)
	}
	return svg, png, nil
}

// drawn is a plot with its legend in a strip below it.
func drawn(p *plot.Plot, legend plot.Legend, strip vg.Length, c vg.CanvasWriterTo) ([]byte, error) {
	all := draw.Crop(draw.New(c), margin, -margin, margin, -margin)
	p.Draw(draw.Crop(all, 0, 0, strip, 0))
	if strip > 0 {
		legend.Draw(draw.Crop(all, vg.Points(40), 0, 0, strip-legendGap-all.Max.Y+all.Min.Y))
	}
	var b bytes.Buffer
	if _, err := c.WriteTo(&b); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// plot is the chart as gonum/plot draws it: the page's, with a legend in place of labels.
func (c *chart) plot(legend *plot.Legend) (*plot.Plot, error) {
	p := plot.New()
	p.Title.Text = c.Title
	p.Title.TextStyle.Font.Size = vg.Points(11)
	p.Title.Padding = vg.Points(8)
	for _, style := range []*draw.TextStyle{
		&p.Title.TextStyle, &p.X.Label.TextStyle, &p.Y.Label.TextStyle, &p.X.Tick.Label, &p.Y.Tick.Label,
	} {
		style.Font.Variant = "Sans"
	}
	p.X.Label.TextStyle.Font.Size, p.Y.Label.TextStyle.Font.Size = vg.Points(10), vg.Points(10)
	p.X.Tick.Label.Font.Size, p.Y.Tick.Label.Font.Size = vg.Points(9), vg.Points(9)
	p.X.Label.Text, p.Y.Label.Text = c.X.Label, c.Y.Label
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = c.X.Low, c.X.High, c.Y.Low, c.Y.High
	p.X.Tick.Marker, p.Y.Tick.Marker = ticks{c.X.Percent}, ticks{c.Y.Percent}
	legend.Top, legend.Left, legend.Padding = true, true, vg.Points(2.5)
	legend.TextStyle.Font.Variant, legend.TextStyle.Font.Size = "Sans", vg.Points(9)
	for _, l := range c.Levels {
		if err := c.addLevel(p, l); err != nil {
			return nil, err
		}
	}
	for _, l := range c.Lines {
		if err := c.addLine(p, legend, l); err != nil {
			return nil, err
		}
	}
	return p, nil
}

func (c *chart) addLevel(p *plot.Plot, l level) error {
	at, err := plotter.NewLine(plotter.XYs{{X: c.X.Low, Y: l.Value}, {X: c.X.High, Y: l.Value}})
	if err != nil {
		return err
	}
	at.Color, at.Dashes = color.Gray{0x80}, []vg.Length{vg.Points(1), vg.Points(2)}
	x, align, offset := c.X.Low, text.XLeft, vg.Point{X: vg.Points(3), Y: vg.Points(3)}
	if l.Start {
		x, align, offset.X = c.X.High, text.XRight, -offset.X
	}
	if l.Start != c.Falls {
		offset.Y = -vg.Points(10)
	}
	words, err := plotter.NewLabels(plotter.XYLabels{XYs: plotter.XYs{{X: x, Y: l.Value}}, Labels: []string{l.Label}})
	if err != nil {
		return err
	}
	style := &words.TextStyle[0]
	style.Font.Variant, style.Font.Size, style.Color, style.XAlign = "Sans", vg.Points(8), color.Gray{0x58}, align
	words.Offset = offset
	p.Add(at, words)
	return nil
}

func (c *chart) addLine(p *plot.Plot, legend *plot.Legend, l line) error {
	ink := rgb(inks[l.Colour])
	points := make(plotter.XYs, len(l.Points))
	bars := struct {
		plotter.XYs
		plotter.YErrors
	}{YErrors: make(plotter.YErrors, len(l.Points))}
	var rings plotter.XYs
	for i, q := range l.Points {
		points[i] = plotter.XY{X: q.X, Y: min(max(q.Y, c.Y.Low), c.Y.High)}
		bars.YErrors[i].Low = min(q.Error, points[i].Y-c.Y.Low)
		bars.YErrors[i].High = min(q.Error, c.Y.High-points[i].Y)
		if q.Mark != "" {
			rings = append(rings, points[i])
		}
	}
	bars.XYs = points
	stroke, dots, err := plotter.NewLinePoints(points)
	if err != nil {
		return err
	}
	stroke.Color, stroke.Width = ink, vg.Points(1.2)
	for _, d := range dashes[l.Dash] {
		stroke.Dashes = append(stroke.Dashes, vg.Points(d*0.75))
	}
	dots.GlyphStyle = draw.GlyphStyle{Color: ink, Radius: vg.Points(2), Shape: draw.CircleGlyph{}}
	if l.Hollow {
		dots.Shape = draw.RingGlyph{}
	}
	dots.GlyphStyleFunc = func(i int) draw.GlyphStyle {
		s := dots.GlyphStyle
		switch q := l.Points[i]; {
		case q.Y > c.Y.High || q.Y < c.Y.Low:
			s.Shape = draw.TriangleGlyph{}
		case q.Recorded && l.Hollow:
			s.Shape = draw.SquareGlyph{}
		case q.Recorded:
			s.Shape = draw.BoxGlyph{}
		}
		return s
	}
	errors, err := plotter.NewYErrorBars(bars)
	if err != nil {
		return err
	}
	errors.Color, errors.Width, errors.CapWidth = ink, vg.Points(0.6), vg.Points(3)
	p.Add(stroke, errors, dots)
	if len(rings) > 0 {
		marks, err := plotter.NewScatter(rings)
		if err != nil {
			return err
		}
		marks.GlyphStyle = draw.GlyphStyle{Color: ink, Radius: vg.Points(5), Shape: draw.RingGlyph{}}
		p.Add(marks)
	}
	legend.Add(l.Label, stroke, dots)
	return nil
}

// rgb reads a colour of inks.
func rgb(hex string) color.RGBA {
	c := color.RGBA{A: 0xff}
	_, _ = fmt.Sscanf(hex, "#%02x%02x%02x", &c.R, &c.G, &c.B)
	return c
}

// ticks are gonum's, as percentages where the axis shows shares.
type ticks struct{ percent bool }

func (t ticks) Ticks(low, high float64) []plot.Tick {
	all := plot.DefaultTicks{}.Ticks(low, high)
	for i := range all {
		if t.percent && all[i].Label != "" {
			all[i].Label = percent(all[i].Value)
		}
	}
	return all
}
