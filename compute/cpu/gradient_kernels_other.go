//go:build !amd64

package cpu

func gradientsAt(Level) *gradientKernels { return &genericGradients }
