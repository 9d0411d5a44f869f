package cpu

import (
	"math"

	"shallow/compute"
)

// Dropout zeroes elements by four numbers of Philox at a time: the counter is the token, a quarter of the channel, and
// layer and module; the key is seed and step.
func (d *Device) Dropout(out, x, tokens compute.Tensor, key compute.DropoutKey, probability float32) {
	const op = "Dropout"
	if !d.ok() || !d.fits(op, "x", x, x.Rows, x.Cols, compute.Float32) || !d.fits(op, "out", out, x.Rows, x.Cols, compute.Float32) {
		return
	}
	if !(probability >= 0 && probability < 1) {
		d.fail("%s: a probability of %g", op, probability)
		return
	}
	at, ok := d.indices(op, "tokens", tokens, x.Rows, 0, math.MaxInt32)
	if !ok {
		return
	}
	limit := uint32(float64(probability) * (1 << 32))
	keep := 1 / (1 - probability)
	d.eachRows(x.Rows, 8*x.Cols, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			to, from := floatRow(out, i), floatRow(x, i)
			for j := 0; j < len(from); j += 4 {
				bits := philox([4]uint32{uint32(at[i]), uint32(j / 4), key.Layer<<8 | key.Module, key.MicroStep}, [2]uint32{key.Seed, key.Step})
				for l, b := range bits[:min(4, len(from)-j)] {
					if b < limit {
						to[j+l] = 0
					} else {
						to[j+l] = from[j+l] * keep
					}
				}
			}
		}
	})
}

// philox is Philox4x32-10. Source: Salmon et al., 2011, section 3.3.
func philox(counter [4]uint32, key [2]uint32) [4]uint32 {
	for range 10 {
		a := uint64(0xD2511F53) * uint64(counter[0])
		b := uint64(0xCD9E8D57) * uint64(counter[2])
		counter = [4]uint32{uint32(b>>32) ^ counter[1] ^ key[0], uint32(b), uint32(a>>32) ^ counter[3] ^ key[1], uint32(a)}
		key[0] += 0x9E3779B9
		key[1] += 0xBB67AE85
	}
	return counter
}
