package main

import (
	"fmt"
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// activations emits each activation with and without a gate, and the soft cap.
func (l lanes) activations() {
	for _, a := range []struct {
		name, is string
		emit     func()
	}{
		{"silu", "x/(1+e^-x)", l.silu},
		{"gelu", "x·Φ(x)", l.gelu},
		{"geluTanh", "x/(1+e^(-2·√(2/π)·(x+0.044715·x³)))", l.geluTanh},
		{"quickGELU", "x/(1+e^(-1.702·x))", l.quickGELU},
		{"relu", "max(0, x)", l.relu},
		{"reluSquared", "max(0, x)²", func() { l.relu(); VMULPS(l.v[0], l.v[0], l.v[0]) }},
		{"sigmoid", "1/(1+e^-x)", l.sigmoid},
	} {
		l.text(a.name, "func(out, x *float32, n int)", "writes "+a.is+".")
		out, x, n := pointer("out"), pointer("x"), pointer("n")
		l.each(n, []reg.Register{out, x}, func(tail bool) {
			l.load(x, 0, tail)
			a.emit()
			l.store(0, out, tail)
		})
		VZEROUPPER()
		RET()

		l.text(a.name+"Gated", "func(out, gate, up *float32, n int)", "writes up·"+a.is+" of x = gate.")
		out, gate, up, n := pointer("out"), pointer("gate"), pointer("up"), pointer("n")
		l.each(n, []reg.Register{out, gate, up}, func(tail bool) {
			l.load(gate, 0, tail)
			l.load(up, 1, tail)
			a.emit()
			VMULPS(l.v[1], l.v[0], l.v[0])
			l.store(0, out, tail)
		})
		VZEROUPPER()
		RET()
	}
	l.tanh()
}

// made are the constants in the file being written.
var made = map[string]Mem{}

// c is a vector of v in memory.
func (l lanes) c(v float32) Mem {
	bits := math.Float32bits(v)
	name := fmt.Sprintf("float%08xx%d", bits, l.floats)
	if m, ok := made[name]; ok {
		return m
	}
	m := GLOBL(name, RODATA|NOPTR)
	for i := range l.floats {
		DATA(4*i, U32(bits))
	}
	made[name] = m
	return m
}

var (
	signBit   = math.Float32frombits(1 << 31)
	otherBits = math.Float32frombits(1<<31 - 1)
)

// The activations replace vector 0. Vectors 2 to 14 are scratch.

// overOnePlusExp is numerator/(1 + e^v2).
func (l lanes) overOnePlusExp(numerator int) {
	l.exp(2, 3)
	VADDPS(l.c(1), l.v[2], l.v[2])
	VDIVPS(l.v[2], l.v[numerator], l.v[0])
}

func (l lanes) silu() {
	l.zero(2)
	VSUBPS(l.v[0], l.v[2], l.v[2])
	l.overOnePlusExp(0)
}

func (l lanes) quickGELU() {
	VMULPS(l.c(-1.702), l.v[0], l.v[2])
	l.overOnePlusExp(0)
}

func (l lanes) sigmoid() {
	l.zero(2)
	VSUBPS(l.v[0], l.v[2], l.v[2])
	VMOVUPS(l.c(1), l.v[6])
	l.overOnePlusExp(6)
}

func (l lanes) geluTanh() {
	twice := 2 * math.Sqrt(2/math.Pi)
	VMULPS(l.v[0], l.v[0], l.v[2])
	VMOVUPS(l.c(float32(-twice*0.044715)), l.v[3])
	VFMADD213PS(l.c(float32(-twice)), l.v[3], l.v[2])
	VMULPS(l.v[0], l.v[2], l.v[2])
	l.overOnePlusExp(0)
}

// relu keeps NaN: the maximum is its second operand where one is NaN.
func (l lanes) relu() {
	l.zero(2)
	VMAXPS(l.v[0], l.v[2], l.v[0])
}

// tails are the coefficients of Φ(-a)·e^(a²/2) = t·Σ tails[i]·tⁱ with t = 1/(1 + tailScale·a), for a from 0 to 13.4, where
// Φ(-a) is no normal number any more: 2e-8 of it by weighted least squares (Lawson), 2.3e-7 with float32's roundings.
var tails = []float32{
	0.13961230218410492, 0.14005613327026367, 0.11808071285486221, 0.11428467184305191, -0.050089020282030106,
	0.21211935579776764, -0.32226648926734924, 0.1958124041557312, -0.05192391946911812, 0.004313833545893431,
}

const tailScale = 0.35

func (l lanes) gelu() {
	const a, t, p, h, low = 2, 3, 4, 5, 6
	VANDPS(l.c(otherBits), l.v[0], l.v[a])
	VMINPS(l.c(14), l.v[a], l.v[a])
	VMOVUPS(l.c(tailScale), l.v[t])
	VFMADD213PS(l.c(1), l.v[a], l.v[t])
	VMOVUPS(l.c(1), l.v[p])
	VDIVPS(l.v[t], l.v[p], l.v[t])
	VMOVUPS(l.c(tails[len(tails)-1]), l.v[p])
	for i := len(tails) - 2; i >= 0; i-- {
		VFMADD213PS(l.c(tails[i]), l.v[t], l.v[p])
	}
	VMULPS(l.v[t], l.v[p], l.v[p])
	// a² in two parts: its rounding error would count e^(a²/2) times.
	VMULPS(l.v[a], l.v[a], l.v[h])
	VMOVAPS(l.v[a], l.v[low])
	VFMSUB213PS(l.v[h], l.v[a], l.v[low])
	VMULPS(l.c(-0.5), l.v[h], l.v[h])
	VMULPS(l.c(-0.5), l.v[low], l.v[low])
	l.exp(h, 7)
	VFMADD213PS(l.v[h], l.v[h], l.v[low]) // e^h · (1 + low)
	VMULPS(l.v[low], l.v[p], l.v[p])      // Φ(-a)
	VMOVUPS(l.c(1), l.v[h])
	VSUBPS(l.v[p], l.v[h], l.v[h])
	if l.wide {
		VPMOVD2M(l.v[0], reg.K3)
		VMOVAPS(l.v[p], reg.K3, l.v[h])
	} else {
		VBLENDVPS(l.v[0], l.v[p], l.v[h], l.v[h])
	}
	VMULPS(l.v[h], l.v[0], l.v[0])
}

// tanhs are the coefficients of (tanh(y)/y - 1)/y² in y² for |y| ≤ 0.63: 2e-8 of tanh by weighted least squares.
var tanhs = []float32{-0.333333283662796, 0.1333271861076355, -0.05384330824017525, 0.02096151001751423, -0.006045390386134386}

// tanh is limit·tanh(y) with y = x·factor, factor = scale/limit. Where y is small it is x·scale·tanh(y)/y, which leaves the
// smallest as they are.
func (l lanes) tanh() {
	l.text("tanh", "func(out, x *float32, scale, factor, limit float32, n int)", "writes limit·tanh(x·factor), where factor is scale/limit.")
	out, x, n := pointer("out"), pointer("x"), pointer("n")
	const scale, factor, limit = 10, 11, 12
	l.broadcast("scale", scale)
	l.broadcast("factor", factor)
	l.broadcast("limit", limit)
	const y, square, p, size, e = 1, 2, 3, 4, 5
	l.each(n, []reg.Register{out, x}, func(tail bool) {
		l.load(x, 0, tail)
		VMULPS(l.v[factor], l.v[0], l.v[y])
		VMULPS(l.v[y], l.v[y], l.v[square])
		VMOVUPS(l.c(tanhs[len(tanhs)-1]), l.v[p])
		for i := len(tanhs) - 2; i >= 0; i-- {
			VFMADD213PS(l.c(tanhs[i]), l.v[square], l.v[p])
		}
		VFMADD213PS(l.c(1), l.v[square], l.v[p])
		VMULPS(l.v[scale], l.v[0], l.v[0])
		VMULPS(l.v[p], l.v[0], l.v[0])

		VANDPS(l.c(otherBits), l.v[y], l.v[size])
		VANDPS(l.c(signBit), l.v[y], l.v[y])
		VADDPS(l.v[size], l.v[size], l.v[e])
		l.exp(e, 6)
		VADDPS(l.c(1), l.v[e], l.v[e])
		VMOVUPS(l.c(2), l.v[6])
		VDIVPS(l.v[e], l.v[6], l.v[e])
		VMOVUPS(l.c(1), l.v[6])
		VSUBPS(l.v[e], l.v[6], l.v[e]) // 1 - 2/(e^2|y| + 1)
		VMULPS(l.v[limit], l.v[e], l.v[e])
		VORPS(l.v[y], l.v[e], l.v[e])
		const less = 0x11
		if l.wide {
			VCMPPS(U8(less), l.c(0.625), l.v[size], reg.K3)
			VMOVAPS(l.v[0], reg.K3, l.v[e])
		} else {
			VCMPPS(U8(less), l.c(0.625), l.v[size], l.v[6])
			VBLENDVPS(l.v[6], l.v[0], l.v[e], l.v[e])
		}
		l.store(e, out, tail)
	})
	VZEROUPPER()
	RET()
}
