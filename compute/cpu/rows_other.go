//go:build !amd64

package cpu

func rowsAt(Level) rowKernels { return genericRows }
