package tokenizer

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// bpe is byte-pair encoding: a piece becomes its characters (or bytes), and of all neighbours that have a merge the
// one of the lowest rank, the leftmost of equal ones, is joined until none is left.
type bpe struct {
	vocab   vocabulary
	symbols map[string]uint32   // what a piece is made of and can become: the pieces, and characters without one
	merges  pairTable           // (left, right) to the rank and the joined symbol
	expand  map[uint32][]uint32 // symbols that are no ids of the model, to those that stand for them

	byteLevel    bool       // pieces are raw bytes, else runes
	units        [256]int32 // byteLevel: the id of each byte; else of each ASCII rune; -1 where there is none
	unknown      int32      // the id of unk_token, or -1
	fuseUnknown  bool       // unknown characters in a row are one unknown piece
	fuseAll      bool       // the same, on the finished ids
	fallback     bool       // a character without a piece becomes its bytes
	bytes        [256]int32
	ignoreMerges bool              // a piece of the vocabulary is taken whole
	whole        map[string]uint32 // what ignoreMerges looks in

	seams seams // runes only

	prefix, suffix string // what a character's piece has before it inside a word, and after it at a word's end
}

func newBPE(f modelFile, byteLevel bool) (*bpe, error) {
	if f.Dropout != nil && *f.Dropout != 0 {
		return nil, fmt.Errorf("model BPE with dropout is not supported")
	}
	vocab, err := newVocabulary(f.Vocab)
	if err != nil {
		return nil, err
	}
	m := &bpe{
		vocab: vocab, byteLevel: byteLevel, unknown: -1, fuseUnknown: f.FuseUnk,
		fallback: f.ByteFallback, bytes: vocab.byteIDs(), ignoreMerges: f.IgnoreMerges, symbols: vocab.ids,
	}
	if f.affixed() {
		m.affix(f)
	}
	if f.UnkToken != nil {
		id, ok := vocab.ids[*f.UnkToken]
		if !ok {
			return nil, fmt.Errorf("unk_token %q is not in the vocabulary", *f.UnkToken)
		}
		m.unknown = int32(id)
	}
	m.setUnits()
	if err := m.setMerges(f.Merges); err != nil {
		return nil, err
	}
	if m.ignoreMerges {
		m.setWhole()
	}
	if !byteLevel && m.prefix == "" && m.suffix == "" {
		m.seams = newSeams(m, f.Merges)
	}
	return m, nil
}

// affixed says whether characters have other pieces inside and at the end of a word.
func (f *modelFile) affixed() bool {
	return f.SubwordPrefix != nil && *f.SubwordPrefix != "" || f.WordSuffix != nil && *f.WordSuffix != ""
}

func (m *bpe) setUnits() {
	for b := range m.units {
		m.units[b] = -1
		unit := string(rune(b))
		if m.byteLevel {
			unit = string(alphabet[b])
		}
		if id, ok := m.symbols[unit]; ok && (m.byteLevel || b < utf8.RuneSelf) {
			m.units[b] = int32(id)
		}
	}
}

func (m *bpe) setMerges(f mergeFile) error {
	m.merges = newPairTable(len(f.left))
	var joined []byte
	for i, left := range f.left {
		right := f.right[i]
		a, ok := m.symbols[left]
		if !ok {
			return fmt.Errorf("merge %d (%q, %q): %q is not in the vocabulary", i, left, right, left)
		}
		b, ok := m.symbols[right]
		if !ok {
			return fmt.Errorf("merge %d (%q, %q): %q is not in the vocabulary", i, left, right, right)
		}
		joined = append(append(joined[:0], left...), right[min(len(m.prefix), len(right)):]...)
		c, ok := m.symbols[string(joined)]
		if !ok {
			return fmt.Errorf("merge %d (%q, %q): %q is not in the vocabulary", i, left, right, joined)
		}
		rank := uint32(i)
		if f.ranks != nil {
			rank = f.ranks[i]
		}
		m.merges.setBoth(a, b, rank, c) // of equal merges the last counts, as in the reference
	}
	return nil
}

func (m *bpe) setWhole() {
	m.whole = m.vocab.ids
	if !m.byteLevel {
		return
	}
	m.whole = make(map[string]uint32, len(m.vocab.ids))
	var raw []byte
	for piece, id := range m.vocab.ids {
		var ok bool
		if raw, ok = rawBytes(raw[:0], piece); ok {
			m.whole[string(raw)] = id
		}
	}
}

// encode appends the ids of a piece to e.ids.
func (m *bpe) encode(e *encoder, piece string) error {
	if m.byteLevel {
		m.word(e, piece)
		return nil
	}
	if m.fuseAll {
		defer func(first int) { e.ids = append(e.ids[:first], m.fuse(e.ids[first:])...) }(len(e.ids))
	}
	if m.ignoreMerges {
		if id, ok := m.whole[piece]; ok {
			e.ids = append(e.ids, int(id))
			return nil
		}
	}
	if !m.seams.usable {
		m.word(e, piece)
		return nil
	}
	start, before := 0, rune(-1)
	for at, r := range piece {
		if before >= 0 && m.seams.between(before, r) {
			m.word(e, piece[start:at])
			start = at
		}
		before = r
	}
	m.word(e, piece[start:])
	return nil
}

// fuse leaves one unknown piece of several in a row.
func (m *bpe) fuse(ids []int) []int {
	kept := ids[:0]
	for i, id := range ids {
		if i == 0 || id != int(m.unknown) || ids[i-1] != id {
			kept = append(kept, id)
		}
	}
	return kept
}

func (m *bpe) affix(f modelFile) {
	if f.SubwordPrefix != nil {
		m.prefix = *f.SubwordPrefix
	}
	if f.WordSuffix != nil {
		m.suffix = *f.WordSuffix
	}
}

// word appends the ids of a piece that merges can cross, through the cache.
func (m *bpe) word(e *encoder, word string) {
	if len(word) == 1 {
		if id := m.units[word[0]]; id >= 0 && m.expand == nil && m.suffix == "" {
			e.ids = append(e.ids, int(id))
			return
		}
	}
	slot := e.words.slot(word)
	if slot == nil || slot.word != word {
		if m.ignoreMerges && m.byteLevel {
			if id, ok := m.whole[word]; ok {
				e.symbols = append(e.symbols[:0], id)
				e.keep(slot, word)
				return
			}
		}
		m.split(e, word)
		m.merge(e)
		m.replace(e)
		e.keep(slot, word)
		return
	}
	for _, id := range slot.ids {
		e.ids = append(e.ids, int(id))
	}
}

// split sets e.symbols to the characters or bytes of word.
func (m *bpe) split(e *encoder, word string) {
	e.symbols = e.symbols[:0]
	pending := false // an unknown character waits for another that it is fused with
	flush := func() {
		if pending {
			e.symbols = append(e.symbols, uint32(m.unknown))
		}
		pending = false
	}
	for at := 0; at < len(word); {
		id, n := m.unit(word[at:])
		unit := word[at : at+n]
		if m.prefix != "" || m.suffix != "" {
			id, unit = m.affixedUnit(word, at, n)
		}
		if id >= 0 {
			flush()
			e.symbols = append(e.symbols, uint32(id))
		} else if !m.fallback || !m.bytesOf(e, unit) {
			if !m.fuseUnknown {
				flush()
			}
			pending = m.unknown >= 0 // without unk_token the character is left out
		}
		at += n
	}
	flush()
}

// replace puts ids of the model in place of symbols that are none.
func (m *bpe) replace(e *encoder) {
	if m.expand == nil {
		return
	}
	var out []uint32
	for i, symbol := range e.symbols {
		ids, ok := m.expand[symbol]
		if ok && out == nil {
			out = append(out, e.symbols[:i]...)
		}
		if ok {
			out = append(out, ids...)
		} else if out != nil {
			out = append(out, symbol)
		}
	}
	if out != nil {
		e.symbols = append(e.symbols[:0], out...)
	}
}

// unit is the id, or -1, and the length of the first character or byte of s.
func (m *bpe) unit(s string) (id int32, n int) {
	if m.byteLevel || s[0] < utf8.RuneSelf {
		return m.units[s[0]], 1
	}
	_, n = utf8.DecodeRuneInString(s)
	if id, ok := m.symbols[s[:n]]; ok {
		return int32(id), n
	}
	return -1, n
}

// affixedUnit is the id, or -1, and the text of the character at word[at:at+n] where pieces have affixes.
func (m *bpe) affixedUnit(word string, at, n int) (int32, string) {
	unit := word[at : at+n]
	if at > 0 {
		unit = m.prefix + unit
	}
	if at+n == len(word) {
		unit += m.suffix
	}
	if id, ok := m.symbols[unit]; ok {
		return int32(id), unit
	}
	return -1, unit
}

// bytesOf appends the byte pieces of an unknown character, if there is one for each.
func (m *bpe) bytesOf(e *encoder, unit string) bool {
	if m.byteLevel {
		unit = string(alphabet[unit[0]])
	}
	for i := range len(unit) {
		if m.bytes[unit[i]] < 0 {
			return false
		}
	}
	for i := range len(unit) {
		e.symbols = append(e.symbols, uint32(m.bytes[unit[i]]))
	}
	return true
}

// seams are the places in a text that no merge can cross. A merge joins two pieces where the last rune of the left one
// meets the first of the right one; a pair of runes that meets so in no merge parts the text into stretches that can be
// merged one by one. SentencePiece models, which see a whole text as one piece, are fast through this alone: no merge
// of Llama-2 or Mistral has ▁ after another rune.
type seams struct {
	usable bool
	ascii  [utf8.RuneSelf][2]uint64 // bit b of row a: a and b meet in a merge
	others pairTable
}

func newSeams(m *bpe, f mergeFile) (s seams) {
	// Unknown characters fuse across seams, or are left out and make their neighbours meet, unless each becomes bytes.
	s.usable = m.unknown >= 0 && !m.fuseUnknown && !m.fallback
	if m.fallback {
		s.usable = true
		for _, id := range m.bytes {
			s.usable = s.usable && id >= 0
		}
	}
	s.others = newPairTable(len(f.left))
	for i, left := range f.left {
		right := f.right[i]
		if left == "" || right == "" || m.standsForOther(left) || m.standsForOther(right) {
			s.usable = false
			return s
		}
		a, _ := utf8.DecodeLastRuneInString(left)
		b, _ := utf8.DecodeRuneInString(right)
		if a < utf8.RuneSelf && b < utf8.RuneSelf {
			s.ascii[a][b>>6] |= 1 << (b & 63)
		} else {
			s.others.set(uint32(a), uint32(b), 1)
		}
	}
	return s
}

// standsForOther says whether a piece's text is not the text that it covers.
func (m *bpe) standsForOther(piece string) bool {
	id := int32(m.symbols[piece])
	return id == m.unknown || m.fallback && len(piece) == 6 && strings.HasPrefix(piece, "<0x") && m.isByte(id)
}

func (m *bpe) isByte(id int32) bool {
	for _, b := range m.bytes {
		if b == id {
			return true
		}
	}
	return false
}

// between says whether no merge can join a and b where they meet.
func (s *seams) between(a, b rune) bool {
	if a < utf8.RuneSelf && b < utf8.RuneSelf {
		return s.ascii[a][b>>6]>>(b&63)&1 == 0
	}
	_, ok := s.others.get(uint32(a), uint32(b))
	return !ok
}
