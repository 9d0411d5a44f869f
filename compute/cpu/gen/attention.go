package main

import (
	"fmt"
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

func init() { generators["attention"] = attention }

// pageSize is compute.PageSize, rowLanes the lanes in which a row's weights are added.
const pageSize, rowLanes = 64, 16

func attention() {
	for rows := 1; rows <= 6; rows++ {
		for _, vectors := range []int{4, 2, 1} {
			attentionBlock(fmt.Sprintf("attend%dx%d", rows, 16*vectors), rows, vectors, wide)
			attentionBlock(fmt.Sprintf("attendPairs%dx%d", rows, 16*vectors), rows, vectors, widePairs)
		}
		attentionBlock(fmt.Sprintf("attendAVX2_%dx16", rows), rows, 2, narrow)
	}
	attentionWeights("attentionWeights512", false)
	attentionWeights("attentionWeightsPairs512", true)
	attentionWeightsAVX2()
	attentionRound()
	attentionWiden()
	attentionFinite()
	attentionScale()
}

type blockKind int

const (
	wide      blockKind = iota // float32 in zmm
	widePairs                  // pairs of bfloat16 in zmm
	narrow                     // float32 in ymm
)

// attentionBlock multiplies a block of rows by vectors of columns in registers, as attentionKernels.multiply says.
func attentionBlock(name string, rows, vectors int, kind blockKind) {
	TEXT(name, NOSPLIT, "func(depth int, a *uint32, lda int, b *uint32, ldb int, c *float32, ldc int, start *float32)")
	Pragma("noescape")
	Doc(fmt.Sprintf("%s multiplies %d rows: see attentionBlocks.", name, rows))
	v, size := zmm, 64
	factor, multiplier := 24, 28
	if kind == narrow {
		v, size = ymm, 32
		factor, multiplier = 12, 14
	}
	depth, b := Load(Param("depth"), GP64()), Load(Param("b"), GP64())
	lda, ldb, ldc := Load(Param("lda"), GP64()), Load(Param("ldb"), GP64()), Load(Param("ldc"), GP64())
	for _, stride := range []reg.Register{lda, ldb, ldc} {
		SHLQ(U8(2), stride)
	}
	// Three rows are addressed from each of two pointers.
	halves := func(base, stride reg.Register) func(i int) Mem {
		second := GP64()
		if rows > 3 {
			LEAQ(Mem{Base: stride, Index: stride, Scale: 2}, second)
			ADDQ(base, second)
		}
		return func(i int) Mem {
			m := Mem{Base: base}
			if i >= 3 {
				m.Base = second
			}
			if i%3 > 0 {
				m.Index, m.Scale = stride, uint8(i%3)
			}
			return m
		}
	}
	sum := func(i, j int) reg.VecPhysical { return v[i*vectors+j] }

	c := halves(Load(Param("c"), GP64()), ldc)
	start := Load(Param("start"), GP64())
	TESTQ(start, start)
	JZ(LabelRef("zero"))
	for i := range rows {
		VBROADCASTSS(Mem{Base: start, Disp: 4 * i}, v[multiplier])
		for j := range vectors {
			VMULPS(c(i).Offset(size*j), v[multiplier], sum(i, j))
		}
	}
	JMP(LabelRef("begin"))
	Label("zero")
	for i := range rows * vectors {
		VXORPS(v[i], v[i], v[i])
	}

	Label("begin")
	base := Load(Param("a"), GP64())
	a := halves(base, lda)
	Label("loop")
	for j := range vectors {
		VMOVUPS(Mem{Base: b, Disp: size * j}, v[factor+j])
	}
	for i := range rows {
		x := multiplier + i%2
		VBROADCASTSS(a(i), v[x])
		for j := range vectors {
			if kind == widePairs {
				dotBFloat16(x, factor+j, i*vectors+j)
			} else {
				VFMADD231PS(v[x], v[factor+j], sum(i, j))
			}
		}
	}
	ADDQ(ldb, b)
	ADDQ(U8(4), base)
	if rows > 3 {
		ADDQ(U8(4), a(3).Base)
	}
	DECQ(depth)
	JNZ(LabelRef("loop"))
	for i := range rows {
		for j := range vectors {
			VMOVUPS(sum(i, j), c(i).Offset(size*j))
		}
	}
	VZEROUPPER()
	RET()
}

const weightsSignature = "func(rows int, weights *uint32, scores *float32, visible *uint64, peaks, correction, lanes *float32, scale float32)"

// attentionWeights is attentionKernels.weigh in AVX-512.
func attentionWeights(name string, pairs bool) {
	TEXT(name, NOSPLIT, weightsSignature)
	Pragma("noescape")
	Doc(name + " is attentionKernels.weigh.")
	rows, weights, scores := Load(Param("rows"), GP64()), Load(Param("weights"), GP64()), Load(Param("scores"), GP64())
	visible, peaks, correction := Load(Param("visible"), GP64()), Load(Param("peaks"), GP64()), Load(Param("correction"), GP64())
	lanes := Load(Param("lanes"), GP64())
	const least, scale, peak, old, spare = 31, 30, 29, 4, 5
	infinity := GP32()
	MOVL(U32(math.Float32bits(float32(math.Inf(-1)))), infinity)
	VPBROADCASTD(infinity, zmm[least])
	factor, _ := Param("scale").Resolve()
	VBROADCASTSS(factor.Addr, zmm[scale])
	masks := []reg.OpmaskPhysical{reg.K1, reg.K2, reg.K3, reg.K4}
	temporary := func(i int) (t0, t1 reg.VecPhysical) { return zmm[10+2*i], zmm[11+2*i] }

	Label("loop")
	for j, k := range masks {
		KMOVW(Mem{Base: visible, Disp: 2 * j}, k)
		VMOVAPS(zmm[least], zmm[j])
		VMULPS(Mem{Base: scores, Disp: 64 * j}, zmm[scale], k, zmm[j])
	}
	VMAXPS(zmm[0], zmm[1], zmm[peak])
	VMAXPS(zmm[2], zmm[3], zmm[spare])
	VMAXPS(zmm[spare], zmm[peak], zmm[peak])
	VSHUFF64X2(U8(0x4e), zmm[peak], zmm[peak], zmm[spare]) // quarters 2 3 0 1
	VMAXPS(zmm[spare], zmm[peak], zmm[peak])
	VSHUFF64X2(U8(0xb1), zmm[peak], zmm[peak], zmm[spare]) // quarters 1 0 3 2
	VMAXPS(zmm[spare], zmm[peak], zmm[peak])
	VPERMILPS(U8(0x4e), zmm[peak], zmm[spare])
	VMAXPS(zmm[spare], zmm[peak], zmm[peak])
	VPERMILPS(U8(0xb1), zmm[peak], zmm[spare])
	VMAXPS(zmm[spare], zmm[peak], zmm[peak])
	VBROADCASTSS(Mem{Base: peaks}, zmm[old])
	VMAXPS(zmm[peak], zmm[old], zmm[peak])
	VMOVSS(zmm[peak].AsX(), Mem{Base: peaks})
	for j := range 5 {
		VSUBPS(zmm[peak], zmm[j], zmm[j])
		t0, t1 := temporary(j)
		expZMM(zmm[j], t0, t1, reg.K5)
	}
	VMOVSS(zmm[old].AsX(), Mem{Base: correction})
	VADDPS(zmm[1], zmm[0], zmm[6])
	VADDPS(zmm[3], zmm[2], zmm[7])
	VADDPS(zmm[7], zmm[6], zmm[6])
	VFMADD231PS(Mem{Base: lanes}, zmm[old], zmm[6])
	VMOVUPS(zmm[6], Mem{Base: lanes})
	bytes := 4 * pageSize
	if pairs {
		bytes /= 2
		roundBFloat16(0, 1, 8)
		roundBFloat16(2, 3, 9)
		VMOVUPS(zmm[8], Mem{Base: weights})
		VMOVUPS(zmm[9], Mem{Base: weights, Disp: 64})
	} else {
		for j := range 4 {
			VMOVUPS(zmm[j], Mem{Base: weights, Disp: 64 * j})
		}
	}
	ADDQ(I32(bytes), weights)
	ADDQ(I32(4*pageSize), scores)
	ADDQ(U8(8), visible)
	ADDQ(U8(4), peaks)
	ADDQ(U8(4), correction)
	ADDQ(I32(4*rowLanes), lanes)
	DECQ(rows)
	JNZ(LabelRef("loop"))
	VZEROUPPER()
	RET()
}

// attentionWeightsAVX2 is attentionKernels.weigh in AVX2: the scores are scaled and masked where they are, for a page's row does
// not fit the registers.
func attentionWeightsAVX2() {
	const name = "attentionWeightsAVX2"
	lane := GLOBL("attentionLaneBits", RODATA|NOPTR)
	for i := range 8 {
		DATA(4*i, U32(1<<i))
	}
	TEXT(name, NOSPLIT, weightsSignature)
	Pragma("noescape")
	Doc(name + " is attentionKernels.weigh. It changes the scores.")
	rows, weights, scores := Load(Param("rows"), GP64()), Load(Param("weights"), GP64()), Load(Param("scores"), GP64())
	visible, peaks, correction := Load(Param("visible"), GP64()), Load(Param("peaks"), GP64()), Load(Param("correction"), GP64())
	lanes := Load(Param("lanes"), GP64())
	const least, scale, bits, peak, old, mask, x, t0, t1, t2, even = 15, 14, 13, 12, 11, 10, 0, 1, 2, 3, 4
	infinity := GP32()
	MOVL(U32(math.Float32bits(float32(math.Inf(-1)))), infinity)
	VMOVD(infinity, ymm[least].AsX())
	VBROADCASTSS(ymm[least].AsX(), ymm[least])
	factor, _ := Param("scale").Resolve()
	VBROADCASTSS(factor.Addr, ymm[scale])
	VMOVDQU(lane, ymm[bits])

	Label("loop")
	VBROADCASTSS(Mem{Base: peaks}, ymm[old])
	VMOVAPS(ymm[old], ymm[peak])
	for j := range pageSize / 8 {
		VPBROADCASTB(Mem{Base: visible, Disp: j}, ymm[mask])
		VPAND(ymm[bits], ymm[mask], ymm[mask])
		VPCMPEQD(ymm[bits], ymm[mask], ymm[mask])
		VMULPS(Mem{Base: scores, Disp: 32 * j}, ymm[scale], ymm[x])
		VBLENDVPS(ymm[mask], ymm[x], ymm[least], ymm[x])
		VMOVUPS(ymm[x], Mem{Base: scores, Disp: 32 * j})
		VMAXPS(ymm[x], ymm[peak], ymm[peak])
	}
	VPERM2F128(U8(1), ymm[peak], ymm[peak], ymm[x])
	VMAXPS(ymm[x], ymm[peak], ymm[peak])
	VPERMILPS(U8(0x4e), ymm[peak], ymm[x])
	VMAXPS(ymm[x], ymm[peak], ymm[peak])
	VPERMILPS(U8(0xb1), ymm[peak], ymm[x])
	VMAXPS(ymm[x], ymm[peak], ymm[peak])
	VMOVSS(ymm[peak].AsX(), Mem{Base: peaks})
	VSUBPS(ymm[peak], ymm[old], ymm[old])
	expYMM(ymm[old], ymm[t0], ymm[t1], ymm[t2])
	VMOVSS(ymm[old].AsX(), Mem{Base: correction})
	for j := range 2 {
		VMULPS(Mem{Base: lanes, Disp: 32 * j}, ymm[old], ymm[even+j])
	}
	for j := range pageSize / 8 {
		VMOVUPS(Mem{Base: scores, Disp: 32 * j}, ymm[x])
		VSUBPS(ymm[peak], ymm[x], ymm[x])
		expYMM(ymm[x], ymm[t0], ymm[t1], ymm[t2])
		VMOVUPS(ymm[x], Mem{Base: weights, Disp: 32 * j})
		VADDPS(ymm[x], ymm[even+j%2], ymm[even+j%2])
	}
	for j := range 2 {
		VMOVUPS(ymm[even+j], Mem{Base: lanes, Disp: 32 * j})
	}
	ADDQ(I32(4*pageSize), weights)
	ADDQ(I32(4*pageSize), scores)
	ADDQ(U8(8), visible)
	ADDQ(U8(4), peaks)
	ADDQ(U8(4), correction)
	ADDQ(I32(4*rowLanes), lanes)
	DECQ(rows)
	JNZ(LabelRef("loop"))
	VZEROUPPER()
	RET()
}

// attentionRound rounds float32 to pairs, 16 pairs a turn.
func attentionRound() {
	TEXT("attentionRound512", NOSPLIT, "func(turns int, dst *uint32, src *float32)")
	Pragma("noescape")
	Doc("attentionRound512 rounds 32 float32 a turn to bfloat16.")
	turns, dst, src := Load(Param("turns"), GP64()), Load(Param("dst"), GP64()), Load(Param("src"), GP64())
	Label("loop")
	VMOVUPS(Mem{Base: src}, zmm[0])
	VMOVUPS(Mem{Base: src, Disp: 64}, zmm[1])
	roundBFloat16(0, 1, 2)
	VMOVUPS(zmm[2], Mem{Base: dst})
	ADDQ(I32(128), src)
	ADDQ(I32(64), dst)
	DECQ(turns)
	JNZ(LabelRef("loop"))
	VZEROUPPER()
	RET()
}

// attentionWiden splits one row of pairs into two rows of float32.
func attentionWiden() {
	TEXT("attentionWidenAVX2", NOSPLIT, "func(turns int, first, second *float32, src *uint32)")
	Pragma("noescape")
	Doc("attentionWidenAVX2 splits 8 pairs a turn into two rows of float32.")
	turns, src := Load(Param("turns"), GP64()), Load(Param("src"), GP64())
	first, second := Load(Param("first"), GP64()), Load(Param("second"), GP64())
	Label("loop")
	VMOVDQU(Mem{Base: src}, ymm[0])
	VPSLLD(U8(16), ymm[0], ymm[1])
	VPSRLD(U8(16), ymm[0], ymm[2])
	VPSLLD(U8(16), ymm[2], ymm[2])
	VMOVDQU(ymm[1], Mem{Base: first})
	VMOVDQU(ymm[2], Mem{Base: second})
	ADDQ(U8(32), src)
	ADDQ(U8(32), first)
	ADDQ(U8(32), second)
	DECQ(turns)
	JNZ(LabelRef("loop"))
	VZEROUPPER()
	RET()
}

// attentionFinite looks for exponents of ones in both halves of each unit: mask leaves those bits that are an exponent's.
func attentionFinite() {
	TEXT("attentionFiniteAVX2", NOSPLIT, "func(turns int, units *uint32, mask uint32) bool")
	Pragma("noescape")
	Doc("attentionFiniteAVX2 reports whether no half of 16 units a turn is 0x7f80 under mask.")
	turns, units := Load(Param("turns"), GP64()), Load(Param("units"), GP64())
	mask, _ := Param("mask").Resolve()
	VBROADCASTSS(mask.Addr, ymm[15])
	ones := GP32()
	MOVL(U32(0x7f807f80), ones)
	VMOVD(ones, ymm[14].AsX())
	VPBROADCASTD(ymm[14].AsX(), ymm[14])
	VPXOR(ymm[4], ymm[4], ymm[4])
	VPXOR(ymm[5], ymm[5], ymm[5])
	Label("loop")
	for j := range 2 {
		VPAND(Mem{Base: units, Disp: 32 * j}, ymm[15], ymm[j])
		VPCMPEQW(ymm[14], ymm[j], ymm[j])
		VPOR(ymm[j], ymm[4+j], ymm[4+j])
	}
	ADDQ(U8(64), units)
	DECQ(turns)
	JNZ(LabelRef("loop"))
	VPOR(ymm[5], ymm[4], ymm[4])
	VPTEST(ymm[4], ymm[4])
	ret, _ := ReturnIndex(0).Resolve()
	SETEQ(ret.Addr)
	VZEROUPPER()
	RET()
}

// attentionScale multiplies and adds a positive zero.
func attentionScale() {
	TEXT("attentionScaleAVX2", NOSPLIT, "func(turns int, dst, src *float32, factor float32)")
	Pragma("noescape")
	Doc("attentionScaleAVX2 is dst = src·factor + 0, 8 numbers a turn.")
	turns, dst, src := Load(Param("turns"), GP64()), Load(Param("dst"), GP64()), Load(Param("src"), GP64())
	factor, _ := Param("factor").Resolve()
	VBROADCASTSS(factor.Addr, ymm[15])
	VXORPS(ymm[14], ymm[14], ymm[14])
	Label("loop")
	VMULPS(Mem{Base: src}, ymm[15], ymm[0])
	VADDPS(ymm[14], ymm[0], ymm[0])
	VMOVUPS(ymm[0], Mem{Base: dst})
	ADDQ(U8(32), src)
	ADDQ(U8(32), dst)
	DECQ(turns)
	JNZ(LabelRef("loop"))
	VZEROUPPER()
	RET()
}
