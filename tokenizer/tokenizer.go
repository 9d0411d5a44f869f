package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// Tokenizer is a tokenizer that was read. Several goroutines may use it at once.
type Tokenizer struct {
	vocab         vocabulary
	added         map[int]addedToken // by id; Content is what Decode shows
	addedIDs      map[string]int
	raw           addedTokens // searched in the text as it is
	normalized    addedTokens // searched in the normalized text
	normalizers   []normalizer
	pre           []preTokenizer
	model         model
	before, after []int // ids that the post-processor puts around a text
	decoders      []decoder
	decodeIDs     func(ids []int) []string // in place of decoders
	local         bool                     // see local
	bos, eos      int                      // -1 for none
	size          int
	notes         []string

	encoders sync.Pool
	failure  atomic.Pointer[error]
}

// model turns a piece into ids, which it appends to e.ids.
type model interface {
	encode(e *encoder, piece string) error
}

// Parse reads the contents of a tokenizer.json.
func Parse(data []byte) (*Tokenizer, error) {
	t, err := parse(data)
	if err != nil {
		return nil, fmt.Errorf("tokenizer: %w", err)
	}
	return t, nil
}

func parse(data []byte) (*Tokenizer, error) {
	var f file
	if err := json.Unmarshal(data, &f); err != nil {
		return nil, err
	}
	return build(f)
}

func build(f file) (*Tokenizer, error) {
	t := newTokenizer()
	var err error
	if t.normalizers, err = newNormalizers(f.Normalizer); err != nil {
		return nil, err
	}
	var byteLevel bool
	if t.pre, byteLevel, err = newPreTokenizers(f.PreTokenizer, f.Model.isBPE() && !f.Model.affixed()); err != nil {
		return nil, err
	}
	if err := checkFirst(f); err != nil {
		return nil, err
	}
	if t.before, t.after, err = newTemplate(f.PostProcessor); err != nil {
		return nil, err
	}
	if t.decoders, err = newDecoders(f.Decoder); err != nil {
		return nil, err
	}
	t.local = local(f.Decoder)
	if err := t.setModel(f.Model, byteLevel); err != nil {
		return nil, err
	}
	if err := t.setAdded(f.AddedTokens); err != nil {
		return nil, err
	}
	return t, t.checkTemplate()
}

func newTokenizer() *Tokenizer {
	t := &Tokenizer{bos: -1, eos: -1}
	t.encoders.New = func() any { return new(encoder) }
	return t
}

// isBPE says whether the model is BPE; the oldest files do not say so.
func (f *modelFile) isBPE() bool { return f.Type == "BPE" || f.Type == "" && f.Merges.left != nil }

func (t *Tokenizer) setModel(f modelFile, byteLevel bool) error {
	switch {
	case f.isBPE():
		m, err := newBPE(f, byteLevel)
		if err != nil {
			return err
		}
		t.model, t.vocab = m, m.vocab
	case f.Type == "WordPiece":
		m, err := newWordPiece(f)
		if err != nil {
			return err
		}
		t.model, t.vocab = m, m.vocab
	case f.Type == "WordLevel":
		m, err := newWordLevel(f)
		if err != nil {
			return err
		}
		t.model, t.vocab = m, m.vocab
	case f.Type == "Unigram":
		m, err := newUnigram(f)
		if err != nil {
			return err
		}
		t.model, t.vocab = m, m.vocab
	default:
		return fmt.Errorf("model %q is not supported (supported: BPE, Unigram, WordPiece, WordLevel)", f.Type)
	}
	t.size = len(t.vocab.pieces)
	return nil
}

func (t *Tokenizer) setAdded(tokens []addedToken) error {
	t.added = make(map[int]addedToken, len(tokens))
	t.addedIDs = make(map[string]int, len(tokens))
	for _, token := range tokens {
		if token.Content == "" {
			continue // matches nothing; the reference leaves it out too
		}
		if err := t.checkAdded(token); err != nil {
			return err
		}
		t.addedIDs[token.Content] = token.ID
		t.size = max(t.size, token.ID+1)
		if !token.Normalized {
			if err := t.raw.add(token.Content, token); err != nil {
				return err
			}
			t.added[token.ID] = token
			continue
		}
		content, err := normalize(t.normalizers, token.Content, true)
		if err != nil {
			return fmt.Errorf("added token %d (%q): %w", token.ID, token.Content, err)
		}
		if err := t.normalized.add(content, token); err != nil {
			return err
		}
		token.Content = content // the reference decodes it in this form since its version 0.20
		t.added[token.ID] = token
	}
	return nil
}

// checkAdded refuses a token whose id or text means another piece.
func (t *Tokenizer) checkAdded(token addedToken) error {
	if token.ID < 0 || token.ID >= maxGap+4*len(t.vocab.pieces) {
		return fmt.Errorf("added token %q: id %d is out of range for %d pieces", token.Content, token.ID, len(t.vocab.pieces))
	}
	if id, ok := t.vocab.ids[token.Content]; ok && int(id) != token.ID {
		return fmt.Errorf("added token %q has id %d, but the vocabulary has it as %d", token.Content, token.ID, id)
	}
	if token.ID < len(t.vocab.pieces) {
		if piece := t.vocab.pieces[token.ID]; piece != "" && piece != token.Content {
			return fmt.Errorf("added token %q has id %d, which is %q in the vocabulary", token.Content, token.ID, piece)
		}
	}
	if before, ok := t.added[token.ID]; ok {
		return fmt.Errorf("added tokens %q and %q have the same id %d", before.Content, token.Content, token.ID)
	}
	if id, ok := t.addedIDs[token.Content]; ok {
		return fmt.Errorf("added token %q comes twice, with the ids %d and %d", token.Content, id, token.ID)
	}
	return nil
}

// Encode is the ids of text. special puts those around it that the model's post-processor adds, such as BOS; text that
// spells an added token becomes its id either way. Bytes that are not UTF-8 count as U+FFFD.
//
// A hostile tokenizer.json can hold an expression that takes forever, or a normalizer that makes a text explode. Both
// are stopped; that text and all later ones are left out, and [Tokenizer.Err] says why.
func (t *Tokenizer) Encode(text string, special bool) []int {
	text = validUTF8(text)
	e := t.encoders.Get().(*encoder)
	e.ids = make([]int, 0, len(text)/4+len(t.before)+len(t.after)+4)
	if special {
		e.ids = append(e.ids, t.before...)
	}
	t.raw.split(text, func(s string, id, start int) {
		if id >= 0 {
			e.ids = append(e.ids, id)
			return
		}
		t.encodeStretch(e, s, start == 0)
	})
	if special {
		e.ids = append(e.ids, t.after...)
	}
	ids := e.ids
	e.ids = nil
	t.encoders.Put(e)
	return ids
}

// encodeStretch encodes text between added tokens; first is true at the start of the whole text.
func (t *Tokenizer) encodeStretch(e *encoder, s string, first bool) {
	if t.failure.Load() != nil {
		return
	}
	s, err := normalize(t.normalizers, s, first)
	if err != nil {
		t.fail(err)
		return
	}
	t.normalized.split(s, func(s string, id, start int) {
		if id >= 0 {
			e.ids = append(e.ids, id)
			return
		}
		t.fail(t.encodePieces(e, s, first && start == 0, t.pre))
	})
}

// encodePieces cuts s by the pre-tokenizers that are left and gives what comes out to the model.
func (t *Tokenizer) encodePieces(e *encoder, s string, first bool, pre []preTokenizer) (err error) {
	if len(pre) == 0 {
		if s == "" {
			return nil
		}
		return t.model.encode(e, s)
	}
	failed := pre[0].cut(s, first, func(piece string, first bool) {
		if err == nil {
			err = t.encodePieces(e, piece, first, pre[1:])
		}
	})
	return errors.Join(failed, err)
}

// fail keeps the first error.
func (t *Tokenizer) fail(err error) {
	if err != nil {
		t.failure.CompareAndSwap(nil, &err)
	}
}

// Decode is the text of ids; ids that no token has are left out. skipSpecial leaves out special tokens. (For a special
// token with "normalized": true the reference does not, since its version 0.20; here it is left out.)
func (t *Tokenizer) Decode(ids []int, skipSpecial bool) string {
	if t.decodeIDs != nil {
		if skipSpecial {
			ids = slices.DeleteFunc(slices.Clone(ids), t.Special)
		}
		return strings.Join(t.decodeIDs(ids), "")
	}
	pieces := make([]string, 0, len(ids))
	for _, id := range ids {
		if piece := t.piece(id); piece != "" && (!skipSpecial || !t.Special(id)) {
			pieces = append(pieces, piece)
		}
	}
	if len(t.decoders) == 0 {
		return strings.Join(pieces, " ")
	}
	for _, decode := range t.decoders {
		pieces = decode(pieces)
	}
	return strings.Join(pieces, "")
}

// piece is the token of an id, "" if there is none.
func (t *Tokenizer) piece(id int) string {
	if token, ok := t.added[id]; ok {
		return token.Content
	}
	if id >= 0 && id < len(t.vocab.pieces) {
		return t.vocab.pieces[id]
	}
	return ""
}

// Size is the largest id plus one; a model's embedding has at least as many rows.
func (t *Tokenizer) Size() int { return t.size }

// TokenID is the id of a token as the file writes it, such as "<s>" or "Ġthe".
func (t *Tokenizer) TokenID(token string) (id int, ok bool) {
	if id, ok := t.addedIDs[token]; ok {
		return id, true
	}
	n, ok := t.vocab.ids[token]
	return int(n), ok
}

// Special says whether an id is a special token, such as BOS.
func (t *Tokenizer) Special(id int) bool { return t.added[id].Special }

// BOS is the token that begins a text, as tokenizer_config.json (or special_tokens_map.json, or a GGUF file) names it,
// whether Encode puts it there or not; false where none is named.
func (t *Tokenizer) BOS() (id int, ok bool) { return t.bos, t.bos >= 0 }

// EOS is the token that ends a text, named where BOS is.
func (t *Tokenizer) EOS() (id int, ok bool) { return t.eos, t.eos >= 0 }

// nameEnds finds the tokens that begin and end a text; those that are not in the vocabulary count as none.
func (t *Tokenizer) nameEnds(bos, eos string) {
	for _, end := range []struct {
		token string
		to    *int
	}{{bos, &t.bos}, {eos, &t.eos}} {
		if id, ok := t.TokenID(end.token); ok && end.token != "" {
			*end.to = id
		}
	}
}

// Err is the first failure of an Encode (see there), or nil.
func (t *Tokenizer) Err() error {
	if err := t.failure.Load(); err != nil {
		return *err
	}
	return nil
}
