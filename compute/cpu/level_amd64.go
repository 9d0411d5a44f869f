package cpu

import (
	"github.com/klauspost/cpuid/v2"
	"golang.org/x/sys/cpu"
)

// Best is the highest level this processor has.
func Best() Level {
	x := &cpu.X86
	switch {
	case !x.HasAVX2 || !x.HasFMA || !x.HasF16C:
		return Generic
	case !x.HasAVX512F || !x.HasAVX512BW || !x.HasAVX512DQ || !x.HasAVX512VL:
		return AVX2
	case !x.HasAVX512BF16:
		return AVX512
	}
	return AVX512BF16
}

// fastBFloat16 reports whether VDPBF16PS does more than float32's multiply-adds. Measured (`shallow bench`): twice as much on
// Zen 4, half as much on Intel's Emerald Rapids, whose fast bfloat16 is in another unit.
func fastBFloat16() bool { return cpuid.CPU.IsVendor(cpuid.AMD) }
