// Package compute says what a decoder asks of a device: memory, and the operations of a transformer layer.
//
// Nothing here computes. compute/cpu implements [Device] with kernels in assembly and in portable Go, and
// compute/computetest holds every implementation against float64 arithmetic.
//
// # The rules every device keeps
//
// Operations run in the order of their calls, each seeing what the earlier ones wrote. None of them waits: only
// [Device.Download] and [Device.Sync] do. A CPU may run an operation at once, a GPU puts it on its stream. An error
// (a shape that does not fit, memory that ran out) is kept, makes every later operation a no-op, and is returned by
// Sync and Download.
//
// A result is the same, bit for bit, whatever the number of threads and whatever other rows are in the call: the sum
// behind an output element runs in an order that depends on the inner dimension alone. Bits are promised for one
// device and one level of its instruction set, not across them.
//
//   - Products add blocks of 512 units of k, counted from k = 0; a unit is one float32 or a pair of bfloat16. Each block
//     is one chain of fused multiply-adds in ascending k that starts at zero; the blocks are added in ascending order to
//     what the output starts from (zero, the bias, or its old value).
//   - Attention walks key tiles at fixed absolute positions (a page each), so cached and uncached calls agree.
//   - Row sums of element-wise operations use one lane count and one fold tree.
//
// # Letters
//
// N rows of activations (the tokens of all sequences, one after another, never padded), D hidden size, H heads, K
// key-value heads, F feed-forward size, V vocabulary. Shapes are written [rows, columns].
//
// Every operation has, or will have, a backward twin: what the twin needs beyond the inputs (reciprocal root mean
// squares, log-sum-exp) the forward operation writes when it is given a place for it.
package compute
