package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

func init() { generators["products"] = products }

// products are the tiles of matrix products: r rows of x times 48 columns, in registers.
func products() {
	for r := 1; r <= 8; r++ {
		tile48(fmt.Sprintf("tile%dx48", r), r, false)
		tile48(fmt.Sprintf("tilePairs%dx48", r), r, true)
	}
	packing()
	direct()
	avx2()
	reading()
	peak("peakFloat32", false)
	peak("peakPairs", true)
}

const tileSignature = "func(k int, a, b *uint32, c *float32, stride int, start *float32, startStride int, mask uint64, shift int)"

// tile48 adds one block of k to a tile: c[i][j] = start[i][j] + Σ a[k][i]·b[k][j] for the columns j in mask. c is shift
// columns off. Without start the sum alone is stored.
func tile48(name string, rows int, pairs bool) {
	const vectors = 3
	TEXT(name, NOSPLIT, tileSignature)
	Pragma("noescape")
	Doc(fmt.Sprintf("%s adds one block of k to %d × 48 outputs: see tile.", name, rows))
	k, a, b, c := Load(Param("k"), GP64()), Load(Param("a"), GP64()), Load(Param("b"), GP64()), Load(Param("c"), GP64())
	sum := func(i, j int) reg.VecPhysical { return zmm[i*vectors+j] }
	const weight, broadcast = 24, 27
	for i := range rows * vectors {
		VPXORD(zmm[i], zmm[i], zmm[i])
	}
	Label("loop")
	for j := range vectors {
		VMOVUPS(Mem{Base: b, Disp: 64 * j}, zmm[weight+j])
	}
	for i := range rows {
		x := broadcast + i%2
		VBROADCASTSS(Mem{Base: a, Disp: 4 * i}, zmm[x])
		for j := range vectors {
			if pairs {
				dotBFloat16(x, weight+j, i*vectors+j)
			} else {
				VFMADD231PS(zmm[x], zmm[weight+j], sum(i, j))
			}
		}
	}
	ADDQ(I32(4*rows), a)
	ADDQ(I32(64*vectors), b)
	DECQ(k)
	JNZ(LabelRef("loop"))

	stride := Load(Param("stride"), GP64())
	SHLQ(U8(2), stride)
	shift := Load(Param("shift"), GP64())
	LEAQ(Mem{Base: c, Index: shift, Scale: 4}, c)
	mask := Load(Param("mask"), GP64())
	columns := []reg.OpmaskPhysical{reg.K1, reg.K2, reg.K3}
	for j := range vectors {
		KMOVW(mask.(reg.GPVirtual).As32(), columns[j])
		SHRQ(U8(16), mask)
	}
	start := Load(Param("start"), GP64())
	TESTQ(start, start)
	JZ(LabelRef("store"))
	startStride := Load(Param("startStride"), GP64())
	SHLQ(U8(2), startStride)
	LEAQ(Mem{Base: start, Index: shift, Scale: 4}, start)
	for i := range rows {
		for j := range vectors {
			VADDPS(Mem{Base: start, Disp: 64 * j}, sum(i, j), columns[j], sum(i, j))
		}
		if i < rows-1 {
			ADDQ(startStride, start)
		}
	}
	Label("store")
	for i := range rows {
		for j := range vectors {
			VMOVUPS(sum(i, j), columns[j], Mem{Base: c, Disp: 64 * j})
		}
		if i < rows-1 {
			ADDQ(stride, c)
		}
	}
	VZEROUPPER()
	RET()
}

// peak multiplies and adds in registers alone: n times 24 vectors.
func peak(name string, pairs bool) {
	TEXT(name, NOSPLIT, "func(n int)")
	Doc(name + " runs 24 independent chains of n multiply-adds of 16 lanes.")
	n := Load(Param("n"), GP64())
	for i := range zmm {
		VPXORD(zmm[i], zmm[i], zmm[i])
	}
	Label("loop")
	for i := range 24 {
		if pairs {
			dotBFloat16(31, 30, i)
		} else {
			VFMADD231PS(zmm[31], zmm[30], zmm[i])
		}
	}
	DECQ(n)
	JNZ(LabelRef("loop"))
	VZEROUPPER()
	RET()
}
