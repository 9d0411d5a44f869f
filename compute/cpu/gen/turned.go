package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

func init() { generators["turned"] = turned }

// turned lays weights out for the other factor of a product: columns of a panel are columns of the weight, and a unit is an
// element of one row, or a pair of elements of two rows.
func turned() {
	const order, both = 30, 20
	copied := func(src Mem, i int) { VMOVUPS(src, zmm[i]) }
	widened := func(src Mem, i int) {
		VPMOVZXWD(src, zmm[i])
		VPSLLD(U8(16), zmm[i], zmm[i])
	}
	halves := func(src Mem, i int) { VCVTPH2PS(src, zmm[i]) }

	// Rows lie pages apart, where the processor does not see what comes next: it is fetched by its address.
	fetch := func(srcStride reg.Register) reg.GPVirtual {
		far := GP64()
		MOVQ(srcStride, far)
		SHLQ(U8(4), far)
		return far
	}
	single := func(name, does string, load func(src Mem, i int)) {
		TEXT(name, NOSPLIT, "func(dst *uint32, dstStride int, src *byte, srcStride, n int)")
		Pragma("noescape")
		Doc(name + " " + does + ": 16 columns of n rows of a weight become n units of 16 columns. Strides are in bytes.")
		dst, dstStride := Load(Param("dst"), GP64()), Load(Param("dstStride"), GP64())
		src, srcStride := Load(Param("src"), GP64()), Load(Param("srcStride"), GP64())
		n, far := Load(Param("n"), GP64()), fetch(srcStride)
		Label("loop")
		PREFETCHT0(Mem{Base: src, Index: far, Scale: 1})
		load(Mem{Base: src}, 0)
		VMOVUPS(zmm[0], Mem{Base: dst})
		ADDQ(srcStride, src)
		ADDQ(dstStride, dst)
		DECQ(n)
		JNZ(LabelRef("loop"))
		VZEROUPPER()
		RET()
	}
	single("turnedCopy", "copies float32", copied)
	single("turnedWiden", "widens bfloat16 to float32", widened)
	single("turnedHalf", "widens float16 to float32", halves)

	paired := func(name, does string, pair func(a, b Mem)) {
		TEXT(name, NOSPLIT, "func(dst *uint32, dstStride int, src *byte, srcStride, n int, interleave *[32]uint16)")
		Pragma("noescape")
		Doc(name+" "+does+": 16 columns of 2·n rows of a weight become n units of 16 columns, each a pair of two rows' elements.",
			"Strides are in bytes.")
		dst, dstStride := Load(Param("dst"), GP64()), Load(Param("dstStride"), GP64())
		src, srcStride := Load(Param("src"), GP64()), Load(Param("srcStride"), GP64())
		n, interleave := Load(Param("n"), GP64()), Load(Param("interleave"), GP64())
		VMOVDQU16(Mem{Base: interleave}, zmm[order])
		far, next := fetch(srcStride), GP64()
		LEAQ(Mem{Base: far, Index: srcStride, Scale: 1}, next)
		Label("loop")
		PREFETCHT0(Mem{Base: src, Index: far, Scale: 1})
		PREFETCHT0(Mem{Base: src, Index: next, Scale: 1})
		pair(Mem{Base: src}, Mem{Base: src, Index: srcStride, Scale: 1})
		VPERMW(zmm[both], zmm[order], zmm[both])
		VMOVDQU32(zmm[both], Mem{Base: dst})
		LEAQ(Mem{Base: src, Index: srcStride, Scale: 2}, src)
		ADDQ(dstStride, dst)
		DECQ(n)
		JNZ(LabelRef("loop"))
		VZEROUPPER()
		RET()
	}
	paired("turnedPairs", "pairs bfloat16", func(a, b Mem) {
		VMOVDQU64(a, reg.Y20)
		VINSERTI64X4(U8(1), b, zmm[both], zmm[both])
	})
	paired("turnedRound", "rounds float32 to pairs of bfloat16", func(a, b Mem) {
		copied(a, 0)
		copied(b, 1)
		roundBFloat16(0, 1, both)
	})
	paired("turnedHalfRound", "rounds float16 to pairs of bfloat16", func(a, b Mem) {
		halves(a, 0)
		halves(b, 1)
		roundBFloat16(0, 1, both)
	})

	decoded("turnedNF4", "decodes NF4", false, turnedNF4, fetch)
	decoded("turnedNF4Pairs", "decodes NF4", true, turnedNF4, fetch)
	decoded("turnedQ8", "decodes Q8_0", false, turnedQ8, fetch)
	decoded("turnedQ8Pairs", "decodes Q8_0", true, turnedQ8, fetch)
	turnedTiles("turnedTiles", false)
	turnedTiles("turnedTilesPairs", true)
}

// decoded lays rows of codes side by side, whose scales are read apart from them.
func decoded(name, does string, pairs bool, decode func(src, scale Mem, table, to int), fetch func(reg.Register) reg.GPVirtual) {
	const table, order, both = 31, 30, 20
	TEXT(name, NOSPLIT, "func(dst *uint32, dstStride int, src *byte, srcStride, n int, scales *byte, scaleStride int, codes *[16]float32, interleave *[32]uint16)")
	Pragma("noescape")
	rows, units := "n rows", "n units of 16 columns"
	if pairs {
		rows, units = "2·n rows", units+", each a pair of two rows' elements"
	}
	Doc(name+" "+does+": 16 columns of "+rows+" of codes become "+units+".",
		"Strides are in bytes; scales has the scale of the 16 elements of each row.")
	dst, dstStride := Load(Param("dst"), GP64()), Load(Param("dstStride"), GP64())
	src, srcStride := Load(Param("src"), GP64()), Load(Param("srcStride"), GP64())
	n, scales, scaleStride := Load(Param("n"), GP64()), Load(Param("scales"), GP64()), Load(Param("scaleStride"), GP64())
	codes, interleave := Load(Param("codes"), GP64()), Load(Param("interleave"), GP64())
	VMOVUPS(Mem{Base: codes}, zmm[table])
	VMOVDQU16(Mem{Base: interleave}, zmm[order])
	far, farScale := fetch(srcStride), fetch(scaleStride)
	Label("loop")
	row := func(to int) {
		PREFETCHT0(Mem{Base: src, Index: far, Scale: 1})
		PREFETCHT0(Mem{Base: scales, Index: farScale, Scale: 1})
		decode(Mem{Base: src}, Mem{Base: scales}, table, to)
		ADDQ(srcStride, src)
		ADDQ(scaleStride, scales)
	}
	row(0)
	if pairs {
		row(1)
		roundBFloat16(0, 1, both)
		VPERMW(zmm[both], zmm[order], zmm[0])
	}
	VMOVUPS(zmm[0], Mem{Base: dst})
	ADDQ(dstStride, dst)
	DECQ(n)
	JNZ(LabelRef("loop"))
	VZEROUPPER()
	RET()
}

// turnedNF4 takes 8 bytes of codes to 16 numbers. The high half of a byte comes first; bits above the fourth are not looked at.
func turnedNF4(src, scale Mem, table, to int) {
	VPMOVZXBQ(src, zmm[8])
	VPSRLQ(U8(4), zmm[8], zmm[9])
	VPSLLQ(U8(32), zmm[8], zmm[8])
	VPORQ(zmm[8], zmm[9], zmm[9])
	VPERMPS(zmm[table], zmm[9], zmm[to])
	VBROADCASTSS(scale, zmm[10])
	VMULPS(zmm[10], zmm[to], zmm[to])
}

// turnedQ8 multiplies 16 int8 by a float16, exactly.
func turnedQ8(src, scale Mem, _, to int) {
	VPBROADCASTW(scale, reg.Y10)
	VCVTPH2PS(reg.Y10, zmm[10])
	VPMOVSXBD(src, zmm[to])
	VCVTDQ2PS(zmm[to], zmm[to])
	VMULPS(zmm[10], zmm[to], zmm[to])
}

// turnedTiles lays columns of x side by side as tiles of 8.
func turnedTiles(name string, pairs bool) {
	TEXT(name, NOSPLIT, "func(dst *uint32, apart int, src *float32, stride, n int, interleave *[32]uint16)")
	Pragma("noescape")
	Doc(name + " makes two tiles of n units, apart bytes from each other, of 16 columns of x. stride is in bytes.")
	dst, apart := Load(Param("dst"), GP64()), Load(Param("apart"), GP64())
	src, stride := Load(Param("src"), GP64()), Load(Param("stride"), GP64())
	n, interleave := Load(Param("n"), GP64()), Load(Param("interleave"), GP64())
	VMOVDQU16(Mem{Base: interleave}, zmm[30])
	far := GP64()
	MOVQ(stride, far)
	SHLQ(U8(4), far)
	Label("loop")
	rows := 1
	if pairs {
		rows = 2
	}
	for i := range rows {
		PREFETCHT0(Mem{Base: src, Index: far, Scale: 1})
		VMOVUPS(Mem{Base: src}, zmm[i])
		ADDQ(stride, src)
	}
	if pairs {
		roundBFloat16(0, 1, 2)
		VPERMW(zmm[2], zmm[30], zmm[0])
	}
	VMOVUPS(reg.Y0, Mem{Base: dst})
	VEXTRACTF32X8(U8(1), zmm[0], Mem{Base: dst, Index: apart, Scale: 1})
	ADDQ(I32(32), dst)
	DECQ(n)
	JNZ(LabelRef("loop"))
	VZEROUPPER()
	RET()
}
