package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// dropout keeps a counter's four words in the low halves of 64-bit lanes, where the multiplication reads them: what is in the high halves
// does not matter. A turn makes the numbers of two vectors.
func (l lanes) dropout() {
	counters := l.floats / 2
	table := func(name string, values ...uint64) Mem {
		m := GLOBL(name+l.suffix, RODATA|NOPTR)
		for i, v := range values {
			DATA(8*i, U64(v))
		}
		return m
	}
	var quarters, next []uint64
	for i := range counters {
		quarters, next = append(quarters, uint64(i)), append(next, uint64(counters))
	}
	quarterTable, nextTable := table("philoxQuarters", quarters...), table("philoxNext", next...)
	var low, high Mem
	if l.wide { // pairs of words of counters in their order, from two vectors
		low, high = table("philoxLow", 0, 8, 1, 9, 2, 10, 3, 11), table("philoxHigh", 4, 12, 5, 13, 6, 14, 7, 15)
	}

	l.text("dropout", "func(out, x *float32, keys *uint32, token, place, microStep, limit uint32, keep float32, n int)",
		"zeroes what Philox gives numbers below limit and multiplies the others; keys are 16 of each of the ten rounds' two.")
	out, x, keys, n := pointer("out"), pointer("x"), pointer("keys"), pointer("n")
	const c0, c1, c2, c3, m0, m1, a, quarter, token, place, micro, limit, keep, spare = 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13
	word := func(name string, dst int) {
		p, err := Param(name).Resolve()
		if err != nil {
			panic(err)
		}
		VBROADCASTSS(p.Addr, l.v[dst])
	}
	word("token", token)
	word("place", place)
	word("microStep", micro)
	word("limit", limit)
	l.broadcast("keep", keep)
	constant := func(v uint32, dst int) {
		r := GP32()
		MOVL(U32(v), r)
		VMOVD(r, l.v[dst].(reg.Vec).AsX())
		VPBROADCASTD(l.v[dst].(reg.Vec).AsX(), l.v[dst])
	}
	constant(0xD2511F53, m0)
	constant(0xCD9E8D57, m1)
	move := func(from Op, to int) { VMOVUPS(from, l.v[to]) }
	xor := func(from Op, to int) {
		if l.wide {
			VPXORD(from, l.v[to], l.v[to])
		} else {
			VPXOR(from, l.v[to], l.v[to])
		}
	}
	move(quarterTable, quarter)
	if l.wide {
		odd := GP32()
		MOVL(U32(0xaaaa), odd)
		KMOVW(odd, reg.K4)
	} else { // unsigned numbers are compared as signed ones, both with the highest bit turned
		constant(1<<31, 14)
		xor(l.v[14], limit)
	}

	body := func(tail bool) {
		VMOVAPS(l.v[token], l.v[c0])
		VMOVAPS(l.v[quarter], l.v[c1])
		VMOVAPS(l.v[place], l.v[c2])
		VMOVAPS(l.v[micro], l.v[c3])
		s := [4]int{c0, c1, c2, c3}
		free := a
		for round := range 10 {
			// hi(m1·c2) ^ c1 ^ key0, lo(m1·c2), hi(m0·c0) ^ c3 ^ key1, lo(m0·c0)
			VPMULUDQ(l.v[m0], l.v[s[0]], l.v[free])
			VPMULUDQ(l.v[m1], l.v[s[2]], l.v[s[2]])
			VPSRLQ(U8(32), l.v[s[2]], l.v[s[0]])
			xor(l.v[s[1]], s[0])
			xor(Mem{Base: keys, Disp: 128 * round}, s[0])
			VPSRLQ(U8(32), l.v[free], l.v[s[1]])
			xor(l.v[s[3]], s[1])
			xor(Mem{Base: keys, Disp: 128*round + 64}, s[1])
			s, free = [4]int{s[0], s[2], s[1], free}, s[3]
		}
		pair := func(first, second int) { // into one vector, first in the low halves
			VPSLLQ(U8(32), l.v[second], l.v[second])
			if l.wide {
				VMOVDQA32(l.v[second], reg.K4, l.v[first])
			} else {
				VPBLENDD(U8(0xaa), l.v[second], l.v[first], l.v[first])
			}
		}
		pair(s[0], s[1])
		pair(s[2], s[3])
		first, second := s[1], s[3] // the numbers in the order of channels
		if l.wide {
			move(low, first)
			VPERMI2Q(l.v[s[2]], l.v[s[0]], l.v[first])
			move(high, second)
			VPERMI2Q(l.v[s[2]], l.v[s[0]], l.v[second])
		} else {
			VPUNPCKLQDQ(l.v[s[2]], l.v[s[0]], l.v[free])
			VPUNPCKHQDQ(l.v[s[2]], l.v[s[0]], l.v[spare])
			VPERM2I128(U8(0x20), l.v[spare], l.v[free], l.v[first])
			VPERM2I128(U8(0x31), l.v[spare], l.v[free], l.v[second])
		}
		for half, numbers := range []int{first, second} {
			from, to := Mem{Base: x, Disp: 4 * l.floats * half}, Mem{Base: out, Disp: 4 * l.floats * half}
			value := s[0]
			switch {
			case !tail && l.wide:
				VPCMPUD(U8(5), l.v[limit], l.v[numbers], reg.K3)
				VMULPS_Z(from, l.v[keep], reg.K3, l.v[value])
				VMOVUPS(l.v[value], to)
			case !tail:
				xor(l.v[14], numbers)
				VPCMPGTD(l.v[numbers], l.v[limit], l.v[numbers]) // dropped
				VMULPS(from, l.v[keep], l.v[value])
				VPANDN(l.v[value], l.v[numbers], l.v[value])
				VMOVUPS(l.v[value], to)
			case l.wide:
				k := []reg.OpmaskPhysical{reg.K1, reg.K2}[half]
				VPCMPUD(U8(5), l.v[limit], l.v[numbers], reg.K3)
				VMOVUPS_Z(from, k, l.v[value])
				VMULPS_Z(l.v[keep], l.v[value], reg.K3, l.v[value])
				VMOVUPS(l.v[value], k, to)
			default:
				count, table := GP64(), GP64() // lanes in use, 0 to 8
				MOVQ(n, count)
				SUBQ(U8(l.floats*half), count)
				zero, most := GP64(), GP64()
				XORQ(zero, zero)
				CMPQ(count, zero)
				CMOVQLT(zero, count)
				MOVQ(I32(l.floats), most)
				CMPQ(count, most)
				CMOVQGT(most, count)
				NEGQ(count)
				LEAQ(masks().Offset(4*l.floats), table)
				VMOVDQU(Mem{Base: table, Index: count, Scale: 4}, l.v[15])
				xor(l.v[14], numbers)
				VPCMPGTD(l.v[numbers], l.v[limit], l.v[numbers])
				VMASKMOVPS(from, l.v[15], l.v[value])
				VMULPS(l.v[keep], l.v[value], l.v[value])
				VPANDN(l.v[value], l.v[numbers], l.v[value])
				VMASKMOVPS(l.v[value], l.v[15], to)
			}
		}
		VPADDQ(nextTable, l.v[quarter], l.v[quarter])
	}
	CMPQ(n, U8(2*l.floats))
	JLT(LabelRef("tail"))
	Label("loop")
	body(false)
	ADDQ(I32(8*l.floats), x)
	ADDQ(I32(8*l.floats), out)
	SUBQ(U8(2*l.floats), n)
	CMPQ(n, U8(2*l.floats))
	JGE(LabelRef("loop"))
	Label("tail")
	TESTQ(n, n)
	JZ(LabelRef("done"))
	if l.wide {
		bits := GP64()
		MOVQ(I32(-1), bits)
		SHLXQ(n, bits, bits)
		NOTQ(bits)
		KMOVW(bits.As32(), reg.K1)
		SHRQ(U8(16), bits)
		KMOVW(bits.As32(), reg.K2)
	}
	body(true)
	Label("done")
	VZEROUPPER()
	RET()
}
