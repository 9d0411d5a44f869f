package main

import (
	"fmt"
	"slices"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// avx2 are the products for processors without AVX-512: tiles of up to 6 × 16 outputs.
func avx2() {
	bits := GLOBL("laneBits", RODATA|NOPTR)
	for i := range 16 {
		DATA(4*i, U32(1<<i))
	}
	for r := 1; r <= 6; r++ {
		tile16(fmt.Sprintf("tile%dx16", r), r, bits)
	}
	columns8("columns8Copy", "copies float32 as it is", 1, false, func(src Mem, i, _ int) { VMOVUPS(src, ymm[i]) })
	columns8("columns8Half", "widens float16 to float32", 1, false, func(src Mem, i, _ int) { VCVTPH2PS(src, ymm[i]) })
	columns8("columns8Widen", "widens bfloat16 to float32", 1, true, func(src Mem, i, _ int) { VMOVUPS(src, ymm[i]) })
	columns8("columns8Q8", "widens blocks of Q8_0 to float32", 4, false, func(src Mem, i, part int) {
		VPBROADCASTW(src, reg.X15)
		VCVTPH2PS(reg.X15, ymm[15])
		VPMOVSXBD(src.Offset(2+8*part), ymm[i])
		VCVTDQ2PS(ymm[i], ymm[i])
		VMULPS(ymm[15], ymm[i], ymm[i])
	})
	columns8NF4()
	columnsToBF16()
	rows6()
	peak256()
}

// tile16 is tile48 with 16 columns in AVX2 and FMA.
func tile16(name string, rows int, bits Mem) {
	TEXT(name, NOSPLIT, tileSignature)
	Pragma("noescape")
	Doc(fmt.Sprintf("%s adds one block of k to %d × 16 outputs: see tile.", name, rows))
	k, a, b, c := Load(Param("k"), GP64()), Load(Param("a"), GP64()), Load(Param("b"), GP64()), Load(Param("c"), GP64())
	const weight, broadcast = 12, 14
	for i := range 2 * rows {
		VXORPS(ymm[i], ymm[i], ymm[i])
	}
	Label("loop")
	VMOVUPS(Mem{Base: b}, ymm[weight])
	VMOVUPS(Mem{Base: b, Disp: 32}, ymm[weight+1])
	for i := range rows {
		x := ymm[broadcast+i%2]
		VBROADCASTSS(Mem{Base: a, Disp: 4 * i}, x)
		VFMADD231PS(x, ymm[weight], ymm[2*i])
		VFMADD231PS(x, ymm[weight+1], ymm[2*i+1])
	}
	ADDQ(I32(4*rows), a)
	ADDQ(I32(64), b)
	DECQ(k)
	JNZ(LabelRef("loop"))

	stride, shift, mask := Load(Param("stride"), GP64()), Load(Param("shift"), GP64()), Load(Param("mask"), GP64())
	start, startStride := Load(Param("start"), GP64()), Load(Param("startStride"), GP64())
	SHLQ(U8(2), stride)
	SHLQ(U8(2), startStride)
	LEAQ(Mem{Base: c, Index: shift, Scale: 4}, c)
	const lanes, old = 12, 14
	VMOVQ(mask, reg.X14)
	VPBROADCASTD(reg.X14, ymm[old])
	for j := range 2 {
		VPAND(bits.Offset(32*j), ymm[old], ymm[lanes+j])
		VPCMPEQD(bits.Offset(32*j), ymm[lanes+j], ymm[lanes+j])
	}
	TESTQ(start, start)
	JZ(LabelRef("store"))
	LEAQ(Mem{Base: start, Index: shift, Scale: 4}, start)
	for i := range rows {
		for j := range 2 {
			VMASKMOVPS(Mem{Base: start, Disp: 32 * j}, ymm[lanes+j], ymm[old])
			VADDPS(ymm[old], ymm[2*i+j], ymm[2*i+j])
		}
		ADDQ(startStride, start)
	}
	Label("store")
	CMPQ(mask, U32(0xffff))
	JNE(LabelRef("masked"))
	for i := range rows {
		for j := range 2 {
			VMOVUPS(ymm[2*i+j], Mem{Base: c, Disp: 32 * j})
		}
		ADDQ(stride, c)
	}
	VZEROUPPER()
	RET()
	Label("masked")
	for i := range rows {
		for j := range 2 {
			VMASKMOVPS(ymm[2*i+j], ymm[lanes+j], Mem{Base: c, Disp: 32 * j})
		}
		ADDQ(stride, c)
	}
	VZEROUPPER()
	RET()
}

// columns8 is columns for 8 rows, 8 dwords a part of a turn.
func columns8(name, does string, parts int, widen bool, load func(src Mem, i, part int)) {
	TEXT(name, NOSPLIT, "func(dst *uint32, dstStride int, src *byte, srcStride, n, size, ahead int)")
	Pragma("noescape")
	Doc(name+" "+does+": 8 rows of a weight become 8 columns of a panel. Strides are in bytes; a turn of the n reads",
		"size bytes of each row and fetches those that lie ahead bytes further.")
	dst, dstStride := Load(Param("dst"), GP64()), Load(Param("dstStride"), GP64())
	src, srcStride := Load(Param("src"), GP64()), Load(Param("srcStride"), GP64())
	n, size, ahead := Load(Param("n"), GP64()), Load(Param("size"), GP64()), Load(Param("ahead"), GP64())
	row := GP64()
	Label("loop")
	for part := range parts {
		MOVQ(src, row)
		for i := range 8 {
			load(Mem{Base: row}, i, part)
			if part == 0 {
				PREFETCHT1(Mem{Base: row, Index: ahead, Scale: 1})
			}
			if i < 7 {
				ADDQ(srcStride, row)
			}
		}
		for _, column := range transpose8(ymm[:8], ymm[8:]) {
			if widen {
				VPSLLD(U8(16), column, ymm[14])
				VPSRLD(U8(16), column, ymm[15])
				VPSLLD(U8(16), ymm[15], ymm[15])
				VMOVUPS(ymm[14], Mem{Base: dst})
				ADDQ(dstStride, dst)
				column = ymm[15]
			}
			VMOVUPS(column, Mem{Base: dst})
			ADDQ(dstStride, dst)
		}
	}
	ADDQ(size, src)
	DECQ(n)
	JNZ(LabelRef("loop"))
	VZEROUPPER()
	RET()
}

// columns8NF4 is columnsNF4 for 8 rows, 64 elements of k a turn. A vector holds half of the codes' values: bit 3 of a code
// chooses between two tables.
func columns8NF4() {
	TEXT("columns8NF4", NOSPLIT, "func(dst *uint32, dstStride int, src *byte, srcStride, n, ahead int, scales *float32, codes *[16]float32)")
	Pragma("noescape")
	Doc("columns8NF4 decodes 8 rows of NF4 codes into columns of a panel, 64 elements a turn and one scale of each row, 64 bytes",
		"after those of the turn before.")
	dst, dstStride := Load(Param("dst"), GP64()), Load(Param("dstStride"), GP64())
	src, srcStride := Load(Param("src"), GP64()), Load(Param("srcStride"), GP64())
	n, ahead := Load(Param("n"), GP64()), Load(Param("ahead"), GP64())
	scales, codes := Load(Param("scales"), GP64()), Load(Param("codes"), GP64())
	row := GP64()
	Label("loop")
	MOVQ(src, row)
	for i := range 8 {
		VMOVDQU(Mem{Base: row}, ymm[i])
		PREFETCHT1(Mem{Base: row, Index: ahead, Scale: 1})
		if i < 7 {
			ADDQ(srcStride, row)
		}
	}
	columns := transpose8(ymm[:8], ymm[8:])
	spare := func() (v []reg.VecPhysical) { // what holds no column
		for _, y := range ymm {
			if !slices.Contains(columns, y) {
				v = append(v, y)
			}
		}
		return v
	}()
	low, high, scale, code, value, other, bit := spare[0], spare[1], spare[2], spare[3], spare[4], spare[5], spare[6]
	VMOVUPS(Mem{Base: codes}, low)
	VMOVUPS(Mem{Base: codes, Disp: 32}, high)
	VMOVUPS(Mem{Base: scales}, scale)
	for _, column := range columns { // 8 codes of each row
		for _, shift := range []uint8{4, 0, 12, 8, 20, 16, 28, 24} { // the high half of a byte comes first
			code := code
			if shift == 0 {
				code = column
			} else {
				VPSRLD(U8(shift), column, code)
			}
			VPSLLD(U8(28), code, bit)
			VPERMPS(low, code, value)
			VPERMPS(high, code, other)
			VBLENDVPS(bit, other, value, value)
			VMULPS(scale, value, value)
			VMOVUPS(value, Mem{Base: dst})
			ADDQ(dstStride, dst)
		}
	}
	ADDQ(I32(32), src)
	ADDQ(I32(64), scales)
	DECQ(n)
	JNZ(LabelRef("loop"))
	VZEROUPPER()
	RET()
}

// columnsToBF16 rounds float32 to nearest even where they are, for processors that only multiply float32.
func columnsToBF16() {
	TEXT("columnsToBF16", NOSPLIT, "func(dst *uint32, dstStride, n int)")
	Pragma("noescape")
	Doc("columnsToBF16 rounds n times 16 float32, dstStride bytes apart, to bfloat16, with zeros behind them. NaN is made quiet.")
	dst, stride, n := Load(Param("dst"), GP64()), Load(Param("dstStride"), GP64()), Load(Param("n"), GP64())
	const upper, half, one, quiet = 15, 14, 13, 12
	for i, bits := range []uint32{0x400000, 1, 0x7fff, 0xffff0000} {
		word := GP32()
		MOVL(U32(bits), word)
		VMOVD(word, ymm[quiet+i].AsX())
		VPBROADCASTD(ymm[quiet+i].AsX(), ymm[quiet+i])
	}
	Label("loop")
	for v := range 2 {
		x, r, nan := ymm[v], ymm[2+v], ymm[4+v]
		VMOVDQU(Mem{Base: dst, Disp: 32 * v}, x)
		VPSRLD(U8(16), x, r)
		VPAND(ymm[one], r, r)
		VPADDD(ymm[half], r, r)
		VPADDD(x, r, r)
		VCMPPS(U8(3), x, x, nan) // unordered
		VPOR(ymm[quiet], x, x)
		VBLENDVPS(nan, x, r, r)
		VPAND(ymm[upper], r, r)
		VMOVDQU(r, Mem{Base: dst, Disp: 32 * v})
	}
	ADDQ(stride, dst)
	DECQ(n)
	JNZ(LabelRef("loop"))
	VZEROUPPER()
	RET()
}

// rows6 writes dst[k][i] = src[i][k] for 6 rows i, 8 units a turn.
func rows6() {
	TEXT("rows6", NOSPLIT, "func(dst *uint32, src *float32, stride, n int)")
	Pragma("noescape")
	Doc("rows6 lays 6 rows of x side by side, 8 units a turn, and writes over the 2 dwords that follow the last. stride is",
		"in bytes.")
	dst, src, stride, n := Load(Param("dst"), GP64()), Load(Param("src"), GP64()), Load(Param("stride"), GP64()), Load(Param("n"), GP64())
	row := GP64()
	Label("loop")
	MOVQ(src, row)
	for i := range 6 {
		VMOVUPS(Mem{Base: row}, ymm[i])
		if i < 5 {
			ADDQ(stride, row)
		}
	}
	for i, column := range transpose8(ymm[:8], ymm[8:]) {
		VMOVUPS(column, Mem{Base: dst, Disp: 24 * i})
	}
	ADDQ(I32(8*24), dst)
	ADDQ(I32(32), src)
	DECQ(n)
	JNZ(LabelRef("loop"))
	VZEROUPPER()
	RET()
}

// transpose8 turns 8 vectors of 8 dwords, with 4 more to work in, and returns the columns in order.
func transpose8(r, work []reg.VecPhysical) []reg.VecPhysical {
	for g := 0; g < 8; g += 4 {
		a, b, c, d := r[g], r[g+1], r[g+2], r[g+3]
		VPUNPCKLDQ(b, a, work[0])
		VPUNPCKHDQ(b, a, work[1])
		VPUNPCKLDQ(d, c, work[2])
		VPUNPCKHDQ(d, c, work[3])
		VPUNPCKLQDQ(work[2], work[0], a)
		VPUNPCKHQDQ(work[2], work[0], b)
		VPUNPCKLQDQ(work[3], work[1], c)
		VPUNPCKHQDQ(work[3], work[1], d)
	}
	for i := range 4 { // lane 0 of rows 0 to 3 and of rows 4 to 7, then lane 1
		VPERM2I128(U8(0x20), r[4+i], r[i], work[i])
		VPERM2I128(U8(0x31), r[4+i], r[i], r[4+i])
	}
	return append(append([]reg.VecPhysical(nil), work[:4]...), r[4:8]...)
}

// peak256 is peak in AVX2: 12 chains.
func peak256() {
	TEXT("peakFloat32x8", NOSPLIT, "func(n int)")
	Doc("peakFloat32x8 runs 12 independent chains of n multiply-adds of 8 lanes.")
	n := Load(Param("n"), GP64())
	for i := range ymm {
		VXORPS(ymm[i], ymm[i], ymm[i])
	}
	Label("loop")
	for i := range 12 {
		VFMADD231PS(ymm[15], ymm[14], ymm[i])
	}
	DECQ(n)
	JNZ(LabelRef("loop"))
	VZEROUPPER()
	RET()
}
