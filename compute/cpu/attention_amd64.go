package cpu

func attentionKernelsAt(Level) *attentionKernels { return &genericAttention }
