package main

import (
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

func init() { generators["elementwise"] = elementwise }

// lanes is a width of vectors. The last elements of a row are a vector like the others, of which only some lanes are
// loaded and stored: what is computed for an element does not depend on its place.
type lanes struct {
	suffix string // of the kernels' names
	wide   bool   // AVX-512, else AVX2
	floats int    // in a vector
	v      []reg.VecPhysical
}

var (
	sixteen = lanes{"512", true, 16, zmm}
	eight   = lanes{"AVX2", false, 8, ymm}
)

// tailMask says which lanes of the last vector are in use: a mask register, or a vector of all ones and zeros.
const tailMask = 15

var (
	tailK      = reg.K1
	maskTable  Mem
	haveMasks  bool
	infinities Mem
	haveInf    bool
)

// masks are eight words of ones and eight of zeros: from word 8-n on, n ones come first.
func masks() Mem {
	if !haveMasks {
		maskTable, haveMasks = GLOBL("laneMasks", RODATA|NOPTR), true
		for i := range 16 {
			DATA(4*i, U32(uint32(0xffffffff)*uint32(1-i/8)))
		}
	}
	return maskTable
}

// each emits body for whole vectors and once more for what is left of n elements. pointers go on by a vector each time.
func (l lanes) each(n reg.Register, pointers []reg.Register, body func(tail bool)) {
	CMPQ(n, U8(l.floats))
	JLT(LabelRef("tail"))
	Label("loop")
	body(false)
	for _, p := range pointers {
		ADDQ(U8(4*l.floats), p)
	}
	SUBQ(U8(l.floats), n)
	CMPQ(n, U8(l.floats))
	JGE(LabelRef("loop"))
	Label("tail")
	TESTQ(n, n)
	JZ(LabelRef("done"))
	if l.wide {
		bits := GP64()
		MOVQ(I32(-1), bits)
		SHLXQ(n, bits, bits)
		NOTQ(bits)
		KMOVW(bits.As32(), tailK)
	} else {
		table := GP64()
		LEAQ(masks().Offset(4*l.floats), table)
		NEGQ(n)
		VMOVDQU(Mem{Base: table, Index: n, Scale: 4}, l.v[tailMask])
	}
	body(true)
	Label("done")
}

// load reads a vector; lanes of the tail that are not in use are 0.
func (l lanes) load(p reg.Register, dst int, tail bool) {
	switch {
	case !tail:
		VMOVUPS(Mem{Base: p}, l.v[dst])
	case l.wide:
		VMOVUPS_Z(Mem{Base: p}, tailK, l.v[dst])
	default:
		VMASKMOVPS(Mem{Base: p}, l.v[tailMask], l.v[dst])
	}
}

func (l lanes) store(src int, p reg.Register, tail bool) {
	switch {
	case !tail:
		VMOVUPS(l.v[src], Mem{Base: p})
	case l.wide:
		VMOVUPS(l.v[src], tailK, Mem{Base: p})
	default:
		VMASKMOVPS(l.v[src], l.v[tailMask], Mem{Base: p})
	}
}

// exp replaces vector x by its exponential; t and the two after it are scratch.
func (l lanes) exp(x, t int) {
	if l.wide {
		expZMM(l.v[x], l.v[t], l.v[t+1], reg.K2)
	} else {
		expYMM(l.v[x], l.v[t], l.v[t+1], l.v[t+2])
	}
}

func (l lanes) zero(i int) {
	VXORPS(l.v[i].(reg.Vec).AsX(), l.v[i].(reg.Vec).AsX(), l.v[i].(reg.Vec).AsX())
}

// widenDoubles turns vector x into two of float64, lo and hi.
func (l lanes) widenDoubles(x, lo, hi int) {
	if l.wide {
		VEXTRACTF64X4(U8(1), l.v[x], ymm[hi])
		VCVTPS2PD(ymm[x], l.v[lo])
	} else {
		VEXTRACTF128(U8(1), l.v[x], l.v[hi].(reg.Vec).AsX())
		VCVTPS2PD(l.v[x].(reg.Vec).AsX(), l.v[lo])
	}
	if l.wide {
		VCVTPS2PD(ymm[hi], l.v[hi])
	} else {
		VCVTPS2PD(l.v[hi].(reg.Vec).AsX(), l.v[hi])
	}
}

// fold adds up the float64 lanes of lo and hi, always in the same tree, into a return value.
func (l lanes) fold(lo, hi, result int) {
	VADDPD(l.v[hi], l.v[lo], l.v[lo])
	y, x, t := ymm[lo], l.v[lo].(reg.Vec).AsX(), l.v[hi].(reg.Vec).AsX()
	if l.wide {
		VEXTRACTF64X4(U8(1), l.v[lo], ymm[hi])
		VADDPD(ymm[hi], y, y)
	}
	VEXTRACTF128(U8(1), y, t)
	VADDPD(t, x, x)
	VUNPCKHPD(x, x, t)
	VADDSD(t, x, x)
	Store(x, ReturnIndex(result))
}

func (l lanes) text(name, signature, doc string) {
	TEXT(name+l.suffix, NOSPLIT, signature)
	Pragma("noescape")
	Doc(name + l.suffix + " " + doc)
}

func pointer(name string) reg.Register { return Load(Param(name), GP64()) }

func elementwise() {
	for _, l := range []lanes{sixteen, eight} {
		l.activations()
		l.sum()
		l.squaresAround()
		l.affine()
		l.times()
		l.axpy()
		l.rotateNeighbours()
		l.normalize()
		l.rotate()
		l.sumSquares()
		l.dots()
		l.maximum()
		l.sumExp()
		l.widen()
	}
}

func (l lanes) normalize() {
	l.text("normalize", "func(out, x, w *float32, r float32, n int)", "writes x·r·w.")
	out, x, w, n := pointer("out"), pointer("x"), pointer("w"), pointer("n")
	l.broadcast("r", 3)
	l.each(n, []reg.Register{out, x, w}, func(tail bool) {
		l.load(x, 0, tail)
		l.load(w, 1, tail)
		VMULPS(l.v[3], l.v[0], l.v[0])
		VMULPS(l.v[1], l.v[0], l.v[0])
		l.store(0, out, tail)
	})
	VZEROUPPER()
	RET()
}

func (l lanes) rotate() {
	l.text("rotate", "func(low, high, cos, sin *float32, n int)", "turns n pairs of channels against each other, products rounded before they are added.")
	low, high, cos, sin, n := pointer("low"), pointer("high"), pointer("cos"), pointer("sin"), pointer("n")
	l.each(n, []reg.Register{low, high, cos, sin}, func(tail bool) {
		l.load(low, 0, tail)
		l.load(high, 1, tail)
		l.load(cos, 2, tail)
		l.load(sin, 3, tail)
		VMULPS(l.v[2], l.v[0], l.v[4])
		VMULPS(l.v[3], l.v[1], l.v[5])
		VSUBPS(l.v[5], l.v[4], l.v[4])
		VMULPS(l.v[2], l.v[1], l.v[1])
		VMULPS(l.v[3], l.v[0], l.v[0])
		VADDPS(l.v[0], l.v[1], l.v[1])
		l.store(4, low, tail)
		l.store(1, high, tail)
	})
	VZEROUPPER()
	RET()
}

func (l lanes) sumSquares() {
	l.text("sumSquares", "func(x *float32, n int) float64", "is Σx².")
	x, n := pointer("x"), pointer("n")
	l.zero(4)
	l.zero(5)
	l.each(n, []reg.Register{x}, func(tail bool) {
		l.load(x, 0, tail)
		l.widenDoubles(0, 1, 2)
		VFMADD231PD(l.v[1], l.v[1], l.v[4])
		VFMADD231PD(l.v[2], l.v[2], l.v[5])
	})
	l.fold(4, 5, 0)
	VZEROUPPER()
	RET()
}

func (l lanes) dots() {
	l.text("dots", "func(a, b *float32, n int) (ab, aa, bb float64)", "are the products of a and b with each other and themselves.")
	a, b, n := pointer("a"), pointer("b"), pointer("n")
	for i := 6; i < 12; i++ {
		l.zero(i)
	}
	l.each(n, []reg.Register{a, b}, func(tail bool) {
		l.load(a, 0, tail)
		l.load(b, 1, tail)
		l.widenDoubles(0, 2, 3)
		l.widenDoubles(1, 4, 5)
		for half := range 2 {
			VFMADD231PD(l.v[2+half], l.v[4+half], l.v[6+half])
			VFMADD231PD(l.v[2+half], l.v[2+half], l.v[8+half])
			VFMADD231PD(l.v[4+half], l.v[4+half], l.v[10+half])
		}
	})
	for i := range 3 {
		l.fold(6+2*i, 7+2*i, i)
	}
	VZEROUPPER()
	RET()
}

// negativeInfinity fills a vector with -∞, which is the largest of no numbers.
func (l lanes) negativeInfinity(dst int) {
	if !haveInf {
		infinities, haveInf = GLOBL("negativeInfinity", RODATA|NOPTR), true
		DATA(0, U32(math.Float32bits(float32(math.Inf(-1)))))
	}
	VBROADCASTSS(infinities, l.v[dst])
}

func (l lanes) maximum() {
	l.text("maximum", "func(x *float32, n int) float32", "is the largest element.")
	x, n := pointer("x"), pointer("n")
	l.negativeInfinity(1)
	l.negativeInfinity(2)
	l.each(n, []reg.Register{x}, func(tail bool) {
		l.load(x, 0, tail)
		switch {
		case tail && l.wide:
			VMAXPS(l.v[1], l.v[0], tailK, l.v[1])
		case tail:
			VBLENDVPS(l.v[tailMask], l.v[0], l.v[2], l.v[0])
			VMAXPS(l.v[1], l.v[0], l.v[1])
		default:
			VMAXPS(l.v[1], l.v[0], l.v[1])
		}
	})
	if l.wide {
		VEXTRACTF64X4(U8(1), l.v[1], ymm[0])
		VMAXPS(ymm[0], ymm[1], ymm[1])
	}
	x0, x1 := l.v[0].(reg.Vec).AsX(), l.v[1].(reg.Vec).AsX()
	VEXTRACTF128(U8(1), ymm[1], x0)
	VMAXPS(x0, x1, x1)
	VPERMILPS(U8(0x4e), x1, x0)
	VMAXPS(x0, x1, x1)
	VPERMILPS(U8(0xb1), x1, x0)
	VMAXPS(x0, x1, x1)
	Store(x1, ReturnIndex(0))
	VZEROUPPER()
	RET()
}

func (l lanes) sumExp() {
	l.text("sumExp", "func(x *float32, shift float32, n int) float64", "is Σe^(x-shift).")
	x, n := pointer("x"), pointer("n")
	l.broadcast("shift", 6)
	l.zero(7)
	l.zero(8)
	l.each(n, []reg.Register{x}, func(tail bool) {
		l.load(x, 0, tail)
		VSUBPS(l.v[6], l.v[0], l.v[0])
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

// widen emits the conversions of whole vectors of 16-bit kinds; they are exact, so what is left may go another way.
func (l lanes) widen() {
	for _, kind := range []string{"BF16", "F16"} {
		l.text("widen"+kind, "func(dst *float32, src *uint16, n int)", "writes n whole vectors of src as float32.")
		dst, src, n := pointer("dst"), pointer("src"), pointer("n")
		Label("loop")
		if kind == "BF16" {
			VPMOVZXWD(Mem{Base: src}, l.v[0])
			VPSLLD(U8(16), l.v[0], l.v[0])
		} else {
			VCVTPH2PS(Mem{Base: src}, l.v[0])
		}
		VMOVUPS(l.v[0], Mem{Base: dst})
		ADDQ(U8(4*l.floats), dst)
		ADDQ(U8(2*l.floats), src)
		DECQ(n)
		JNZ(LabelRef("loop"))
		VZEROUPPER()
		RET()
	}
}
