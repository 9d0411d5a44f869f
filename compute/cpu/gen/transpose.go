package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// transpose16 turns 16 vectors of 16 dwords in place, with 16 more to work in.
func transpose16(r, s []reg.VecPhysical) {
	for g := 0; g < 16; g += 4 { // 4 × 4 in each 128-bit lane
		a, b, c, d := r[g], r[g+1], r[g+2], r[g+3]
		t0, t1, t2, t3 := s[g], s[g+1], s[g+2], s[g+3]
		VPUNPCKLDQ(b, a, t0)
		VPUNPCKHDQ(b, a, t1)
		VPUNPCKLDQ(d, c, t2)
		VPUNPCKHDQ(d, c, t3)
		VPUNPCKLQDQ(t2, t0, a)
		VPUNPCKHQDQ(t2, t0, b)
		VPUNPCKLQDQ(t3, t1, c)
		VPUNPCKHQDQ(t3, t1, d)
	}
	for i := range 4 { // then 4 × 4 of the lanes
		VSHUFI32X4(U8(0x88), r[4+i], r[i], s[i])
		VSHUFI32X4(U8(0xdd), r[4+i], r[i], s[4+i])
		VSHUFI32X4(U8(0x88), r[12+i], r[8+i], s[8+i])
		VSHUFI32X4(U8(0xdd), r[12+i], r[8+i], s[12+i])
	}
	for i := range 8 {
		VSHUFI32X4(U8(0x88), s[8+i], s[i], r[i])
		VSHUFI32X4(U8(0xdd), s[8+i], s[i], r[8+i])
	}
}
