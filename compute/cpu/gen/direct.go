package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// direct are products of few rows of x with 16 rows of a weight as it lies in memory: the columns of a panel are made in
// registers and multiplied at once.
func direct() {
	for _, rows := range []int{1, 2, 4} {
		directRows(fmt.Sprintf("direct%d", rows), rows, false, copied)
		directRows(fmt.Sprintf("directPairs%d", rows), rows, true, copied)
		directRows(fmt.Sprintf("directWiden%d", rows), rows, false, widened)
		directRows(fmt.Sprintf("directHalf%d", rows), rows, false, halvesWidened)
		directRows(fmt.Sprintf("directQ8x%d", rows), rows, false, scaledLow, scaledHigh)
		directRows(fmt.Sprintf("directQ8Pairs%d", rows), rows, true, scaledRounded)
	}
}

const directSignature = "func(n int, a *uint32, aStride int, src *byte, srcStride, ahead int, c *float32, stride int, start *float32, startStride int)"

// directRows adds one block of k to rows × 16 outputs, in n turns of 16 vectors of the weight for each of some forms.
func directRows(name string, rows int, pairs bool, forms ...form) {
	TEXT(name, NOSPLIT, directSignature)
	Pragma("noescape")
	Doc(fmt.Sprintf("%s adds one block of k to %d × 16 outputs, of a weight that is not packed: see direct.", name, rows))
	n, a, aStride := Load(Param("n"), GP64()), Load(Param("a"), GP64()), Load(Param("aStride"), GP64())
	src, srcStride, ahead := Load(Param("src"), GP64()), Load(Param("srcStride"), GP64()), Load(Param("ahead"), GP64())
	const sum, broadcast = 20, 28
	for i := range rows {
		VPXORD(zmm[sum+i], zmm[sum+i], zmm[sum+i])
	}
	Label("loop")
	for part, f := range forms {
		loadRows(src, srcStride, ahead, f, part == 0)
		for _, column := range transposeInPlace(zmm[:16], zmm[16:20]) {
			units := []int{number(column)}
			if f.store != nil {
				units = []int{16, 17}
				f.store(column)
			}
			for _, u := range units {
				for i := range rows {
					x := broadcast + i
					VBROADCASTSS(Mem{Base: a, Disp: 4 * i}, zmm[x])
					if pairs {
						dotBFloat16(x, u, sum+i)
					} else {
						VFMADD231PS(zmm[x], zmm[u], zmm[sum+i])
					}
				}
				ADDQ(aStride, a)
			}
		}
	}
	ADDQ(I32(forms[0].bytes), src)
	DECQ(n)
	JNZ(LabelRef("loop"))

	storeDirect(rows, sum)
}

// storeDirect adds what the outputs start from to the sums and stores them.
func storeDirect(rows, sum int) {
	c, stride := Load(Param("c"), GP64()), Load(Param("stride"), GP64())
	start, startStride := Load(Param("start"), GP64()), Load(Param("startStride"), GP64())
	SHLQ(U8(2), stride)
	SHLQ(U8(2), startStride)
	TESTQ(start, start)
	JZ(LabelRef("store"))
	for r := range rows {
		VADDPS(Mem{Base: start}, zmm[sum+r], zmm[sum+r])
		ADDQ(startStride, start)
	}
	Label("store")
	for r := range rows {
		VMOVUPS(zmm[sum+r], Mem{Base: c})
		ADDQ(stride, c)
	}
	VZEROUPPER()
	RET()
}

// transposeInPlace is transpose16 with only 4 registers to work in, the first 3 of which end up free. It returns the
// columns in order.
func transposeInPlace(rows, work []reg.VecPhysical) []reg.VecPhysical {
	r := append([]reg.VecPhysical(nil), rows...)
	for g := 0; g < 16; g += 4 {
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
	free := work[3]
	halves := func(i, j int) { // even and odd lanes of r[i] and r[j]
		VSHUFI32X4(U8(0x88), r[j], r[i], free)
		VSHUFI32X4(U8(0xdd), r[j], r[i], r[j])
		r[i], free = free, r[i]
	}
	for i := range 4 {
		halves(i, 4+i)
		halves(8+i, 12+i)
	}
	for i := range 8 {
		halves(i, 8+i)
	}
	return r
}

func number(v reg.VecPhysical) int {
	for i, z := range zmm {
		if z == v {
			return i
		}
	}
	panic("no zmm register")
}
