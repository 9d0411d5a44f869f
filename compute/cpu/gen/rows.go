package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// broadcast fills a vector with an argument.
func (l lanes) broadcast(name string, dst int) {
	p, err := Param(name).Resolve()
	if err != nil {
		panic(err)
	}
	VBROADCASTSS(p.Addr, l.v[dst])
}

// keep makes lanes of the tail that are not in use 0.
func (l lanes) keep(i int, tail bool) {
	switch {
	case tail && l.wide:
		VMOVAPS_Z(l.v[i], tailK, l.v[i])
	case tail:
		VANDPS(l.v[tailMask], l.v[i], l.v[i])
	}
}

func (l lanes) sum() {
	l.text("sum", "func(x *float32, n int) float64", "is Σx.")
	x, n := pointer("x"), pointer("n")
	l.zero(4)
	l.zero(5)
	l.each(n, []reg.Register{x}, func(tail bool) {
		l.load(x, 0, tail)
		l.widenDoubles(0, 1, 2)
		VADDPD(l.v[1], l.v[4], l.v[4])
		VADDPD(l.v[2], l.v[5], l.v[5])
	})
	l.fold(4, 5, 0)
	VZEROUPPER()
	RET()
}

func (l lanes) squaresAround() {
	l.text("squaresAround", "func(x *float32, mean float32, n int) float64", "is Σ(x-mean)², differences rounded to float32.")
	x, n := pointer("x"), pointer("n")
	l.broadcast("mean", 6)
	l.zero(4)
	l.zero(5)
	l.each(n, []reg.Register{x}, func(tail bool) {
		l.load(x, 0, tail)
		VSUBPS(l.v[6], l.v[0], l.v[0])
		l.keep(0, tail)
		l.widenDoubles(0, 1, 2)
		VFMADD231PD(l.v[1], l.v[1], l.v[4])
		VFMADD231PD(l.v[2], l.v[2], l.v[5])
	})
	l.fold(4, 5, 0)
	VZEROUPPER()
	RET()
}

func (l lanes) affine() {
	l.text("affine", "func(out, x, w, b *float32, mean, r float32, n int)", "writes (x-mean)·r·w + b, the last product not rounded.")
	out, x, w, b, n := pointer("out"), pointer("x"), pointer("w"), pointer("b"), pointer("n")
	l.broadcast("mean", 4)
	l.broadcast("r", 5)
	l.each(n, []reg.Register{out, x, w, b}, func(tail bool) {
		l.load(x, 0, tail)
		l.load(w, 1, tail)
		l.load(b, 2, tail)
		VSUBPS(l.v[4], l.v[0], l.v[0])
		VMULPS(l.v[5], l.v[0], l.v[0])
		VFMADD213PS(l.v[2], l.v[1], l.v[0])
		l.store(0, out, tail)
	})
	VZEROUPPER()
	RET()
}

func (l lanes) times() {
	l.text("times", "func(x *float32, by float32, n int)", "is x *= by.")
	x, n := pointer("x"), pointer("n")
	l.broadcast("by", 1)
	l.each(n, []reg.Register{x}, func(tail bool) {
		l.load(x, 0, tail)
		VMULPS(l.v[1], l.v[0], l.v[0])
		l.store(0, x, tail)
	})
	VZEROUPPER()
	RET()
}

func (l lanes) axpy() {
	l.text("axpy", "func(x, y *float32, a float32, n int)", "is x += a·y, the product not rounded.")
	x, y, n := pointer("x"), pointer("y"), pointer("n")
	l.broadcast("a", 2)
	l.each(n, []reg.Register{x, y}, func(tail bool) {
		l.load(x, 0, tail)
		l.load(y, 1, tail)
		VFMADD231PS(l.v[2], l.v[1], l.v[0])
		l.store(0, x, tail)
	})
	VZEROUPPER()
	RET()
}

// rotateNeighbours turns the even and odd lanes of a vector against each other.
func (l lanes) rotateNeighbours() {
	l.text("rotateNeighbours", "func(x, cos, sin *float32, n int)", "turns neighbouring channels, n in all, against each other; the first products are not rounded.")
	x, cos, sin, n := pointer("x"), pointer("cos"), pointer("sin"), pointer("n")
	twice := GLOBL("twice"+l.suffix, RODATA|NOPTR) // 0, 0, 1, 1, …
	for i := range l.floats {
		DATA(4*i, U32(uint32(i/2)))
	}
	half := func(i int) reg.Register { // the vector of half as many lanes
		if l.wide {
			return ymm[i]
		}
		return l.v[i].(reg.Vec).AsX()
	}
	VMOVUPS(twice, l.v[5])
	l.each(n, []reg.Register{x}, func(tail bool) {
		l.load(x, 0, tail)
		switch {
		case !tail:
			VMOVUPS(Mem{Base: cos}, half(1))
			VMOVUPS(Mem{Base: sin}, half(2))
			ADDQ(U8(2*l.floats), cos)
			ADDQ(U8(2*l.floats), sin)
		case l.wide: // n is still what is left
			bits := GP64()
			SHRQ(U8(1), n)
			MOVQ(I32(-1), bits)
			SHLXQ(n, bits, bits)
			NOTQ(bits)
			KMOVW(bits.As32(), reg.K3)
			VMOVUPS_Z(Mem{Base: cos}, reg.K3, half(1))
			VMOVUPS_Z(Mem{Base: sin}, reg.K3, half(2))
		default: // n is minus what is left
			table := GP64()
			LEAQ(masks().Offset(4*l.floats), table)
			SARQ(U8(1), n)
			VMOVDQU(Mem{Base: table, Index: n, Scale: 4}, half(3))
			VMASKMOVPS(Mem{Base: cos}, half(3), half(1))
			VMASKMOVPS(Mem{Base: sin}, half(3), half(2))
		}
		VPERMPS(l.v[1], l.v[5], l.v[1])
		VPERMPS(l.v[2], l.v[5], l.v[2])
		VPERMILPS(U8(0xb1), l.v[0], l.v[3])
		VMULPS(l.v[2], l.v[3], l.v[3])
		VFMADDSUB213PS(l.v[3], l.v[1], l.v[0])
		l.store(0, x, tail)
	})
	VZEROUPPER()
	RET()
}
