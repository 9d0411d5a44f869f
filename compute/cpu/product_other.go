//go:build !amd64

package cpu

// levelKernels are the portable ones at every level.
func levelKernels(Level) [2]productKernels { return genericKernels() }

func peakLoop(Level, bool) (loop func(n int), flops int) { return nil, 0 }

func readMemory(_ Level, data []byte) uint64 { return readGeneric(data) }
