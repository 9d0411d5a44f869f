package compute

// Operations are what a decoder layer is made of. Activations are Float32 unless said otherwise; weights may be
// Float32, BFloat16, Float16 or, in products and Embed, NF4 and Q8_0. Inputs and outputs may not overlap unless said.
type Operations interface {
	// Embed looks rows up: out[i] = scale · table[ids[i]]. out [N, D], table [V, D], ids Int32 [N, 1].
	Embed(out, table, ids Tensor, scale float32)

	// LayerNorm centres and scales each group of weight.Cols columns:
	//
	//	out[i, g+j] = (x[i, g+j] - mean) / √(mean_j((x[i, g+j] - mean)²) + eps) · weight[j] + bias[j]
	//
	// x and out [N, G·C], weight and bias [1, C]; bias is optional. moments [N, 2·G], if given, receives the mean and the
	// reciprocal root of each group. out may be x.
	// Source: Ba et al., 2016, equation 4.
	LayerNorm(out, x, weight, bias Tensor, eps float32, moments Tensor)

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

	// RoPE turns, in each head of x [N, H·headSize], pairs of channels against each other, in place: R = cos.Cols pairs,
	// which pairs says how they lie; channels from 2R on stay. Row i is turned by row rows[i] of cos and sin [P, R]. rows
	// is Int32 [N, 1].
	// Source: Su et al., 2021, section 3.4.2.
	RoPE(x, cos, sin, rows Tensor, headSize int, pairs Pairs)

	// ScaleRows multiplies row i of x [N, D] by scale[rows[i]], in place. scale [P, 1], rows Int32 [N, 1]; without rows it is
	// scale[i].
	ScaleRows(x, scale, rows Tensor)

	// Add is x += scale · y, both [N, D].
	Add(x, y Tensor, scale float32)

	// Scale is x *= by, in place.
	Scale(x Tensor, by float32)

	// SoftCap is x = limit · tanh(x / limit), in place: values stay within the limit, small ones stay as they are.
	SoftCap(x Tensor, limit float32)

	// StoreKV rounds keys and values [N, K·headSize] to the cache's kind and puts row i into slot slots[i].
	StoreKV(c Cache, k, v, slots Tensor)

	// CopyKV copies keys and values of all heads, bit for bit, from slot from[i] to slot to[i], both Int32 [N, 1]. No slot is
	// named twice in to, and none in both.
	CopyKV(c Cache, to, from Tensor)

	// Attention is causal softmax attention over the cache, for out and q [N, H·headSize]. Head h reads key-value head
	// h·K/H. A row at position p sees positions p-Window+1 to p, or 0 to p without a window.
	Attention(out, q Tensor, c Cache, b Batch, o AttentionOptions)

	// GatedActivation is act(gate) · up, element by element, all [N, F]. out may be gate or up.
	GatedActivation(out, gate, up Tensor, act Activation)

	// Activate is act(x), element by element, both [N, F]. out may be x.
	Activate(out, x Tensor, act Activation)

	// Route chooses k experts for every row by its router logits [N, E]: those with the largest logits, the lower number
	// where two are equal. Their weights are their softmax probabilities over all experts, divided by their own sum with
	// normalise. k is to.Weights.Cols.
	Route(to Routing, logits Tensor, normalise bool)

	// MatMulGrouped is MatMul for rows that are sorted by expert: rows offsets[e] to offsets[e+1]-1 of x are multiplied by
	// each product's weight number e. offsets is Int32 [E+1, 1]. A row's bits are those that MatMul gives it.
	MatMulGrouped(x, offsets Tensor, in Kind, products ...GroupedProduct)

	// Combine adds what the experts made of each row, in the router's order: x[i] += Σ_j weights[i, j] · y[places[i, j]].
	// x [N, D], y [N·k, D].
	Combine(x, y Tensor, from Routing)

	// Copy is out = x, both [N, D].
	Copy(out, x Tensor)

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
	// Accumulate lets Out start from its old value, as a residual connection does; with Bias, from their sum, rounded once.
	Accumulate bool
}

// GroupedProduct is one projection of all experts in a MatMulGrouped.
type GroupedProduct struct {
	Out Tensor   // [N, M]
	W   []Tensor // [E] weights [M, K], or what Pack made of them
}

// Routing is which rows go to which experts: N rows with k choices each, and the N·k of them sorted by expert, those of
// one expert in the order of their rows. All but Weights are Int32.
type Routing struct {
	Weights Tensor // [N, k], of each row's choices, the largest first
	Places  Tensor // [N, k]: which sorted row belongs to each choice
	Sources Tensor // [N·k, 1]: the row that each sorted row comes from
	Offsets Tensor // [E+1, 1]: expert e has sorted rows Offsets[e] to Offsets[e+1]-1
}

// Pairs says which channels of a head turn against each other.
type Pairs uint8

// The orders of pairs.
const (
	Halves     Pairs = iota // j and j+R: Hugging Face's order
	Neighbours              // 2j and 2j+1: the order of the paper, of GLM and of GGUF's Llama
)

// Activation is the function of a feed-forward layer.
type Activation uint8

// The activations.
const (
	SiLU        Activation = iota + 1 // x / (1 + e⁻ˣ)
	GELU                              // x · Φ(x). Source: Hendrycks and Gimpel, 2016
	GELUTanh                          // x/2 · (1 + tanh(√(2/π) · (x + 0.044715·x³))), their approximation
	QuickGELU                         // x / (1 + e^(-1.702·x)), their other one
	ReLU                              // max(0, x)
	ReLUSquared                       // max(0, x)². Source: So et al., 2021
	Sigmoid                           // 1 / (1 + e⁻ˣ)
)

// AttentionOptions are the parts of attention that differ between layers and families.
type AttentionOptions struct {
	HeadSize int
	Scale    float32 // of the scores, usually 1/√HeadSize
	Window   int     // positions a row sees, itself included; 0 is all
	// SoftCap, if not 0, makes a scaled score s into SoftCap · tanh(s / SoftCap) before the softmax.
	SoftCap float32
	// LogSumExp [N, H], if given, receives the logarithm of each softmax's denominator, scores included.
	LogSumExp Tensor
}
