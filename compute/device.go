package compute

// Device is something that holds tensors and computes with them.
//
// Its methods are for one goroutine at a time.
type Device interface {
	Operations

	// String names the device and how it computes, as "cpu avx512bf16, 2 threads".
	String() string

	// Multiplies is the kind in which the device multiplies weights of a kind fastest without losing more than
	// bfloat16 activations lose: BFloat16 for bfloat16 and NF4 weights where the processor has the instruction,
	// Float32 otherwise (Q8_0 takes 19 bits, which bfloat16 would round). It is what --precision auto means.
	Multiplies(weights Kind) Kind

	// New allocates a tensor of zeros that lives until it is released.
	New(kind Kind, rows, cols int) Tensor

	// Load makes a tensor of host bytes: rows × cols elements of a kind, little-endian, without gaps; cols of Q8_0 is whole
	// blocks, and so are the offsets and columns of its views. The device may use
	// the bytes where they are or copy them while other work runs: they must stay as they are until Release.
	Load(kind Kind, rows, cols int, data []byte) Tensor

	// LoadNF4 is Load for NF4: two codes a byte, the first in the high half, and one scale for every NF4Block elements.
	LoadNF4(rows, cols int, codes []byte, absmax []float32) Tensor

	// Pack makes a copy of a weight [M, K] in whatever layout the device's products read fastest when they multiply in
	// kind in. MatMul takes it in the weight's place and gives the same bits. The weight may be released at once.
	Pack(w Tensor, in Kind) Tensor

	// PackedBytes is the memory that Pack would take.
	PackedBytes(kind Kind, rows, cols int, in Kind) int64

	// NewCache makes room for pages of keys and values: kind Float32 or BFloat16, kvHeads heads of headSize channels.
	// CacheBytes is the memory it takes.
	NewCache(kind Kind, pages, kvHeads, headSize int) Cache
	CacheBytes(kind Kind, pages, kvHeads, headSize int) int64

	// Release gives a tensor's memory back once the operations before it are done with it. Views of it die with it.
	Release(m Memory)

	// NewArena sets bytes of memory aside for tensors that all die together.
	NewArena(bytes int64) Arena

	// Upload copies host bytes into a tensor. src may be reused at once.
	Upload(dst Tensor, src []byte)

	// Download waits for all operations before it and copies a tensor's elements, row after row, to the host.
	Download(dst []byte, src Tensor) error

	// Sync waits for all operations and returns the first error since the last Sync, which it clears.
	Sync() error
}

// Arena is memory for the activations of one layer. Tensors taken from it are not zeroed.
type Arena interface {
	// New takes a tensor; taking more than the arena holds is an error at the device's next Sync.
	New(kind Kind, rows, cols int) Tensor
	// Reset takes all tensors back. Operations that use them may still be running: later ones wait for them.
	Reset()
	// Release gives the arena's memory back.
	Release()
}

// PageSize is the number of positions whose keys and values lie in one page of a cache.
const PageSize = 64

// Cache is keys and values of one layer in pages of PageSize positions. How a page is laid out is the device's business.
type Cache interface {
	Memory
	// Pages is the number of pages.
	Pages() int
	// Kind is what keys and values are rounded to when they are stored.
	Kind() Kind
}

// Batch says which rows of the activations [N, …] belong to which sequence, and in which pages the keys of a sequence
// lie. The tensors are Int32; the plain numbers are upper bounds that the host knows.
type Batch struct {
	// Offsets [S+1, 1]: sequence s has rows Offsets[s] to Offsets[s+1]-1.
	Offsets Tensor
	// Slots [N, 1]: row i's key and value lie in page Slots[i]/PageSize at place Slots[i]%PageSize.
	Slots Tensor
	// Lengths [S, 1]: how many positions of sequence s are in the cache, its rows in this batch included. The last row of
	// sequence s stands at position Lengths[s]-1.
	Lengths Tensor
	// Table [S, P]: page Table[s][p] holds positions p·PageSize and on of sequence s. Unused entries are not read.
	Table Tensor
	// MaxRows is the largest number of rows, MaxLength the largest length, of any one sequence.
	MaxRows, MaxLength int
}
