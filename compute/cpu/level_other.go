//go:build !amd64

package cpu

// Best is the highest level this processor has: no other processor has kernels of its own yet.
func Best() Level { return Generic }

func fastBFloat16() bool { return false }
