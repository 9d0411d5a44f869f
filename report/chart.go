package report

import (
	"fmt"
	"math"
	"strings"

	"shallow/sweep"
)

// chart is one figure: the page's script and the pictures are drawn from the same.
type chart struct {
	ID     string  `json:"id"` // the name of its files too
	Title  string  `json:"title"`
	X      scale   `json:"x"`
	Y      scale   `json:"y"`
	Lines  []line  `json:"lines"`
	Levels []level `json:"levels,omitempty"`
	// Falls says that lines go down from the unpruned model, so that labels find room.
	Falls bool `json:"falls"`
}

// scale is a chart's axis. Points beyond its ends are drawn at them, as arrows.
type scale struct {
	Label   string  `json:"label"`
	Percent bool    `json:"percent,omitempty"`
	Low     float64 `json:"low"`
	High    float64 `json:"high"`
}

// line is a run of points.
type line struct {
	Label  string  `json:"label"`
	Colour int     `json:"colour"` // of inks
	Dash   int     `json:"dash"`   // of dashes
	Hollow bool    `json:"hollow,omitempty"`
	Points []point `json:"points"`
}

// Stroke is the line's strokes and gaps as SVG writes them.
func (l line) Stroke() string {
	var parts []string
	for _, d := range dashes[l.Dash] {
		parts = append(parts, fmt.Sprint(d))
	}
	return strings.Join(parts, " ")
}

// point is one value. Text is what a person reads about it.
type point struct {
	X        float64 `json:"x"`
	Y        float64 `json:"y"`
	Error    float64 `json:"error,omitempty"` // one standard error of Y
	Text     string  `json:"text"`
	Mark     string  `json:"mark,omitempty"` // a ring with this label
	Recorded bool    `json:"recorded,omitempty"`
}

// level is a horizontal line to compare with.
type level struct {
	Label string  `json:"label"`
	Value float64 `json:"value"`
	// Start says that it is the unpruned model's, where the lines begin.
	Start bool `json:"start,omitempty"`
}

// The inks of lines, as page.css has them for a light page, with names for people. What there are more of than inks begins anew.
var inks = [...]string{"#3a3f47", "#0b6e99", "#c2410c", "#6d4aad", "#2f7d32", "#9a6700"}

// The inks that have a meaning.
const (
	inkPlain = iota
	inkSimilarity
	inkDeepest
	inkGeneration
	inkChoice
)

// dashes are the lengths of a line's strokes and gaps, in pixels; none is a whole line.
var dashes = [...][]float64{{}, {5, 3}, {10, 3}, {2, 3}, {10, 3, 2, 3}}

// style is the look of a curve: the strategy gives the colour, the healing the stroke, and unhealed points are hollow.
func style(r *sweep.Result, v curve) line {
	l := line{Label: plain(v.label())}
	for i, s := range strategiesOf(r) {
		if s == v.strategy {
			l.Colour = 1 + i%(len(inks)-1)
		}
	}
	for i, h := range healingsOf(r) {
		if h == v.healing && i > 1 {
			l.Dash = 1 + (i-1)%(len(dashes)-1)
		}
	}
	if v.healing == sweep.Unhealed {
		l.Dash, l.Hollow = 1, true
	}
	return l
}

// frame sets the y axis from all that is drawn, with a little room, and not beyond the limits.
func (c *chart) frame(lowest, highest float64) {
	low, high := math.Inf(1), math.Inf(-1)
	take := func(v float64) { low, high = min(low, v), max(high, v) }
	for _, l := range c.Lines {
		for _, p := range l.Points {
			take(p.Y - p.Error)
			take(p.Y + p.Error)
		}
	}
	for _, l := range c.Levels {
		take(l.Value)
	}
	if low > high {
		low, high = 0, 1
	}
	room := 0.1 * (high - low)
	if room == 0 {
		room = 0.1
	}
	c.Y.Low, c.Y.High = rounded(max(lowest, low-room)), rounded(min(highest, high+room))
	if c.Y.Low >= c.Y.High {
		c.Y.Low, c.Y.High = rounded(low-room), rounded(high+room)
	}
}

// along sets the x axis from zero to the largest value.
func (c *chart) along() {
	c.X.Low, c.X.High = 0, 0
	for _, l := range c.Lines {
		for _, p := range l.Points {
			c.X.High = max(c.X.High, p.X)
		}
	}
	if c.X.High == 0 {
		c.X.High = 1
	}
}

// dataTable is the table behind a figure.
type dataTable struct {
	Name string // what it holds, for those who hear it
	Head []string
	Rows [][]string
	// Words are how many columns from the left hold words; the others hold numbers.
	Words int
}

// figure is a chart or heat map with what stands around it.
type figure struct {
	ID      string
	Title   string
	Caption string
	Chart   *chart
	Heat    *heat
	Table   dataTable
	// PNG and SVG are links to the pictures beside the page, empty where there are none.
	PNG, SVG string
}
