// Package tokenizer turns text into token ids and back, exactly as a model's tokenizer.json says.
//
// [Open] reads the file of a model directory; [Tokenizer.Encode] and [Tokenizer.Decode] then give the ids and the texts
// that the Hugging Face tokenizers library gives for the same file. One id that differs moves every layer's states, so
// nothing is approximated: a component that this package does not know is refused by name.
//
// A text passes these stations, each read from the file:
//
//	text ─► added tokens ─► normalizer ─► pre-tokenizer ─► model (BPE or Unigram) ─► post-processor ─► ids
//
// The reader is our own because no Go library was exact when we looked (2026-11, Llama-3's vocabulary, four texts):
// go-huggingface 0.4.8 was wrong on all four (Go's regexp has no look-ahead, so it took a text as one word, and it has
// no ignore_merges), sugarme/tokenizer 0.3.0 panicked on the same expression, ollama's was right but does not read
// tokenizer.json, and daulet/tokenizers is exact but links a Rust library.
//
// The sections "truncation" and "padding" are ignored, as transformers does: a corpus decides about lengths.
package tokenizer
