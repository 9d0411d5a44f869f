package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/ir"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// zmm and ymm are the vector registers by number.
var (
	zmm = []reg.VecPhysical{
		reg.Z0, reg.Z1, reg.Z2, reg.Z3, reg.Z4, reg.Z5, reg.Z6, reg.Z7,
		reg.Z8, reg.Z9, reg.Z10, reg.Z11, reg.Z12, reg.Z13, reg.Z14, reg.Z15,
		reg.Z16, reg.Z17, reg.Z18, reg.Z19, reg.Z20, reg.Z21, reg.Z22, reg.Z23,
		reg.Z24, reg.Z25, reg.Z26, reg.Z27, reg.Z28, reg.Z29, reg.Z30, reg.Z31}
	ymm = []reg.VecPhysical{
		reg.Y0, reg.Y1, reg.Y2, reg.Y3, reg.Y4, reg.Y5, reg.Y6, reg.Y7,
		reg.Y8, reg.Y9, reg.Y10, reg.Y11, reg.Y12, reg.Y13, reg.Y14, reg.Y15}
)

// The prefix of an EVEX instruction selects its map of opcodes together with these bits.
const (
	prefixF3 = 2
	prefixF2 = 3
)

// evex is the instruction op dst, v, rm on three zmm registers, in map 0F38 with W = 0, which the Go assembler lacks.
// Source: Intel SDM volume 2, section 2.7.
func evex(name string, prefix, op byte, dst, v, rm int) {
	not := func(x, bit int) byte { return byte(1 - (x>>bit)&1) }
	p0 := not(dst, 3)<<7 | not(rm, 4)<<6 | not(rm, 3)<<5 | not(dst, 4)<<4 | 2
	p1 := (^byte(v)&15)<<3 | 1<<2 | prefix
	p2 := byte(2)<<5 | not(v, 4)<<3
	modrm := 0xc0 | byte(dst&7)<<3 | byte(rm&7)
	Comment(fmt.Sprintf("%s Z%d, Z%d, Z%d", name, rm, v, dst))
	Instruction(&ir.Instruction{Opcode: "LONG", Operands: []Op{U32(0x62 | uint32(p0)<<8 | uint32(p1)<<16 | uint32(p2)<<24)}})
	Instruction(&ir.Instruction{Opcode: "WORD", Operands: []Op{U16(uint16(op) | uint16(modrm)<<8)}})
}

// dotBFloat16 adds to each float32 of dst the dot product of two pairs of bfloat16: VDPBF16PS.
func dotBFloat16(a, b, dst int) { evex("VDPBF16PS", prefixF3, 0x52, dst, b, a) }

// roundBFloat16 rounds two vectors of float32 to one of bfloat16, lo's in the lower half: VCVTNE2PS2BF16.
func roundBFloat16(lo, hi, dst int) { evex("VCVTNE2PS2BF16", prefixF2, 0x72, dst, hi, lo) }
