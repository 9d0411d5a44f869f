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
	const table, order, both = 31, 30, 20
	copied := func(src Mem, i int) { VMOVUPS(src, zmm[i]) }
	widened := func(src Mem, i int) {
		VPMOVZXWD(src, zmm[i])
		VPSLLD(U8(16), zmm[i], zmm[i])
	}
	halves := func(src Mem, i int) { VCVTPH2PS(src, zmm[i]) }

	single := func(name, does string, load func(src Mem, i int)) {
		TEXT(name, NOSPLIT, "func(dst *uint32, dstStride int, src *byte, srcStride, n int)")
		Pragma("noescape")
		Doc(name + " " + does + ": 16 columns of n rows of a weight become n units of 16 columns. Strides are in bytes.")
		dst, dstStride := Load(Param("dst"), GP64()), Load(Param("dstStride"), GP64())
		src, srcStride := Load(Param("src"), GP64()), Load(Param("srcStride"), GP64())
		n := Load(Param("n"), GP64())
		Label("loop")
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
		Label("loop")
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

	for _, pairs := range []bool{false, true} {
		name, does := "turnedNF4", "decodes NF4: 16 columns of n rows of codes become n units of 16 columns."
		if pairs {
			name, does = "turnedNF4Pairs", "decodes NF4: 16 columns of 2·n rows of codes become n units of 16 columns, each a pair of two rows' elements."
		}
		TEXT(name, NOSPLIT, "func(dst *uint32, dstStride int, src *byte, srcStride, n int, scales *float32, scaleStride int, codes *[16]float32, interleave *[32]uint16)")
		Pragma("noescape")
		Doc(name+" "+does, "Strides are in bytes; scales has the scale of the 16 elements of each row.")
		dst, dstStride := Load(Param("dst"), GP64()), Load(Param("dstStride"), GP64())
		src, srcStride := Load(Param("src"), GP64()), Load(Param("srcStride"), GP64())
		n, scales, scaleStride := Load(Param("n"), GP64()), Load(Param("scales"), GP64()), Load(Param("scaleStride"), GP64())
		codes, interleave := Load(Param("codes"), GP64()), Load(Param("interleave"), GP64())
		VMOVUPS(Mem{Base: codes}, zmm[table])
		VMOVDQU16(Mem{Base: interleave}, zmm[order])
		decode := func(to int) { // 8 bytes of codes become 16 numbers
			VPMOVZXBQ(Mem{Base: src}, zmm[8])
			VPSRLQ(U8(4), zmm[8], zmm[9]) // the high half of a byte comes first; bits above the fourth are not looked at
			VPSLLQ(U8(32), zmm[8], zmm[8])
			VPORQ(zmm[8], zmm[9], zmm[9])
			VPERMPS(zmm[table], zmm[9], zmm[to])
			VBROADCASTSS(Mem{Base: scales}, zmm[10])
			VMULPS(zmm[10], zmm[to], zmm[to])
			ADDQ(srcStride, src)
			ADDQ(scaleStride, scales)
		}
		Label("loop")
		decode(0)
		if pairs {
			decode(1)
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
}
