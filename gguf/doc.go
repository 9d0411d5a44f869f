// Package gguf reads, checks and rewrites GGUF files, the format in which llama.cpp and its kin keep a whole model: a list of
// metadata, a list of tensors with their offsets, and the tensors' bytes.
//
// [Open] checks everything that a file claims about itself before it is used: counts, lengths, shapes, sizes by element type,
// offsets, overlaps. Metadata are kept as the bytes they are, in their order, also those that nothing here knows.
//
// [Prune] cuts layers out. Tensors of every element type are only moved: "blk.21." becomes "blk.13.", no byte of a
// tensor is decoded. What llama.cpp reads per layer is rewritten by the rules of a table (surgery.go): lists are sliced,
// thresholds shifted, periods that llama.cpp derives from a layer's number are kept whole or written out as a list where
// it reads one, and what cannot be expressed is refused with the reason. Every tensor that stays is hashed on both sides,
// and where package decoder can run the model, both files are run and compared bit for bit.
//
// [Checkpoint] shows a file as a Hugging Face model directory would be: a config.json made of the metadata, the tensors under
// their Hugging Face names, so that it can be measured like any other. [File.Tokenizer] makes the tokenizer of the metadata.
//
// The format is described in ggml's docs/gguf.md. The Go libraries for it read metadata only or are parts of inference
// programs; none that is maintained writes GGUF.
package gguf
