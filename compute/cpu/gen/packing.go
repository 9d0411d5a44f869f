package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// packing turns rows of weights into columns of panels, 16 at a time, and rows of x, 8 at a time.
func packing() {
	columns("columnsCopy", "copies units as they are", copied)
	columns("columnsWiden", "widens bfloat16 to float32", widened)
	columns("columnsHalf", "widens float16 to float32", halvesWidened)
	columns("columnsRound", "rounds float32 to pairs of bfloat16", rounded)
	columns("columnsHalfRound", "rounds float16 to pairs of bfloat16", halvesRounded)
	columns("columnsQ8", "widens blocks of Q8_0 to float32", scaledLow, scaledHigh)
	columns("columnsQ8Pairs", "rounds blocks of Q8_0 to pairs of bfloat16", scaledRounded)
	columnsNF4("columnsNF4", false)
	columnsNF4("columnsNF4Pairs", true)
	rows8("rows8", false)
	rows8("rows8Pairs", true)
}

// form is how 16 vectors of a packing are loaded, and what becomes of the 16 dwords of a column.
type form struct {
	bytes int                                  // of a row that a turn reads
	load  func(src Mem, i int)                 // into zmm[i]
	store func(column reg.VecPhysical) (n int) // leaves n units of the panel in zmm[16], …
}

var (
	copied = form{64,
		func(src Mem, i int) { VMOVDQU32(src, zmm[i]) }, nil}
	widened = form{64,
		func(src Mem, i int) { VMOVDQU32(src, zmm[i]) },
		func(c reg.VecPhysical) int {
			VPSLLD(U8(16), c, zmm[16])
			VPSRLD(U8(16), c, zmm[17])
			VPSLLD(U8(16), zmm[17], zmm[17])
			return 2
		}}
	halvesWidened = form{64,
		func(src Mem, i int) { VMOVDQU32(src, zmm[i]) },
		func(c reg.VecPhysical) int {
			VPSRLD(U8(16), c, zmm[17])
			VPMOVDW(c, reg.Y16)
			VPMOVDW(zmm[17], reg.Y17)
			VCVTPH2PS(reg.Y16, zmm[16])
			VCVTPH2PS(reg.Y17, zmm[17])
			return 2
		}}
	rounded = form{128,
		func(src Mem, i int) {
			VMOVUPS(src, zmm[16])
			VMOVUPS(src.Offset(64), zmm[17])
			roundBFloat16(16, 17, i)
		}, nil}
	halvesRounded = form{64,
		func(src Mem, i int) {
			VCVTPH2PS(src, zmm[16])
			VCVTPH2PS(src.Offset(32), zmm[17])
			roundBFloat16(16, 17, i)
		}, nil}
	scaledLow     = form{34, func(src Mem, i int) { scaled(src, 0, i) }, nil}
	scaledHigh    = form{34, func(src Mem, i int) { scaled(src, 1, i) }, nil}
	scaledRounded = form{34,
		func(src Mem, i int) {
			scaled(src, 0, 16)
			scaled(src, 1, 17)
			roundBFloat16(16, 17, i)
		}, nil}
)

// scaled widens half of a block of Q8_0 to float32: a float16 and 32 int8, whose products are exact.
func scaled(src Mem, half, dst int) {
	const scale = 19
	VPBROADCASTW(src, reg.Y19)
	VCVTPH2PS(reg.Y19, zmm[scale])
	VPMOVSXBD(src.Offset(2+16*half), zmm[dst])
	VCVTDQ2PS(zmm[dst], zmm[dst])
	VMULPS(zmm[scale], zmm[dst], zmm[dst])
}

// loadRows loads 16 rows from src on, stride bytes apart, and fetches what lies ahead bytes further, if fetch.
func loadRows(src, stride, ahead reg.Register, f form, fetch bool) {
	stride3, row, next := GP64(), GP64(), GP64()
	LEAQ(Mem{Base: stride, Index: stride, Scale: 2}, stride3)
	MOVQ(src, row)
	if fetch {
		LEAQ(Mem{Base: src, Index: ahead, Scale: 1}, next)
	}
	for i := 0; i < 16; i += 4 {
		at := func(base reg.Register) []Mem {
			return []Mem{{Base: base}, {Base: base, Index: stride, Scale: 1}, {Base: base, Index: stride, Scale: 2}, {Base: base, Index: stride3, Scale: 1}}
		}
		for j, m := range at(row) {
			f.load(m, i+j)
		}
		if i < 12 {
			LEAQ(Mem{Base: row, Index: stride, Scale: 4}, row)
		}
		if !fetch {
			continue
		}
		for _, m := range at(next) {
			for b := 0; b < f.bytes; b += 64 {
				PREFETCHT1(m.Offset(b))
			}
		}
		if i < 12 {
			LEAQ(Mem{Base: next, Index: stride, Scale: 4}, next)
		}
	}
}

// columns writes dst[k][i] = src[i][k] for 16 rows i, in n turns of 16 vectors a turn for each of some forms.
func columns(name, does string, forms ...form) {
	TEXT(name, NOSPLIT, "func(dst *uint32, dstStride int, src *byte, srcStride, n, ahead int)")
	Pragma("noescape")
	Doc(name+" "+does+": 16 rows of a weight become 16 columns of a panel. Strides are in bytes; a turn of the n",
		"reads as many bytes of each row as make 16 vectors, and fetches those that lie ahead bytes further.")
	dst, dstStride := Load(Param("dst"), GP64()), Load(Param("dstStride"), GP64())
	src, srcStride := Load(Param("src"), GP64()), Load(Param("srcStride"), GP64())
	n, ahead := Load(Param("n"), GP64()), Load(Param("ahead"), GP64())
	Label("loop")
	for part, f := range forms {
		loadRows(src, srcStride, ahead, f, part == 0)
		transpose16(zmm[:16], zmm[16:])
		for i := range 16 {
			if f.store == nil {
				VMOVDQU32(zmm[i], Mem{Base: dst})
				ADDQ(dstStride, dst)
				continue
			}
			for j := range f.store(zmm[i]) {
				VMOVDQU32(zmm[16+j], Mem{Base: dst})
				ADDQ(dstStride, dst)
			}
		}
	}
	ADDQ(I32(forms[0].bytes), src)
	DECQ(n)
	JNZ(LabelRef("loop"))
	VZEROUPPER()
	RET()
}

// columnsNF4 is columns for NF4 codes, 128 elements of k a turn.
func columnsNF4(name string, pairs bool) {
	TEXT(name, NOSPLIT, "func(dst *uint32, dstStride int, src *byte, srcStride, n, ahead int, scales *[16]float32, codes *[16]float32, interleave *[32]uint16)")
	Pragma("noescape")
	Doc(name+" decodes 16 rows of NF4 codes into columns of a panel, 128 elements a turn. scales holds two blocks of 64",
		"elements a turn, of all rows; interleave takes two halves of a vector to its even and odd words.")
	dst, dstStride := Load(Param("dst"), GP64()), Load(Param("dstStride"), GP64())
	src, srcStride := Load(Param("src"), GP64()), Load(Param("srcStride"), GP64())
	n, ahead := Load(Param("n"), GP64()), Load(Param("ahead"), GP64())
	scales, codes, interleave := Load(Param("scales"), GP64()), Load(Param("codes"), GP64()), Load(Param("interleave"), GP64())
	Label("loop")
	loadRows(src, srcStride, ahead, copied, true)
	transpose16(zmm[:16], zmm[16:])
	const values, shifted, both, first, order, table = 16, 18, 20, 28, 30, 31
	VMOVUPS(Mem{Base: codes}, zmm[table])
	VMOVDQU16(Mem{Base: interleave}, zmm[order])
	VMOVUPS(Mem{Base: scales}, zmm[first])
	VMOVUPS(Mem{Base: scales, Disp: 64}, zmm[first+1])
	for i := range 16 { // 8 codes of each row
		scale := zmm[first+i/8]
		for b := range 4 {
			for h := range 2 { // the high half of a byte comes first
				code := zmm[i]
				if shift := 8*b + 4 - 4*h; shift > 0 {
					code = zmm[shifted+h]
					VPSRLD(U8(uint8(shift)), zmm[i], code)
				}
				VPERMPS(zmm[table], code, zmm[values+h])
				VMULPS(scale, zmm[values+h], zmm[values+h])
				if !pairs {
					VMOVUPS(zmm[values+h], Mem{Base: dst})
					ADDQ(dstStride, dst)
				}
			}
			if pairs {
				roundBFloat16(values, values+1, both)
				VPERMW(zmm[both], zmm[order], zmm[both])
				VMOVDQU32(zmm[both], Mem{Base: dst})
				ADDQ(dstStride, dst)
			}
		}
	}
	ADDQ(I32(64), src)
	ADDQ(I32(128), scales)
	DECQ(n)
	JNZ(LabelRef("loop"))
	VZEROUPPER()
	RET()
}

// rows8 writes dst[k][i] = src[i][k] for 8 rows i, 32 units a turn: two stretches of 16 units of each row are turned at once.
func rows8(name string, pairs bool) {
	TEXT(name, NOSPLIT, "func(dst *uint32, src *float32, stride, n int)")
	Pragma("noescape")
	Doc(name + " lays 8 rows of x side by side, 32 units a turn. stride is in bytes.")
	dst, src, stride, n := Load(Param("dst"), GP64()), Load(Param("src"), GP64()), Load(Param("stride"), GP64()), Load(Param("n"), GP64())
	row := GP64()
	Label("loop")
	MOVQ(src, row)
	for i := range 8 {
		if pairs {
			for v := range 4 {
				VMOVUPS(Mem{Base: row, Disp: 64 * v}, zmm[16+v])
			}
			roundBFloat16(16, 17, i)
			roundBFloat16(18, 19, 8+i)
		} else {
			VMOVUPS(Mem{Base: row}, zmm[i])
			VMOVUPS(Mem{Base: row, Disp: 64}, zmm[8+i])
		}
		if i < 7 {
			ADDQ(stride, row)
		}
	}
	transpose16(zmm[:16], zmm[16:])
	for i := range 16 {
		VMOVUPS(zmm[i].(reg.Vec).AsY(), Mem{Base: dst, Disp: 32 * i})
		VEXTRACTF32X8(U8(1), zmm[i], Mem{Base: dst, Disp: 32 * (16 + i)})
	}
	ADDQ(I32(32*32), dst)
	if pairs {
		ADDQ(I32(256), src)
	} else {
		ADDQ(I32(128), src)
	}
	DECQ(n)
	JNZ(LabelRef("loop"))
	VZEROUPPER()
	RET()
}
