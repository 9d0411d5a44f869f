package main

import (
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

func init() { generators["gradients"] = gradients }

func gradients() {
	for _, l := range []lanes{sixteen, eight} {
		l.normGradientSums()
		l.normGradient("normGradient", false)
		l.normGradient("normGradientAdd", true)
		l.weightSums()
		l.activationGradients()
		l.capGradient()
		l.scaledExps()
		l.sumScaledExps()
		l.divergence()
		l.adamW()
		l.dropout()
	}
}

// deviation replaces vector x by (x - mean)·r.
func (l lanes) deviation(x, mean, r int) {
	VSUBPS(l.v[mean], l.v[x], l.v[x])
	VMULPS(l.v[r], l.v[x], l.v[x])
}

func (l lanes) normGradientSums() {
	l.text("normGradientSums", "func(dout, x, w *float32, mean, r float32, n int) (gs, gx float64)", "are Σg and Σg·x̂ of g = dout·w and x̂ = (x-mean)·r.")
	dout, x, w, n := pointer("dout"), pointer("x"), pointer("w"), pointer("n")
	const mean, r = 12, 13
	l.broadcast("mean", mean)
	l.broadcast("r", r)
	for i := 8; i < 12; i++ {
		l.zero(i)
	}
	l.each(n, []reg.Register{dout, x, w}, func(tail bool) {
		l.load(dout, 0, tail)
		l.load(x, 1, tail)
		l.load(w, 2, tail)
		VMULPS(l.v[2], l.v[0], l.v[0])
		l.deviation(1, mean, r)
		l.widenDoubles(0, 3, 4)
		l.widenDoubles(1, 5, 6)
		for half := range 2 {
			VADDPD(l.v[3+half], l.v[8+half], l.v[8+half])
			VFMADD231PD(l.v[3+half], l.v[5+half], l.v[10+half])
		}
	})
	l.fold(8, 9, 0)
	l.fold(10, 11, 1)
	VZEROUPPER()
	RET()
}

func (l lanes) normGradient(name string, add bool) {
	doc := "writes r·(dout·w - shift - x̂·along) with x̂ = (x-mean)·r."
	if add {
		doc = "adds r·(dout·w - shift - x̂·along) with x̂ = (x-mean)·r."
	}
	l.text(name, "func(dx, dout, x, w *float32, mean, r, shift, along float32, n int)", doc)
	dx, dout, x, w, n := pointer("dx"), pointer("dout"), pointer("x"), pointer("w"), pointer("n")
	const mean, r, shift, along = 10, 11, 12, 13
	l.broadcast("mean", mean)
	l.broadcast("r", r)
	l.broadcast("shift", shift)
	l.broadcast("along", along)
	l.each(n, []reg.Register{dx, dout, x, w}, func(tail bool) {
		l.load(dout, 0, tail)
		l.load(x, 1, tail)
		l.load(w, 2, tail)
		l.deviation(1, mean, r)
		VMULPS(l.v[2], l.v[0], l.v[0])
		VSUBPS(l.v[shift], l.v[0], l.v[0])
		VFNMADD231PS(l.v[along], l.v[1], l.v[0])
		VMULPS(l.v[r], l.v[0], l.v[0])
		if add {
			l.load(dx, 3, tail)
			VADDPS(l.v[3], l.v[0], l.v[0])
		}
		l.store(0, dx, tail)
	})
	VZEROUPPER()
	RET()
}

func (l lanes) weightSums() {
	l.text("weightSums", "func(sums, dout, x *float32, mean, r float32, n int)", "is sums += dout·(x-mean)·r.")
	sums, dout, x, n := pointer("sums"), pointer("dout"), pointer("x"), pointer("n")
	const mean, r = 10, 11
	l.broadcast("mean", mean)
	l.broadcast("r", r)
	l.each(n, []reg.Register{sums, dout, x}, func(tail bool) {
		l.load(sums, 0, tail)
		l.load(dout, 1, tail)
		l.load(x, 2, tail)
		l.deviation(2, mean, r)
		VFMADD231PS(l.v[2], l.v[1], l.v[0])
		l.store(0, sums, tail)
	})
	VZEROUPPER()
	RET()
}

// What an activation's gradient leaves behind: its value in vector 0, its slope in actSlope. x is in vector 0 before and in actX;
// vectors 2 to 9 are scratch.
const actX, actSlope = 12, 13

func (l lanes) activationGradients() {
	for _, a := range []struct {
		name, is string
		emit     func()
	}{
		{"silu", "SiLU", func() { l.sigmoidGradient(1, true) }},
		{"gelu", "GELU", l.geluGradient},
		{"geluTanh", "GELUTanh", l.geluTanhGradient},
		{"quickGELU", "QuickGELU", func() { l.sigmoidGradient(1.702, true) }},
		{"relu", "ReLU", func() { l.reluGradient(false) }},
		{"reluSquared", "ReLUSquared", func() { l.reluGradient(true) }},
		{"sigmoid", "Sigmoid", func() { l.sigmoidGradient(1, false) }},
	} {
		l.text(a.name+"Gradient", "func(dx, dout, x *float32, n int)", "writes dout times the derivative of "+a.is+" at x.")
		dx, dout, x, n := pointer("dx"), pointer("dout"), pointer("x"), pointer("n")
		l.each(n, []reg.Register{dx, dout, x}, func(tail bool) {
			l.load(x, 0, tail)
			VMOVAPS(l.v[0], l.v[actX])
			a.emit()
			l.load(dout, 1, tail)
			VMULPS(l.v[actSlope], l.v[1], l.v[1])
			l.store(1, dx, tail)
		})
		VZEROUPPER()
		RET()

		l.text(a.name+"GatedGradient", "func(dgate, dup, dout, gate, up *float32, n int)", "writes dout·up times the derivative of "+a.is+" at gate, and dout times its value.")
		dgate, dup, dy, gate, up, count := pointer("dgate"), pointer("dup"), pointer("dout"), pointer("gate"), pointer("up"), pointer("n")
		l.each(count, []reg.Register{dgate, dup, dy, gate, up}, func(tail bool) {
			l.load(gate, 0, tail)
			VMOVAPS(l.v[0], l.v[actX])
			a.emit()
			l.load(dy, 1, tail)
			l.load(up, 2, tail)
			VMULPS(l.v[1], l.v[0], l.v[0])
			VMULPS(l.v[2], l.v[1], l.v[1])
			VMULPS(l.v[actSlope], l.v[1], l.v[1])
			l.store(1, dgate, tail)
			l.store(0, dup, tail)
		})
		VZEROUPPER()
		RET()
	}
}

// logistic makes 1/(1 + e^v2) in vector 6 and 1 less that in vector 7.
func (l lanes) logistic() {
	l.exp(2, 3)
	VADDPS(l.c(1), l.v[2], l.v[2])
	VMOVUPS(l.c(1), l.v[6])
	VMOVAPS(l.v[6], l.v[7])
	VDIVPS(l.v[2], l.v[6], l.v[6])
	VSUBPS(l.v[6], l.v[7], l.v[7])
}

// sigmoidGradient is that of s = 1/(1 + e^(-by·x)), or of x·s.
func (l lanes) sigmoidGradient(by float32, timesX bool) {
	VMULPS(l.c(-by), l.v[0], l.v[2])
	l.logistic()
	if !timesX {
		VMOVAPS(l.v[6], l.v[0])
		VMULPS(l.v[7], l.v[6], l.v[actSlope])
		return
	}
	VMULPS(l.c(by), l.v[actX], l.v[8])
	VFMADD213PS(l.c(1), l.v[8], l.v[7]) // 1 + by·x·(1-s)
	VMULPS(l.v[7], l.v[6], l.v[actSlope])
	VMULPS(l.v[6], l.v[0], l.v[0])
}

func (l lanes) geluTanhGradient() {
	twice := 2 * math.Sqrt(2/math.Pi)
	VMULPS(l.v[0], l.v[0], l.v[2])
	VMOVUPS(l.c(float32(3*twice*0.044715)), l.v[8])
	VFMADD213PS(l.c(float32(twice)), l.v[2], l.v[8]) // of the argument
	VMOVUPS(l.c(float32(-twice*0.044715)), l.v[3])
	VFMADD213PS(l.c(float32(-twice)), l.v[3], l.v[2])
	VMULPS(l.v[0], l.v[2], l.v[2])
	l.logistic()
	VMULPS(l.v[6], l.v[0], l.v[0])
	VMULPS(l.v[7], l.v[0], l.v[7])
	VMOVAPS(l.v[6], l.v[actSlope])
	VFMADD231PS(l.v[7], l.v[8], l.v[actSlope])
}

// geluGradient is Φ(x) + x·e^(-x²/2)/√(2π): gelu leaves Φ(x) in vector 5 and the exponential in vector 6.
func (l lanes) geluGradient() {
	l.gelu()
	VMULPS(l.c(float32(1/math.Sqrt(2*math.Pi))), l.v[6], l.v[6])
	VMOVAPS(l.v[5], l.v[actSlope])
	VFMADD231PS(l.v[6], l.v[actX], l.v[actSlope])
}

func (l lanes) reluGradient(squared bool) {
	l.zero(2)
	VMAXPS(l.v[0], l.v[2], l.v[0])
	if squared {
		VADDPS(l.v[0], l.v[0], l.v[actSlope])
		VMULPS(l.v[0], l.v[0], l.v[0])
		return
	}
	const greater = 0x1e
	VMOVUPS(l.c(1), l.v[3])
	if l.wide {
		VCMPPS(U8(greater), l.v[2], l.v[actX], reg.K3)
		VMOVAPS_Z(l.v[3], reg.K3, l.v[actSlope])
		return
	}
	VCMPPS(U8(greater), l.v[2], l.v[actX], l.v[actSlope])
	VANDPS(l.v[3], l.v[actSlope], l.v[actSlope])
}

func (l lanes) capGradient() {
	l.text("capGradient", "func(dx, y *float32, inverse float32, n int)", "is dx *= 1 - (y·inverse)².")
	dx, y, n := pointer("dx"), pointer("y"), pointer("n")
	l.broadcast("inverse", 4)
	l.each(n, []reg.Register{dx, y}, func(tail bool) {
		l.load(y, 0, tail)
		l.load(dx, 1, tail)
		VMULPS(l.v[4], l.v[0], l.v[0])
		VMOVUPS(l.c(1), l.v[2])
		VFNMADD231PS(l.v[0], l.v[0], l.v[2])
		VMULPS(l.v[2], l.v[1], l.v[1])
		l.store(1, dx, tail)
	})
	VZEROUPPER()
	RET()
}

func (l lanes) scaledExps() {
	l.text("scaledExps", "func(out, x *float32, shift, by, factor float32, n int)", "writes factor·e^((x-shift)·by).")
	out, x, n := pointer("out"), pointer("x"), pointer("n")
	l.broadcast("shift", 6)
	l.broadcast("by", 7)
	l.broadcast("factor", 8)
	l.each(n, []reg.Register{out, x}, func(tail bool) {
		l.load(x, 0, tail)
		VSUBPS(l.v[6], l.v[0], l.v[0])
		VMULPS(l.v[7], l.v[0], l.v[0])
		l.exp(0, 1)
		VMULPS(l.v[8], l.v[0], l.v[0])
		l.store(0, out, tail)
	})
	VZEROUPPER()
	RET()
}

func (l lanes) sumScaledExps() {
	l.text("sumScaledExps", "func(x *float32, shift, by float32, n int) float64", "is Σe^((x-shift)·by).")
	x, n := pointer("x"), pointer("n")
	l.broadcast("shift", 6)
	l.broadcast("by", 9)
	l.zero(7)
	l.zero(8)
	l.each(n, []reg.Register{x}, func(tail bool) {
		l.load(x, 0, tail)
		VSUBPS(l.v[6], l.v[0], l.v[0])
		VMULPS(l.v[9], l.v[0], l.v[0])
		l.exp(0, 1)
		l.keep(0, tail)
		l.widenDoubles(0, 1, 2)
		VADDPD(l.v[1], l.v[7], l.v[7])
		VADDPD(l.v[2], l.v[8], l.v[8])
	})
	l.fold(7, 8, 0)
	VZEROUPPER()
	RET()
}

func (l lanes) divergence() {
	l.text("divergence", "func(p, from, q *float32, by, shift float64, n int) float64", "is Σ p·((from-q)·by + shift) in float64.")
	p, from, q, n := pointer("p"), pointer("from"), pointer("q"), pointer("n")
	for i, name := range []string{"by", "shift"} {
		a, err := Param(name).Resolve()
		if err != nil {
			panic(err)
		}
		VBROADCASTSD(a.Addr, l.v[10+i])
	}
	l.zero(7)
	l.zero(8)
	l.each(n, []reg.Register{p, from, q}, func(tail bool) {
		l.load(p, 0, tail)
		l.load(from, 1, tail)
		l.load(q, 2, tail)
		l.widenDoubles(1, 3, 4)
		l.widenDoubles(2, 5, 6)
		for half := range 2 {
			VSUBPD(l.v[5+half], l.v[3+half], l.v[3+half])
			VFMADD213PD(l.v[11], l.v[10], l.v[3+half])
		}
		l.widenDoubles(0, 5, 6)
		for half := range 2 {
			VFMADD231PD(l.v[5+half], l.v[3+half], l.v[7+half])
		}
	})
	l.fold(7, 8, 0)
	VZEROUPPER()
	RET()
}

// adamW fuses what PyTorch fuses in both moments, and rounds the other products.
func (l lanes) adamW() {
	l.text("adamW", "func(p, m, v, gradient, settings *float32, n int)", "is one step of AdamW; settings are those of adamStep.")
	p, m, v, g, n := pointer("p"), pointer("m"), pointer("v"), pointer("gradient"), pointer("n")
	settings := pointer("settings")
	const scale, keep, fresh1, beta2, fresh2, rate, root, eps = 6, 7, 8, 9, 10, 11, 12, 13
	for i := range 8 {
		VBROADCASTSS(Mem{Base: settings, Disp: 4 * i}, l.v[scale+i])
	}
	l.each(n, []reg.Register{p, m, v, g}, func(tail bool) {
		l.load(g, 0, tail)
		l.load(m, 1, tail)
		l.load(v, 2, tail)
		l.load(p, 3, tail)
		VMULPS(l.v[scale], l.v[0], l.v[0])
		VMULPS(l.v[keep], l.v[3], l.v[3])
		VSUBPS(l.v[1], l.v[0], l.v[4])
		VFMADD231PS(l.v[fresh1], l.v[4], l.v[1])
		VMULPS(l.v[beta2], l.v[2], l.v[2])
		VMULPS(l.v[fresh2], l.v[0], l.v[4])
		VFMADD231PS(l.v[0], l.v[4], l.v[2])
		l.store(1, m, tail)
		l.store(2, v, tail)
		VSQRTPS(l.v[2], l.v[2])
		VDIVPS(l.v[root], l.v[2], l.v[2])
		VADDPS(l.v[eps], l.v[2], l.v[2])
		VMULPS(l.v[rate], l.v[1], l.v[1])
		VDIVPS(l.v[2], l.v[1], l.v[1])
		VSUBPS(l.v[1], l.v[3], l.v[3])
		l.store(3, p, tail)
	})
	VZEROUPPER()
	RET()
}
