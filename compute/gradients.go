package compute

// Gradients are the backward twins of [Operations], and what training needs beside them. d… is the derivative of the loss
// by the tensor of that name, of the same shape, Float32. Outputs that say "adds" are added to what is there; the others are
// overwritten. Operations without a twin are their own: the gradient of Add, Scale, ScaleRows and RoPE is the same operation,
// RoPE with sin negated.
//
// Bits do not depend on threads: one owner an output element, tokens summed in blocks of 512 in ascending order.
type Gradients interface {
	// EmbedBackward adds scale · dout[i] to row ids[i] of dtable [V, D]: one chain a number, in the order of i, for few tokens meet in a
	// row. dout [N, D], ids Int32 [N, 1].
	EmbedBackward(dtable, dout, ids Tensor, scale float32)

	// RMSNormBackward is the gradient of RMSNorm by x and, if given, by weight: with r = rstd and g = dout · (offset + weight),
	// dx = r · (g - x · r² · mean(g · x)) over each group. It adds to dx with accumulate, and to dweight [1, C] always: for each 512
	// tokens the sum over them and their groups. dx may be dout.
	RMSNormBackward(dx, dweight, dout, x, weight, rstd Tensor, offset float32, accumulate bool)

	// LayerNormBackward is the gradient of LayerNorm, as RMSNormBackward: with x̂ = (x - mean) · r and g = dout · weight,
	// dx = r · (g - mean(g) - x̂ · mean(g · x̂)). It adds to dweight and dbias [1, C] where they are given.
	LayerNormBackward(dx, dweight, dbias, dout, x, weight, moments Tensor, accumulate bool)

	// MatMulBackward is the gradient of MatMul by x: dx [N, K] = Σ dout·W over products, whose Out is dout [N, M] and whose W
	// [M, K] lies as MatMul reads it, packed by PackBackward or not at all. in is the kind that is multiplied. It adds to dx
	// with accumulate.
	MatMulBackward(dx Tensor, in Kind, accumulate bool, products ...Product)

	// PackBackward is Pack for MatMulBackward.
	PackBackward(w Tensor, in Kind) Tensor

	// WeightGradient adds doutᵀ·x to dw [M, K], and the column sums of dout to dbias [1, M] if given. dout [N, M], x [N, K].
	WeightGradient(dw, dbias, dout, x Tensor, in Kind)

	// AttentionBackward is the gradient of Attention, from its out and log-sum-exp and the queries, keys and values of the same
	// rows: whole sequences without a past, of which b.Offsets tells the rows. q, dq, out, dout [N, H·headSize]; k, dk, v, dv
	// [N, K·headSize]. Outputs are no inputs. dq adds tiles of PageSize keys in ascending order; dk and dv add tiles of queries, in each of
	// them head after head: a sequence's bits are the same in any batch.
	// Source: Dao, 2023, algorithm 2.
	AttentionBackward(dq, dk, dv, dout, out, q, k, v Tensor, b Batch, o AttentionOptions)

	// GatedActivationBackward is the gradient of GatedActivation, all [N, F]. dgate may be gate or dout, dup may be up.
	GatedActivationBackward(dgate, dup, dout, gate, up Tensor, act Activation)

	// ActivateBackward is the gradient of Activate by x. dx may be dout.
	ActivateBackward(dx, dout, x Tensor, act Activation)

	// SoftCapBackward turns the gradient by the capped values y into that by the values before: dx = dx · (1 - (y / limit)²).
	SoftCapBackward(dx, y Tensor, limit float32)

	// CrossEntropyBackward is the gradient of Σ weights[i] · CrossEntropy by the logits [N, V], over them: softmax(logits) -
	// onehot(targets), times weights[i]; 0 where a target is negative. targets Int32, weights Float32 [N, 1]. The target's own element keeps
	// its digits where it is nearly certain.
	CrossEntropyBackward(logits, targets, weights Tensor)

	// Divergence is the forward Kullback-Leibler divergence Σ p·ln(p/q) of softmax(student / temperature) = q from
	// softmax(teacher / temperature) = p, a row each, in loss [N, 1]; student becomes weights[i] times its gradient.
	// The loss is exact to 1e-7 and a millionth of Σ p·|ln(p/q)|. Source: Hinton et al., 2015, without their factor temperature².
	Divergence(loss, student, teacher, weights Tensor, temperature float32)

	// Dropout zeroes elements of x [N, C] with a probability, by a counter-based generator keyed by what it is given, and
	// multiplies the others by 1 / (1 - probability), into out, which may be x. The same key, token and channel give the same choice in
	// any batch: row i counts as token tokens[i] ≥ 0, an Int32 [N, 1]. Of the key's layer the lower 24 bits count, of its module 8.
	// Source: Salmon et al., 2011 (Philox).
	Dropout(out, x, tokens Tensor, key DropoutKey, probability float32)

	// RouteBackward is the gradient of Route by the logits [N, E], from what Route wrote to from and the gradient of its weights, dweights
	// [N, k]: through the softmax, of all experts or with normalise of the chosen ones. Which experts are chosen has no gradient.
	RouteBackward(dlogits, dweights, logits Tensor, from Routing, normalise bool)

	// CombineBackward is the gradient of Combine by y and, if given, by the weights: dy[places[i, j]] = weights[i, j] · dout[i] and dweights[i, j]
	// = dout[i] · y[places[i, j]]. dout [N, D] is the gradient by x as it is. dy may be y. The gradient of the rows that were gathered for the
	// experts is EmbedBackward's, with Sources as ids.
	CombineBackward(dy, dweights, dout, y Tensor, from Routing)

	// MatMulGroupedBackward is MatMulBackward for rows sorted by expert, as MatMulGrouped has them; other rows of dx stay.
	MatMulGroupedBackward(dx, offsets Tensor, in Kind, accumulate bool, products ...GroupedProduct)

	// WeightGradientGrouped adds doutᵀ·x of expert e's rows to dw[e] [M, K], where that is given.
	WeightGradientGrouped(dw []Tensor, dout, x, offsets Tensor, in Kind)

	// SumSquares gives Σ x² of a tensor in float64, in blocks of 4096 elements.
	SumSquares(x Tensor) (float64, error)

	// AdamW takes parameters one step on, all tensors of one shape: p *= 1 - rate·decay; m += (1-beta1)·(g-m);
	// v = beta2·v + (1-beta2)·g²; p -= rate/(1-beta1ᵗ) · m / (√v/√(1-beta2ᵗ) + eps), with g = scale · gradient. Each moment's last
	// product is fused with its sum, as PyTorch does it.
	// Source: Loshchilov and Hutter, 2019, algorithm 2.
	AdamW(p, m, v, gradient Tensor, scale float32, step AdamWStep)
}

// DropoutKey is what a dropout mask depends on beside the token and the channel.
type DropoutKey struct{ Seed, Step, MicroStep, Layer, Module uint32 }

// AdamWStep is one step's settings; T counts from 1.
type AdamWStep struct {
	T                              int
	Rate, Beta1, Beta2, Eps, Decay float64
}
