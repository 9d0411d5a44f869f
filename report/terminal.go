package report

import (
	"fmt"
	"image/color"
	"strings"

	"shallow/similarity"
)

// Colours is what a terminal can show.
type Colours int

// What terminals can show.
const (
	Plain     Colours = iota // characters only
	Colour256                // the palette of 256
	TrueColour
)

// HeatMap draws the distances with characters: n upwards, ℓ to the right, n = L left out since it has one block only.
// width is the number of columns there are, 0 if it does not matter.
func HeatMap(d *similarity.Distances, c Colours, width int) string {
	const margin = 5
	var b strings.Builder
	rows := rescale(d)
	cell := 2
	if width > 0 && margin+2*d.Layers > width {
		cell = 1
	}
	fmt.Fprintf(&b, "   n  distance of n layers from layer ℓ on, each row from its %s to its %s\n",
		legend(0, c, "least"), legend(1, c, "greatest"))
	for n := max(1, d.Layers-1); n >= 1; n-- {
		fmt.Fprintf(&b, "%4d ", n)
		for l, v := range rows[n-1] {
			b.WriteString(cellText(v, l == d.Best[n-1].Start, cell, c))
		}
		b.WriteByte('\n')
	}
	b.WriteString(axis(d.Layers, cell, margin))
	return b.String()
}

// cellText is one cell: a coloured one with a dot for a row's best block, or a digit 0 to 9 with a star.
func cellText(v float64, best bool, cell int, c Colours) string {
	if c == Plain {
		digit := fmt.Sprint(min(9, int(v*10)))
		switch {
		case cell == 1 && best:
			return "*"
		case cell == 1:
			return digit
		case best:
			return "*" + digit
		}
		return " " + digit
	}
	text := "  "[:cell]
	if best {
		text = "● "[:len("●")+cell-1]
	}
	return paint(shade(v), c, text)
}

// legend is a word beside a sample of its colour, or its digit.
func legend(v float64, c Colours, word string) string {
	if c == Plain {
		return fmt.Sprintf("%s (%d)", word, min(9, int(v*10)))
	}
	return word + " " + paint(shade(v), c, "  ")
}

// paint writes black text on a coloured ground.
func paint(ground color.RGBA, c Colours, text string) string {
	if c == TrueColour {
		return fmt.Sprintf("\x1b[48;2;%d;%d;%dm\x1b[30m%s\x1b[0m", ground.R, ground.G, ground.B, text)
	}
	// The palette's cube of 6×6×6 colours begins at 16.
	step := func(v uint8) int { return (int(v)*5 + 127) / 255 }
	return fmt.Sprintf("\x1b[48;5;%dm\x1b[30m%s\x1b[0m", 16+36*step(ground.R)+6*step(ground.G)+step(ground.B), text)
}

// axis numbers the columns, every fifth or tenth layer.
func axis(layers, cell, margin int) string {
	every := 5
	if cell == 1 {
		every = 10
	}
	line := []byte(strings.Repeat(" ", margin+layers*cell+8))
	for l := 0; l < layers; l += every {
		copy(line[margin+l*cell+cell-1:], fmt.Sprint(l))
	}
	return strings.TrimRight(string(line), " ") + "  ℓ\n"
}
