package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// reading passes over memory as fast as it comes.
func reading() {
	TEXT("readLines", NOSPLIT, "func(p *byte, n int) (bits uint64)")
	Pragma("noescape")
	Doc("readLines reads n times 512 bytes and returns the or of all, 8 bytes wide.")
	p, n := Load(Param("p"), GP64()), Load(Param("n"), GP64())
	for i := range 4 {
		VPXOR(ymm[i], ymm[i], ymm[i])
	}
	Label("loop")
	for line := range 8 {
		PREFETCHT0(Mem{Base: p, Disp: 4096 + 64*line})
		for half := range 2 {
			v := ymm[(2*line+half)%4]
			VPOR(Mem{Base: p, Disp: 64*line + 32*half}, v, v)
		}
	}
	ADDQ(I32(512), p)
	DECQ(n)
	JNZ(LabelRef("loop"))
	VPOR(ymm[1], ymm[0], ymm[0])
	VPOR(ymm[3], ymm[2], ymm[2])
	VPOR(ymm[2], ymm[0], ymm[0])
	VEXTRACTI128(U8(1), ymm[0], reg.X1)
	VPOR(reg.X1, reg.X0, reg.X0)
	VPSHUFD(U8(0x4e), reg.X0, reg.X1)
	VPOR(reg.X1, reg.X0, reg.X0)
	bits := GP64()
	VMOVQ(reg.X0, bits)
	Store(bits, ReturnIndex(0))
	VZEROUPPER()
	RET()
}
