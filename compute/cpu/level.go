package cpu

import "fmt"

// Level is a set of instructions that kernels are written for. A higher level includes the lower ones.
type Level int

// The levels.
const (
	Generic    Level = iota + 1 // portable Go
	AVX2                        // AVX2, FMA and F16C
	AVX512                      // AVX-512 F, BW, DQ, VL
	AVX512BF16                  // AVX512 and its bfloat16 dot product
)

var levelNames = map[Level]string{Generic: "generic", AVX2: "avx2", AVX512: "avx512", AVX512BF16: "avx512bf16"}

// String is the level's name as SHALLOW_CPU takes it.
func (l Level) String() string { return levelNames[l] }

// ParseLevel is the level of a name.
func ParseLevel(name string) (Level, error) {
	for l, n := range levelNames {
		if n == name {
			return l, nil
		}
	}
	return 0, fmt.Errorf("%q is none of generic, avx2, avx512, avx512bf16", name)
}

// Levels are those this processor has, the best last.
func Levels() []Level {
	var ls []Level
	for l := Generic; l <= Best(); l++ {
		ls = append(ls, l)
	}
	return ls
}
