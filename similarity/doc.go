// Package similarity measures how little a block of layers changes the residual stream.
//
// L layers are numbered 0 to L-1; x^(ℓ) is the state that enters layer ℓ and x^(L) the one that leaves the last, before
// the final norm. For the last token T of a sequence the angular distance of n layers that start at ℓ is
//
//	d(ℓ, n) = arccos( ⟨x_T^(ℓ), x_T^(ℓ+n)⟩ / (‖x_T^(ℓ)‖ ‖x_T^(ℓ+n)‖) ) / π
//
// averaged over sequences: the mean of the arccos, not the arccos of a mean. One pass over the model gives every (ℓ, n).
// Source: Gromov et al., "The Unreasonable Ineffectiveness of the Deeper Layers", 2024, section 3.2.
//
// [Measure] runs the pass: a layer at a time over groups of sequences that fit a memory budget, with a journal after each
// group. [Angles] and [Reduce] are the arithmetic, for states from anywhere. [Losses] compares candidate blocks by the
// loss of the model without them.
package similarity
