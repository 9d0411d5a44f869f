package tokenizer

// Piece is an id as the file writes it, such as "<s>", "▁the" or "Ġthe"; empty for an id that no token has. It is what
// [Tokenizer.TokenID] finds again.
func (t *Tokenizer) Piece(id int) string {
	if id >= 0 && id < len(t.vocab.pieces) && t.vocab.pieces[id] != "" {
		return t.vocab.pieces[id]
	}
	// The tokens that were added behind the vocabulary are few; added has them as they are decoded.
	for piece, other := range t.addedIDs {
		if other == id {
			return piece
		}
	}
	return ""
}
