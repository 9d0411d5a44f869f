package checkpoint

import (
	"slices"
	"strings"
)

// weightFiles are the endings of files that hold weights, of whatever framework.
var weightFiles = []string{
	".safetensors", ".safetensors.index.json", ".bin", ".bin.index.json", ".pt", ".pth", ".ckpt", ".gguf", ".ggml", ".h5",
	".msgpack", ".onnx", ".onnx_data", ".ot", ".tflite", ".npz", ".npy", ".pkl", ".pickle",
}

// HoldsWeights tells by a file's name whether it holds weights: those of one model must not come along to another.
func HoldsWeights(name string) bool {
	name = strings.ToLower(name)
	return slices.ContainsFunc(weightFiles, func(ending string) bool { return strings.HasSuffix(name, ending) })
}
