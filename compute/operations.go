package compute

// Operations are what a decoder layer is made of. Activations are Float32 unless said otherwise; weights may be
// Float32, BFloat16, Float16 or, in products and Embed, NF4. Inputs and outputs may not overlap unless said.
type Operations interface {
	// Embed looks rows up: out[i] = scale · table[ids[i]]. out [N, D], table [V, D], ids Int32 [N, 1].
	Embed(out, table, ids Tensor, scale float32)

	// RMSNorm divides each group of weight.Cols columns by its root mean square:
	//
	//	out[i, g+j] = x[i, g+j] / √(mean_j(x[i, g+j]²) + eps) · (offset + weight[j])
	//
	// x and out [N, G·C], weight [1, C]: G = 1 is the usual norm, more are norms per head. offset is 1 for Gemma, else 0.
	// rstd [N, G], if given, receives the reciprocal roots. out may be x.
	// Source: Zhang and Sennrich, 2019, equation 4.
	RMSNorm(out, x, weight Tensor, eps, offset float32, rstd Tensor)

	// MatMul multiplies x [N, K] by any number of weights, in one pass over x. in is the kind that is multiplied, Float32 or
	// BFloat16; sums are always float32. With BFloat16 both sides are rounded to nearest even first.
	MatMul(x Tensor, in Kind, products ...Product)

	// RoPE turns, in each head of x [N, H·headSize], channel j and channel j+R against each other, in place, for j below
	// R = cos.Cols; channels from 2R on stay. Row i is turned by row rows[i] of cos and sin [P, R]. rows is Int32 [N, 1].
	// Source: Su et al., 2021, in the half-split order of Hugging Face.
	RoPE(x, cos, sin, rows Tensor, headSize int)

	// StoreKV rounds keys and values [N, K·headSize] to the cache's kind and puts row i into slot slots[i].
	StoreKV(c Cache, k, v, slots Tensor)

	// Attention is causal softmax attention over the cache, for out and q [N, H·headSize]. Head h reads key-value head
	// h·K/H. A row at position p sees positions p-Window+1 to p, or 0 to p without a window.
	Attention(out, q Tensor, c Cache, b Batch, o AttentionOptions)

	// GatedActivation is act(gate) · up, element by element, all [N, F]. out may be gate or up.
	GatedActivation(out, gate, up Tensor, act Activation)

	// Gather copies rows: out[i] = x[rows[i]]. rows is Int32 [N, 1].
	Gather(out, x, rows Tensor)

	// CosineDistance is 1 - cos of the angle between row i of a and row i of b, both [N, D], summed in float64 and written to
	// out [N, 1]. It is NaN where a or b has a value that is not finite, or only zeros.
	CosineDistance(out, a, b Tensor)

	// CrossEntropy is -log softmax(logits[i])[targets[i]], or 0 where the target is negative. loss [N, 1], logits [N, V],
	// targets Int32 [N, 1].
	CrossEntropy(loss, logits, targets Tensor)
}

// Product is one weight of a MatMul: Out = x·Wᵀ + what Out starts from.
type Product struct {
	Out  Tensor // [N, M]
	W    Tensor // [M, K], or what Pack made of it
	Bias Tensor // [1, M]; Out starts from it
	// Accumulate lets Out start from its old value, as a residual connection does. Not together with Bias.
	Accumulate bool
}

// Activation is the function of a gated feed-forward layer.
type Activation uint8

// SiLU is x / (1 + e⁻ˣ).
const SiLU Activation = iota + 1

// AttentionOptions are the parts of attention that differ between layers and families.
type AttentionOptions struct {
	HeadSize int
	Scale    float32 // of the scores, usually 1/√HeadSize
	Window   int     // positions a row sees, itself included; 0 is all
	// LogSumExp [N, H], if given, receives the logarithm of each softmax's denominator, scores included.
	LogSumExp Tensor
}
