// Package tokenizer turns text into token ids and back, exactly as a model's tokenizer files say.
//
// [Open] reads the file of a model directory: tokenizer.json, or where there is none tokenizer.model (SentencePiece) or
// *.tiktoken. [FromGGUF] takes what a GGUF file holds. [Tokenizer.Encode] and [Tokenizer.Decode] then give the ids and
// the texts that the Hugging Face tokenizers library, SentencePiece, tiktoken or llama.cpp give for the same file. One
// id that differs moves every layer's states, so nothing is approximated: a component that this package does not know is
// refused by name.
//
// A text passes these stations, each read from the file:
//
//	text ─► added tokens ─► normalizer ─► pre-tokenizer ─► model (BPE, Unigram, …) ─► post-processor ─► ids
//
// The other forms are brought to the same stations: tiktoken's ranks and GGUF's byte-level vocabularies as the
// tokenizer.json that they would be converted to, SentencePiece as a normalizer and a model of its own.
//
// The reader is our own because no Go library was exact when we looked (2026-11, Llama-3's vocabulary, four texts):
// go-huggingface 0.4.8 was wrong on all four (Go's regexp has no look-ahead, so it took a text as one word, and it has
// no ignore_merges), sugarme/tokenizer 0.3.0 panicked on the same expression, ollama's was right but does not read
// tokenizer.json, and daulet/tokenizers is exact but links a Rust library. For SentencePiece, eliben/go-sentencepiece
// reads BPE models only, without character maps, and tiktoken-go brings its own four vocabularies and expressions.
//
// The sections "truncation" and "padding" are ignored, as transformers does: a corpus decides about lengths.
package tokenizer
