package tokenizer

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"unicode/utf8"
)

// pieceKind says what a SentencePiece piece is for; the numbers are those of the model file and of GGUF.
type pieceKind int32

const (
	normalPiece  pieceKind = 1
	unknownPiece pieceKind = 2 // stands for characters that no piece has
	controlPiece pieceKind = 3 // such as BOS: never comes from text
	userPiece    pieceKind = 4 // always one piece where its text stands
	bytePiece    pieceKind = 6 // one byte of a character that no piece has
	unusedPiece  pieceKind = 5 // never given out
)

// scoredPiece is an entry of a SentencePiece vocabulary. Its id is its place.
type scoredPiece struct {
	text  string
	score float32
	kind  pieceKind
}

// sentencePieces is a SentencePiece model: tokenizer.model, or the same in GGUF.
type sentencePieces struct {
	pieces     []scoredPiece
	unigram    bool // else BPE
	suffix     bool // the dummy blank is put after the text instead of before it
	unkSurface string
	spec       normalizerSpec
	unknown    int // the id of the unknown piece, -1 if there is none
}

// normalizerSpec is what happens to a text before it is spelled.
type normalizerSpec struct {
	charsmap    []byte // replacements of characters, "" for none
	dummyPrefix bool   // a blank is put before the text
	removeExtra bool   // blanks at both ends and beside others are left out
	escape      bool   // blanks are written as ▁
}

// maxMerges bounds the merges that a vocabulary is taken apart into; the largest published ones have a million.
const maxMerges = 4 << 20

const metaspaceRune = "▁"

// vocabulary is the pieces by id. Pieces without a text keep their id and are never met.
func (s *sentencePieces) vocabulary() (vocabulary, error) {
	if len(s.pieces) == 0 {
		return vocabulary{}, fmt.Errorf("the vocabulary is empty")
	}
	var f vocabFile
	total := 0
	for id, piece := range s.pieces {
		if math.IsNaN(float64(piece.score)) || math.IsInf(float64(piece.score), 0) {
			return vocabulary{}, fmt.Errorf("piece %d (%q): the score is not finite", id, piece.text)
		}
		if len(piece.text) > maxAdded || !utf8.ValidString(piece.text) {
			return vocabulary{}, fmt.Errorf("piece %d: %d bytes; at most %d bytes of UTF-8 expected", id, len(piece.text), maxAdded)
		}
		if total += len(piece.text); total > maxTrie {
			return vocabulary{}, fmt.Errorf("the pieces have more than %d bytes together", maxTrie)
		}
		if piece.text != "" {
			f.pieces, f.ids = append(f.pieces, piece.text), append(f.ids, id)
		}
	}
	v, err := newVocabulary(f)
	for len(v.pieces) < len(s.pieces) {
		v.pieces = append(v.pieces, "")
	}
	return v, err
}

// byteIDs holds the ids of the byte pieces, -1 where there is none; any says whether there is one at all.
func (s *sentencePieces) byteIDs() (ids [256]int32, any bool) {
	for b := range ids {
		ids[b] = -1
	}
	for id, piece := range s.pieces {
		if b, ok := byteOf(piece.text); ok && piece.kind == bytePiece {
			ids[b], any = int32(id), true
		}
	}
	return ids, any
}

// newUnigram is the model for Unigram vocabularies (unigram_model.cc).
func (s *sentencePieces) newUnigram() (*unigram, error) {
	vocab, err := s.vocabulary()
	if err != nil {
		return nil, err
	}
	m := &unigram{vocab: vocab, unknown: int32(s.unknown), single: true, scores: make([]float64, len(s.pieces))}
	m.bytes, m.fallback = s.byteIDs()
	if s.unknown < 0 {
		return nil, fmt.Errorf("there is no unknown piece")
	}
	least := float32(math.MaxFloat32)
	for _, piece := range s.pieces {
		if piece.kind == normalPiece {
			least = min(least, piece.score)
		}
	}
	for id, piece := range s.pieces {
		m.scores[id] = float64(piece.score)
		if piece.kind == userPiece {
			m.scores[id] = 0 // better than any normal piece; so it is in version 0.2.3, whatever the file says
		}
		if piece.kind == normalPiece || piece.kind == userPiece {
			if err := m.spell(id); err != nil {
				return nil, err
			}
		}
	}
	m.unkScore = float64(least - unkPenalty)
	return m, nil
}

// newBPE is the model for BPE vocabularies (bpe_model.cc): of all neighbours whose join is a piece, those whose join
// has the highest score are joined first, the leftmost of equal ones.
func (s *sentencePieces) newBPE() (*bpe, error) {
	vocab, err := s.vocabulary()
	if err != nil {
		return nil, err
	}
	m := &bpe{vocab: vocab, unknown: int32(s.unknown), fuseAll: true, symbols: make(map[string]uint32, len(vocab.ids))}
	m.bytes, m.fallback = s.byteIDs()
	for id, piece := range s.pieces {
		if piece.text != "" && (piece.kind == normalPiece || piece.kind == unusedPiece) {
			m.symbols[piece.text] = uint32(id)
		}
	}
	m.hidden(s)
	m.setUnits()
	merges, err := deriveMerges(m.symbols, s.ranks())
	if err != nil {
		return nil, err
	}
	if err := m.setMerges(merges); err != nil {
		return nil, err
	}
	if err := m.takeApart(s); err != nil {
		return nil, err
	}
	m.seams = newSeams(m, merges)
	return m, nil
}

// ranks is the place of each piece in the order of falling scores; equal scores have the same.
func (s *sentencePieces) ranks() []uint32 {
	order := make([]int, len(s.pieces))
	for id := range order {
		order[id] = id
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(s.pieces[b].score, s.pieces[a].score) })
	ranks := make([]uint32, len(order))
	for i, id := range order {
		if i > 0 && s.pieces[id].score == s.pieces[order[i-1]].score {
			ranks[id] = ranks[order[i-1]]
		} else {
			ranks[id] = uint32(i)
		}
	}
	return ranks
}

// deriveMerges lists every way to join two symbols to a third, by the rank of the third.
func deriveMerges(symbols map[string]uint32, ranks []uint32) (f mergeFile, err error) {
	f.ranks = []uint32{}
	for text, id := range symbols {
		for at := range text {
			if at == 0 {
				continue
			}
			_, left := symbols[text[:at]]
			_, right := symbols[text[at:]]
			if !left || !right {
				continue
			}
			if len(f.left) == maxMerges {
				return f, fmt.Errorf("the vocabulary has more than %d merges", maxMerges)
			}
			f.left, f.right, f.ranks = append(f.left, text[:at]), append(f.right, text[at:]), append(f.ranks, ranks[id])
		}
	}
	return f, nil
}

// hidden makes symbols of the characters that pieces have and that are no pieces: they can be merged, and where they
// are not, they stand for their bytes or for the unknown piece.
func (m *bpe) hidden(s *sentencePieces) {
	next := uint32(len(s.pieces))
	for _, piece := range s.pieces {
		if piece.kind != normalPiece && piece.kind != unusedPiece {
			continue
		}
		for _, r := range piece.text {
			char := string(r)
			if _, ok := m.symbols[char]; ok {
				continue
			}
			m.symbols[char] = next
			m.stands(next, m.unknownChar(char))
			next++
		}
	}
}

func (m *bpe) stands(symbol uint32, ids []uint32) {
	if m.expand == nil {
		m.expand = map[uint32][]uint32{}
	}
	m.expand[symbol] = ids
}

// unknownChar is what stands for a character without a piece.
func (m *bpe) unknownChar(char string) (ids []uint32) {
	if m.fallback {
		e := encoder{}
		if m.bytesOf(&e, char) {
			return e.symbols
		}
	}
	if m.unknown >= 0 {
		ids = append(ids, uint32(m.unknown))
	}
	return ids
}

// maxUnused bounds the characters of an unused piece, because taking it apart takes the square of their number.
const maxUnused = 128

// takeApart finds for each unused piece the two that it is merged from, and what these stand for in turn.
func (m *bpe) takeApart(s *sentencePieces) error {
	unused := map[uint32][]uint32{}
	for id, piece := range s.pieces {
		n := utf8.RuneCountInString(piece.text)
		if piece.kind != unusedPiece {
			continue
		}
		if n == 1 { // nothing to take apart
			m.stands(uint32(id), m.unknownChar(piece.text))
			continue
		}
		if n > maxUnused {
			return fmt.Errorf("piece %d: an unused piece of %d characters; at most %d", id, n, maxUnused)
		}
		if parts := m.mergeWithout(piece.text, uint32(id)); len(parts) == 2 {
			unused[uint32(id)] = parts
		}
	}
	var spell func(symbol uint32) []uint32
	spell = func(symbol uint32) (ids []uint32) {
		parts, ok := unused[symbol]
		if !ok {
			if ids, ok := m.expand[symbol]; ok {
				return ids
			}
			return []uint32{symbol}
		}
		for _, part := range parts { // each shorter than the whole
			ids = append(ids, spell(part)...)
		}
		return ids
	}
	for id := range unused {
		m.stands(id, spell(id))
	}
	return nil
}

// mergeWithout merges a text as if one piece were not there.
func (m *bpe) mergeWithout(text string, without uint32) []uint32 {
	e := encoder{}
	m.split(&e, text)
	symbols := e.symbols
	for {
		best, at := uint32(noRank), -1
		for i := 0; i+1 < len(symbols); i++ {
			rank := m.rank(symbols[i], symbols[i+1])
			if rank < best && m.merges.also(symbols[i], symbols[i+1]) != without {
				best, at = rank, i
			}
		}
		if at < 0 {
			return symbols
		}
		symbols[at] = m.merges.also(symbols[at], symbols[at+1])
		symbols = slices.Delete(symbols, at+1, at+2)
	}
}
