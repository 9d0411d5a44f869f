package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

func init() { generators["near"] = near }

// near are the tiles of products whose factors lie in the processor's cache as they are.
func near() {
	for vectors := 1; vectors <= 3; vectors++ {
		for rows := 1; rows <= 8; rows++ {
			nearTile(fmt.Sprintf("near%dx%d", rows, 16*vectors), rows, vectors)
		}
	}
}

// nearTile is tile48 with factors of any stride, for all columns of fewer vectors.
func nearTile(name string, rows, vectors int) {
	TEXT(name, NOSPLIT, "func(k int, a *float32, aRow, aUnit int, b *float32, bUnit int, c *float32, stride int, start *float32, startStride int)")
	Pragma("noescape")
	Doc(fmt.Sprintf("%s adds one block of k to %d × %d outputs: see nearTile.", name, rows, 16*vectors))
	const weight, broadcast = 24, 27
	k, b := Load(Param("k"), GP64()), Load(Param("b"), GP64())
	aRow, aUnit, bUnit := loadStride("aRow"), loadStride("aUnit"), loadStride("bUnit")
	pointers := []reg.Register{Load(Param("a"), GP64())} // three rows are addressed from each
	for len(pointers) < (rows+2)/3 {
		next, last := GP64(), pointers[len(pointers)-1]
		LEAQ(Mem{Base: aRow, Index: aRow, Scale: 2}, next)
		ADDQ(last, next)
		pointers = append(pointers, next)
	}
	a := func(i int) Mem {
		m := Mem{Base: pointers[i/3]}
		if i%3 > 0 {
			m.Index, m.Scale = aRow, uint8(i%3)
		}
		return m
	}
	sum := func(i, j int) reg.VecPhysical { return zmm[i*vectors+j] }
	for i := range rows * vectors {
		VPXORD(zmm[i], zmm[i], zmm[i])
	}
	Label("loop")
	for j := range vectors {
		VMOVUPS(Mem{Base: b, Disp: 64 * j}, zmm[weight+j])
	}
	for i := range rows {
		x := broadcast + i%2
		VBROADCASTSS(a(i), zmm[x])
		for j := range vectors {
			VFMADD231PS(zmm[x], zmm[weight+j], sum(i, j))
		}
	}
	for _, p := range pointers {
		ADDQ(aUnit, p)
	}
	ADDQ(bUnit, b)
	DECQ(k)
	JNZ(LabelRef("loop"))

	start, startStride := Load(Param("start"), GP64()), loadStride("startStride")
	TESTQ(start, start)
	JZ(LabelRef("store"))
	for i := range rows {
		for j := range vectors {
			VADDPS(Mem{Base: start, Disp: 64 * j}, sum(i, j), sum(i, j))
		}
		if i < rows-1 {
			ADDQ(startStride, start)
		}
	}
	Label("store")
	c, stride := Load(Param("c"), GP64()), loadStride("stride")
	for i := range rows {
		for j := range vectors {
			VMOVUPS(sum(i, j), Mem{Base: c, Disp: 64 * j})
		}
		if i < rows-1 {
			ADDQ(stride, c)
		}
	}
	VZEROUPPER()
	RET()
}

// loadStride loads a stride in elements and makes it one in bytes.
func loadStride(name string) reg.GPVirtual {
	r := GP64()
	Load(Param(name), r)
	SHLQ(U8(2), r)
	return r
}
