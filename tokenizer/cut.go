package tokenizer

import "iter"

// Pieces cuts a text as GPT-2 does, into the pieces that byte-level BPE sees one by one: words with the blank before them,
// numbers, signs and blanks. The pieces joined are the text.
func Pieces(text string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for at := 0; at < len(text); {
			end := nextGPT2(text, at)
			if !yield(text[at:end]) {
				return
			}
			at = end
		}
	}
}
