package report

import (
	"image/color"
	"math"

	"shallow/similarity"
)

// viridis are anchors, evenly spaced, of matplotlib's colour map of that name, dark to light.
var viridis = [...]color.RGBA{
	{0x44, 0x01, 0x54, 0xff}, {0x47, 0x2d, 0x7b, 0xff}, {0x3b, 0x52, 0x8b, 0xff}, {0x2c, 0x72, 0x8e, 0xff},
	{0x21, 0x91, 0x8c, 0xff}, {0x28, 0xae, 0x80, 0xff}, {0x5e, 0xc9, 0x62, 0xff}, {0xad, 0xdc, 0x30, 0xff},
	{0xfd, 0xe7, 0x25, 0xff},
}

// shade is viridis turned round, as the paper has it: 0, a small distance, is yellow and 1 is dark.
func shade(v float64) color.RGBA {
	at := (1 - max(0, min(1, v))) * float64(len(viridis)-1)
	i := min(int(at), len(viridis)-2)
	f := at - float64(i)
	mix := func(a, b uint8) uint8 { return uint8(math.Round(float64(a) + f*(float64(b)-float64(a)))) }
	a, b := viridis[i], viridis[i+1]
	return color.RGBA{mix(a.R, b.R), mix(a.G, b.G), mix(a.B, b.B), 0xff}
}

// rescale maps each row of distances to [0, 1], as the paper's authors do for figure 4: from the row's least value to
// its greatest, the two values at either end not counted for the greatest, since blocks at the ends stand far out. What
// is beyond it is 1. Rows of fewer than eight count whole.
func rescale(d *similarity.Distances) [][]float64 {
	rows := make([][]float64, len(d.Distances))
	for i, row := range d.Distances {
		inner := row
		if len(row) >= 8 {
			inner = row[2 : len(row)-2]
		}
		low, high := math.Inf(1), math.Inf(-1)
		for _, v := range row {
			low = min(low, v)
		}
		for _, v := range inner {
			high = max(high, v)
		}
		rows[i] = make([]float64, len(row))
		for l, v := range row {
			switch {
			case v > high:
				rows[i][l] = 1
			case v > low:
				rows[i][l] = (v - low) / (high - low)
			}
		}
	}
	return rows
}
