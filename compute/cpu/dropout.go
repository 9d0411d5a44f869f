package cpu

import (
	"math"

	"shallow/compute"
)

// philoxRow is what the numbers of a row depend on: the counter is the token, a quarter of the channel, layer and module as place, and the
// micro-step; the key is seed and step.
type philoxRow struct {
	token, place, microStep uint32
	key                     [2]uint32
	keys                    [20][16]uint32 // the two of each round, 16 times each
}

// expand fills keys.
func (r *philoxRow) expand() {
	k := r.key
	for round := range 10 {
		for lane := range 16 {
			r.keys[2*round][lane], r.keys[2*round+1][lane] = k[0], k[1]
		}
		k[0], k[1] = k[0]+philoxWeyl0, k[1]+philoxWeyl1
	}
}

// Dropout takes four channels from each turn of Philox.
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
	keep := float32(1 / (1 - float64(probability)))
	kernel := gradientsAt(d.level).dropout
	d.eachRows(x.Rows, x.Cols, func(lo, hi int) {
		r := philoxRow{place: key.Layer<<8 | key.Module&0xff, microStep: key.MicroStep, key: [2]uint32{key.Seed, key.Step}}
		r.expand()
		for i := lo; i < hi; i++ {
			r.token = uint32(at[i])
			kernel(floatRow(out, i), floatRow(x, i), &r, limit, keep)
		}
	})
}

func dropoutGeneric(out, x []float32, r *philoxRow, limit uint32, keep float32) {
	for j := 0; j < len(x); j += 4 {
		bits := philox([4]uint32{r.token, uint32(j / 4), r.place, r.microStep}, r.key)
		for l, b := range bits[:min(4, len(x)-j)] {
			if b < limit {
				out[j+l] = 0
			} else {
				out[j+l] = x[j+l] * keep
			}
		}
	}
}

// What a round adds to the two words of the key.
const philoxWeyl0, philoxWeyl1 = 0x9E3779B9, 0xBB67AE85

// philox is Philox4x32-10. Source: Salmon et al., 2011, section 3.3.
func philox(counter [4]uint32, key [2]uint32) [4]uint32 {
	for range 10 {
		a := uint64(0xD2511F53) * uint64(counter[0])
		b := uint64(0xCD9E8D57) * uint64(counter[2])
		counter = [4]uint32{uint32(b>>32) ^ counter[1] ^ key[0], uint32(b), uint32(a>>32) ^ counter[3] ^ key[1], uint32(a)}
		key[0] += philoxWeyl0
		key[1] += philoxWeyl1
	}
	return counter
}
