package cpu

// levelKernels are the kernels of a level, Float32's and BFloat16's.
func levelKernels(l Level) [2]productKernels {
	generic := genericKernels()
	if l < AVX512 {
		return generic
	}
	single := productKernels{rows: 8, cols: 48, tiles: []tile{nil, tile1x48, tile2x48, tile3x48, tile4x48, tile5x48, tile6x48, tile7x48, tile8x48}}
	double := single
	double.round = true
	if l >= AVX512BF16 {
		double = productKernels{rows: 8, cols: 48, pairs: true, tiles: []tile{nil, tilePairs1x48, tilePairs2x48, tilePairs3x48, tilePairs4x48, tilePairs5x48, tilePairs6x48, tilePairs7x48, tilePairs8x48}}
	}
	return [2]productKernels{single, double}
}
