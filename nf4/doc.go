// Package nf4 holds matrices in 4 bits an element, as QLoRA freezes its base (Dettmers et al., 2023): it quantizes,
// dequantizes, and reads and writes the layout in which bitsandbytes keeps such matrices in a checkpoint.
//
// The elements of a matrix [Rows, Cols] are taken row after row in blocks of 64, straight across the ends of rows; the last
// block may be short. A block has one scale, its largest magnitude (absmax). An element is one of 16 quantiles of the
// normal distribution times its block's scale. That is 4.5 bits an element. Double quantization keeps a scale in 8 bits:
// the mean of all scales is taken off, and of every 256 what is left is one of 256 values times their largest magnitude.
// That is 4.127 bits an element.
//
//	m, err := nf4.Quantize(t.DType, t.Bytes(), rows, cols, nf4.Options{})
//	m, err = m.Double()
//	weight := device.LoadNF4(m.Rows, m.Cols, m.Codes, m.Absmax) // of package compute
//
// Codes and scales are those of bitsandbytes 0.50.2 on a CPU to the last bit, its special cases included, and do not depend
// on the number of threads. There is one exception: PyTorch sums the mean in an order of its own, ours is the correctly
// rounded one, so an offset may differ by a unit in the last place, and some 8-bit scales with it.
//
// [Quantized] and [Read] find such matrices in a checkpoint, [Matrix.Outputs] and [QuantizationConfig] write what
// transformers loads.
package nf4
