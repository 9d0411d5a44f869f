package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

func init() { generators["gradient_attention"] = gradientAttention }

func gradientAttention() {
	for rows := 1; rows <= 6; rows++ {
		for _, vectors := range []int{4, 2, 1} {
			transposedBlock(fmt.Sprintf("attendTransposed%dx%d", rows, 16*vectors), rows, vectors, true)
		}
		transposedBlock(fmt.Sprintf("attendTransposedAVX2_%dx16", rows), rows, 2, false)
	}
	attentionSlopes512()
	attentionSlopesAVX2()
	transposeRows()
}

// transposedBlock is attentionBlock with a's rows and columns exchanged: a unit of k is a row of a, lda apart.
func transposedBlock(name string, rows, vectors int, wide bool) {
	TEXT(name, NOSPLIT, "func(depth int, a *uint32, lda int, b *uint32, ldb int, c *float32, ldc int, start *float32)")
	Pragma("noescape")
	Doc(fmt.Sprintf("%s multiplies %d columns of a: see attentionBlocks.", name, rows))
	v, size := zmm, 64
	factor, multiplier := 24, 28
	if !wide {
		v, size = ymm, 32
		factor, multiplier = 12, 14
	}
	depth, a, b := Load(Param("depth"), GP64()), Load(Param("a"), GP64()), Load(Param("b"), GP64())
	lda, ldb, ldc := Load(Param("lda"), GP64()), Load(Param("ldb"), GP64()), Load(Param("ldc"), GP64())
	for _, stride := range []reg.Register{lda, ldb, ldc} {
		SHLQ(U8(2), stride)
	}
	sum := func(i, j int) reg.VecPhysical { return v[i*vectors+j] }
	start := Load(Param("start"), GP64())
	eachRow := func(body func(i int, c reg.Register)) {
		c := Load(Param("c"), GP64())
		for i := range rows {
			body(i, c)
			if i+1 < rows {
				ADDQ(ldc, c)
			}
		}
	}
	TESTQ(start, start)
	JZ(LabelRef("zero"))
	eachRow(func(i int, c reg.Register) {
		VBROADCASTSS(Mem{Base: start, Disp: 4 * i}, v[multiplier])
		for j := range vectors {
			VMULPS(Mem{Base: c, Disp: size * j}, v[multiplier], sum(i, j))
		}
	})
	JMP(LabelRef("loop"))
	Label("zero")
	for i := range rows * vectors {
		VXORPS(v[i], v[i], v[i])
	}
	Label("loop")
	for j := range vectors {
		VMOVUPS(Mem{Base: b, Disp: size * j}, v[factor+j])
	}
	for i := range rows {
		x := multiplier + i%2
		VBROADCASTSS(Mem{Base: a, Disp: 4 * i}, v[x])
		for j := range vectors {
			VFMADD231PS(v[x], v[factor+j], sum(i, j))
		}
	}
	ADDQ(ldb, b)
	ADDQ(lda, a)
	DECQ(depth)
	JNZ(LabelRef("loop"))
	eachRow(func(i int, c reg.Register) {
		for j := range vectors {
			VMOVUPS(sum(i, j), Mem{Base: c, Disp: size * j})
		}
	})
	VZEROUPPER()
	RET()
}

const slopesSignature = "func(rows int, scores, slopes *float32, visible *uint64, lse, delta *float32, scale, bend, outer float32)"

// slopeArguments loads what both levels' kernels have in common.
func slopeArguments(v []reg.VecPhysical, scale, bend, outer int) (rows, scores, slopes, visible, lse, delta reg.Register) {
	for i, name := range []string{"scale", "bend", "outer"} {
		p, err := Param(name).Resolve()
		if err != nil {
			panic(err)
		}
		VBROADCASTSS(p.Addr, v[[]int{scale, bend, outer}[i]])
	}
	return Load(Param("rows"), GP64()), Load(Param("scores"), GP64()), Load(Param("slopes"), GP64()), Load(Param("visible"), GP64()),
		Load(Param("lse"), GP64()), Load(Param("delta"), GP64())
}

// slopeTurn goes on to the next row.
func slopeTurn(rows, scores, slopes, visible reg.Register) {
	ADDQ(I32(4*pageSize), scores)
	ADDQ(I32(4*pageSize), slopes)
	ADDQ(U8(8), visible)
	DECQ(rows)
	JNZ(LabelRef("loop"))
	VZEROUPPER()
	RET()
}

func attentionSlopes512() {
	TEXT("attentionSlopes512", NOSPLIT, slopesSignature)
	Pragma("noescape")
	Doc("attentionSlopes512 is gradientKernels.slopes.")
	const scale, bend, outer, one, lses, deltas = 31, 30, 29, 28, 16, 20
	rows, scores, slopes, visible, lse, delta := slopeArguments(zmm, scale, bend, outer)
	VMOVUPS(sixteen.c(1), zmm[one])
	masks := []reg.OpmaskPhysical{reg.K1, reg.K2, reg.K3, reg.K4}
	for j := range 4 {
		VMOVUPS(Mem{Base: lse, Disp: 64 * j}, zmm[lses+j])
		VMOVUPS(Mem{Base: delta, Disp: 64 * j}, zmm[deltas+j])
	}
	Label("loop")
	for j, k := range masks {
		x, inner, slope, t0, t1 := zmm[j], zmm[4+j], zmm[8+j], zmm[12+j%2], zmm[14+j%2]
		KMOVW(Mem{Base: visible, Disp: 2 * j}, k)
		VMULPS(Mem{Base: scores, Disp: 64 * j}, zmm[scale], x)
		VMULPS(x, x, slope)
		VMOVAPS(zmm[one], inner)
		VFNMADD231PS(slope, zmm[bend], inner) // the slope of the soft cap
		VMULPS(zmm[outer], inner, inner)
		VSUBPS(zmm[lses+j], x, x)
		expZMM(x, t0, t1, reg.K5)
		VMOVAPS_Z(x, k, x)
		VMOVUPS(x, Mem{Base: scores, Disp: 64 * j})
		VMOVUPS(Mem{Base: slopes, Disp: 64 * j}, slope)
		VSUBPS(zmm[deltas+j], slope, slope)
		VMULPS(inner, slope, slope)
		VMULPS_Z(x, slope, k, slope)
		VMOVUPS(slope, Mem{Base: slopes, Disp: 64 * j})
	}
	slopeTurn(rows, scores, slopes, visible)
}

func attentionSlopesAVX2() {
	lane := GLOBL("slopeLaneBits", RODATA|NOPTR)
	for i := range 8 {
		DATA(4*i, U32(1<<i))
	}
	TEXT("attentionSlopesAVX2", NOSPLIT, slopesSignature)
	Pragma("noescape")
	Doc("attentionSlopesAVX2 is gradientKernels.slopes.")
	const scale, bend, outer, bits, x, inner, slope, t0, mask = 15, 14, 13, 12, 0, 1, 2, 3, 6
	rows, scores, slopes, visible, lse, delta := slopeArguments(ymm, scale, bend, outer)
	VMOVDQU(lane, ymm[bits])
	Label("loop")
	for j := range pageSize / 8 {
		VPBROADCASTB(Mem{Base: visible, Disp: j}, ymm[mask])
		VPAND(ymm[bits], ymm[mask], ymm[mask])
		VPCMPEQD(ymm[bits], ymm[mask], ymm[mask])
		VMULPS(Mem{Base: scores, Disp: 32 * j}, ymm[scale], ymm[x])
		VMULPS(ymm[x], ymm[x], ymm[slope])
		VMOVUPS(eight.c(1), ymm[inner])
		VFNMADD231PS(ymm[slope], ymm[bend], ymm[inner])
		VMULPS(ymm[outer], ymm[inner], ymm[inner])
		VSUBPS(Mem{Base: lse, Disp: 32 * j}, ymm[x], ymm[x])
		expYMM(ymm[x], ymm[t0], ymm[t0+1], ymm[t0+2])
		VANDPS(ymm[mask], ymm[x], ymm[x])
		VMOVUPS(ymm[x], Mem{Base: scores, Disp: 32 * j})
		VMOVUPS(Mem{Base: slopes, Disp: 32 * j}, ymm[slope])
		VSUBPS(Mem{Base: delta, Disp: 32 * j}, ymm[slope], ymm[slope])
		VMULPS(ymm[inner], ymm[slope], ymm[slope])
		VMULPS(ymm[x], ymm[slope], ymm[slope])
		VANDPS(ymm[mask], ymm[slope], ymm[slope])
		VMOVUPS(ymm[slope], Mem{Base: slopes, Disp: 32 * j})
	}
	slopeTurn(rows, scores, slopes, visible)
}

// transposeRows turns 8 × 8 numbers a turn.
func transposeRows() {
	TEXT("transposeRowsAVX2", NOSPLIT, "func(turns int, dst *float32, dstStride int, src *float32, srcStride int)")
	Pragma("noescape")
	Doc("transposeRowsAVX2 makes 8 rows of src, 8 columns a turn, columns of dst.")
	turns, dst, src := Load(Param("turns"), GP64()), Load(Param("dst"), GP64()), Load(Param("src"), GP64())
	dstStride, srcStride := Load(Param("dstStride"), GP64()), Load(Param("srcStride"), GP64())
	SHLQ(U8(2), dstStride)
	SHLQ(U8(2), srcStride)
	p := GP64()
	Label("loop")
	MOVQ(src, p)
	for i := range 8 {
		VMOVUPS(Mem{Base: p}, ymm[i])
		if i < 7 {
			ADDQ(srcStride, p)
		}
	}
	for i := range 4 {
		VUNPCKLPS(ymm[2*i+1], ymm[2*i], ymm[8+2*i])
		VUNPCKHPS(ymm[2*i+1], ymm[2*i], ymm[9+2*i])
	}
	for half := range 2 { // rows 0 to 3 and 4 to 7
		for i := range 2 {
			first, second := ymm[8+4*half+i], ymm[10+4*half+i]
			VSHUFPS(U8(0x44), second, first, ymm[4*half+2*i])
			VSHUFPS(U8(0xee), second, first, ymm[4*half+2*i+1])
		}
	}
	for i := range 4 {
		VPERM2F128(U8(0x20), ymm[4+i], ymm[i], ymm[8+i])
		VPERM2F128(U8(0x31), ymm[4+i], ymm[i], ymm[12+i])
	}
	for i := range 8 {
		VMOVUPS(ymm[8+i], Mem{Base: dst})
		ADDQ(dstStride, dst)
	}
	ADDQ(U8(32), src)
	DECQ(turns)
	JNZ(LabelRef("loop"))
	VZEROUPPER()
	RET()
}
