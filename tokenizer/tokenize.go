package tokenizer

// Tokenized is what the command tokenize prints for a text.
type Tokenized struct {
	IDs        []int  `json:"ids"`         // without special tokens
	IDsSpecial []int  `json:"ids_special"` // with those that the tokenizer adds
	Decoded    string `json:"decoded"`     // IDs as text again
}

// Tokenize encodes a text both ways and decodes it again.
func (t *Tokenizer) Tokenize(text string) Tokenized {
	ids := t.Encode(text, false)
	return Tokenized{ids, t.Encode(text, true), t.Decode(ids, false)}
}
