package tokenizer

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

const defaultUnknownSurface = " ⁇ "

// sentenceOptions is what a directory or a GGUF file says beyond the model itself.
type sentenceOptions struct {
	added         []addedToken // beside the model's own pieces; of an id that is there already it sets the flags
	before, after []int
	firstOnly     bool // only the start of the whole text gets the dummy blank, not every stretch between special tokens
	userRaw       bool // user-defined pieces are searched in the text as it is, as llama.cpp does, not in the normalized one
}

// tokenizer puts a SentencePiece model together with what stands around it. Control pieces and the unknown piece are
// special tokens: text that spells one becomes its id, as in transformers (SentencePiece alone would spell it out).
func (s *sentencePieces) tokenizer(o sentenceOptions) (*Tokenizer, error) {
	t := newTokenizer()
	t.local = true
	t.before, t.after = o.before, o.after
	if s.unigram {
		m, err := s.newUnigram()
		if err != nil {
			return nil, err
		}
		t.model, t.vocab = m, m.vocab
	} else {
		m, err := s.newBPE()
		if err != nil {
			return nil, err
		}
		t.model, t.vocab = m, m.vocab
	}
	t.size = len(t.vocab.pieces)
	if err := t.setAdded(s.special(o)); err != nil {
		return nil, err
	}
	user := &trie{}
	for id, piece := range s.pieces {
		if _, taken := t.added[id]; piece.kind != userPiece || piece.text == "" || taken {
			continue
		}
		user.add(piece.text, int32(id))
		if !s.unigram {
			if err := t.normalized.add(piece.text, addedToken{ID: id}); err != nil {
				return nil, err
			}
		}
	}
	n, err := s.spec.normalizer(user, s.suffix, o.firstOnly)
	if err != nil {
		return nil, err
	}
	t.normalizers = []normalizer{n}
	t.decodeIDs = s.decoder(t.added)
	return t, t.checkTemplate()
}

// special is the added tokens: those of the directory, and the model's pieces that are not for text.
func (s *sentencePieces) special(o sentenceOptions) []addedToken {
	all := make([]addedToken, 0, len(o.added))
	taken := map[int]bool{}
	for _, token := range o.added {
		token.Normalized = false // SentencePiece never sees an added token
		all = append(all, token)
		taken[token.ID] = true
	}
	for id, piece := range s.pieces {
		special := piece.kind == controlPiece || piece.kind == unknownPiece
		if piece.text != "" && !taken[id] && (special || o.userRaw && piece.kind == userPiece) {
			all = append(all, addedToken{ID: id, Content: piece.text, Special: special})
		}
	}
	return all
}

// decoder is SentencePiece's: the blank that was put before a text is left out, the unknown piece has a surface of its
// own, and every byte that is not UTF-8 becomes U+FFFD. Added tokens are shown by their text; so is the unknown piece of
// a model with byte pieces, where only its own text gives it.
func (s *sentencePieces) decoder(added map[int]addedToken) func(ids []int) []string {
	_, fallback := s.byteIDs()
	return func(ids []int) []string {
		var out []string
		var bytes []byte
		start := true // nothing is out yet
		flush := func() {
			for len(bytes) > 0 {
				r, n := utf8.DecodeRune(bytes)
				out, start = append(out, string(r)), false
				bytes = bytes[n:]
			}
		}
		for _, id := range ids {
			known := id >= 0 && id < len(s.pieces)
			if known && s.pieces[id].kind == bytePiece {
				if b, ok := byteOf(s.pieces[id].text); ok {
					bytes = append(bytes, b)
					continue
				}
			}
			flush()
			text := ""
			token, ok := added[id]
			switch {
			case id == s.unknown && !fallback:
				text = s.unkSurface
			case ok:
				text = token.Content
			case known:
				text, start = s.surface(s.pieces[id].text, start)
			}
			out = append(out, text)
			start = start && text == ""
		}
		flush()
		return out
	}
}

// surface is the text of a piece. At the start of a text the dummy blank is cut off.
func (s *sentencePieces) surface(piece string, start bool) (text string, stillStart bool) {
	if start && (s.spec.dummyPrefix || s.spec.removeExtra) {
		var cut bool
		piece, cut = strings.CutPrefix(piece, metaspaceRune)
		start = !cut || s.spec.removeExtra
	}
	return strings.ReplaceAll(piece, metaspaceRune, " "), start
}

// checkTemplate refuses ids around a text that no token has.
func (t *Tokenizer) checkTemplate() error {
	for _, id := range append(t.before[:len(t.before):len(t.before)], t.after...) {
		if id < 0 || id >= t.size {
			return fmt.Errorf("post_processor: id %d is out of range for %d ids", id, t.size)
		}
	}
	return nil
}
