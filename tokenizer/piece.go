package tokenizer

// Piece is an id as the file writes it, such as "<s>", "▁the" or "Ġthe"; empty for an id that no token has. It is what
// [Tokenizer.TokenID] finds again.
func (t *Tokenizer) Piece(id int) string { return t.piece(id) }
