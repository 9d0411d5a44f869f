//go:build !amd64

package cpu

// levelKernels are the portable ones at every level.
func levelKernels(Level) [2]productKernels { return genericKernels() }
