//go:build !amd64

package cpu

func attentionKernelsAt(Level) *attentionKernels { return &genericAttention }
