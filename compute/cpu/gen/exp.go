package main

import (
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// The exponential is 2ⁿ·p(r), as exp_generic.go says, in float32 with fused multiply-adds. ln 2 comes in two parts, the
// first so short that its product with n is exact. The relative error is below 1e-7 where the result is a normal number.
const (
	expLog2E = iota
	expInteger
	expLn2Hi
	expLn2Lo
	expE4
	expE3
	expE2
	expE1
	expE0
	expOne
	expLow      // below it e^x is no normal number: 0
	expHigh     // above it e^x is no float32: infinity
	expTop      // above expHigh, where n·ln2 is still exact
	expInfinity // added to what is above expHigh and to NaN
	expCount
)

var expValues = [expCount]float32{
	expLog2E: math.Log2E, expInteger: 0x1.8p23, expLn2Hi: 0.693359375, expLn2Lo: -2.12194440e-4,
	expE4: 0x1.6d117cp-10, expE3: 0x1.120be2p-7, expE2: 0x1.555518p-5, expE1: 0x1.5554dcp-3, expE0: 0.5, expOne: 1,
	expLow: -0x1.5d589ep+6, expHigh: 0x1.62e42ep+6, expTop: 89, expInfinity: float32(math.Inf(1)),
}

// expTables are the constants in the file being written: once each, and eight times each.
var expTables struct{ once, eight Mem }

func floatTable(name string, copies int) Mem {
	m := GLOBL(name, RODATA|NOPTR)
	for i, v := range expValues {
		for j := range copies {
			DATA(4*(copies*i+j), U32(math.Float32bits(v)))
		}
	}
	return m
}

// expZMM replaces x by eˣ: 0 for -Inf and below expLow, +Inf past the largest float32, NaN for NaN. It uses the registers
// t0, t1 and the mask k, and 64 bytes of constants which it adds to the file: nothing is to be prepared. All 16 lanes are
// computed; none of them traps.
func expZMM(x, t0, t1 reg.VecPhysical, k reg.OpmaskPhysical) {
	if expTables.once.Base == nil {
		expTables.once = floatTable("expConstants", 1)
	}
	c := func(i int) Mem { return expTables.once.Offset(4 * i) }
	VCMPPS_BCST(U8(0x15), c(expLow), x, k) // not less than, so true of NaN
	VBROADCASTSS(c(expTop), t0)
	VMINPS(x, t0, x) // in this order NaN stays
	VBROADCASTSS(c(expLog2E), t0)
	VFMADD213PS_BCST(c(expInteger), x, t0)
	VSUBPS_BCST(c(expInteger), t0, t0) // n
	VFNMADD231PS_BCST(c(expLn2Hi), t0, x)
	VFNMADD231PS_BCST(c(expLn2Lo), t0, x) // r
	VBROADCASTSS(c(expE4), t1)
	for i := expE3; i <= expE0; i++ {
		VFMADD213PS_BCST(c(i), x, t1)
	}
	VFMADD213PS_BCST(c(expOne), x, t1)
	VFMADD213PS_BCST(c(expOne), x, t1) // p(r)
	VSCALEFPS_Z(t0, t1, k, x)
}

// expYMM is expZMM for AVX2 and FMA, with the registers t0, t1 and t2.
func expYMM(x, t0, t1, t2 reg.VecPhysical) {
	if expTables.eight.Base == nil {
		expTables.eight = floatTable("expConstants8", 8)
	}
	c := func(i int) Mem { return expTables.eight.Offset(32 * i) }
	VMOVUPS(c(expLog2E), t0)
	VFMADD213PS(c(expInteger), x, t0) // n in the low bits
	VSUBPS(c(expInteger), t0, t1)     // n
	VMOVAPS(x, t2)
	VFNMADD231PS(c(expLn2Hi), t1, t2)
	VFNMADD231PS(c(expLn2Lo), t1, t2) // r
	VMOVUPS(c(expE4), t1)
	for i := expE3; i <= expE0; i++ {
		VFMADD213PS(c(i), t2, t1)
	}
	VFMADD213PS(c(expOne), t2, t1)
	VFMADD213PS(c(expOne), t2, t1) // p(r)
	VPSLLD(U8(23), t0, t0)
	VPADDD(t0, t1, t1)                 // 2ⁿ·p(r), for n from -126 to 128
	VCMPPS(U8(0x15), c(expLow), x, t0) // not less than
	VANDPS(t0, t1, t1)
	VCMPPS(U8(0x16), c(expHigh), x, t0) // not less or equal: greater, or NaN
	VADDPS(c(expInfinity), x, t2)
	VBLENDVPS(t0, t2, t1, x)
}
