package tokenizer

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// wordPiece takes the longest piece from the front of a word, again and again; a word that cannot be spelled so is
// unknown as a whole.
type wordPiece struct {
	vocab   vocabulary
	start   trie // pieces by their text
	inside  trie // pieces that begin with the prefix, without it
	unknown int
	most    int // runes in a word
}

func newWordPiece(f modelFile) (*wordPiece, error) {
	vocab, unknown, err := wordVocabulary(f)
	if err != nil {
		return nil, err
	}
	m := &wordPiece{vocab: vocab, unknown: unknown, most: 100}
	if f.MaxChars != nil {
		m.most = *f.MaxChars
	}
	prefix := "##"
	if f.SubwordPrefix != nil {
		prefix = *f.SubwordPrefix
	}
	total := 0
	for id, piece := range vocab.pieces {
		if total += len(piece); total > maxTrie {
			return nil, fmt.Errorf("vocab: the pieces have more than %d bytes together", maxTrie)
		}
		if piece != "" {
			m.start.add(piece, int32(id))
		}
		if rest, ok := strings.CutPrefix(piece, prefix); ok && rest != "" {
			m.inside.add(rest, int32(id))
		}
	}
	return m, nil
}

// wordVocabulary is the vocabulary and the id of the unknown token, which these models need.
func wordVocabulary(f modelFile) (vocabulary, int, error) {
	vocab, err := newVocabulary(f.Vocab)
	if err != nil {
		return vocab, 0, err
	}
	unknown := "[UNK]"
	if f.UnkToken != nil {
		unknown = *f.UnkToken
	}
	id, ok := vocab.ids[unknown]
	if !ok {
		return vocab, 0, fmt.Errorf("unk_token %q is not in the vocabulary", unknown)
	}
	return vocab, int(id), nil
}

func (m *wordPiece) encode(e *encoder, word string) error {
	first := len(e.ids)
	if utf8.RuneCountInString(word) > m.most {
		e.ids = append(e.ids, m.unknown)
		return nil
	}
	pieces := &m.start
	for rest := word; rest != ""; {
		id, n, ok := pieces.longest(rest)
		if !ok {
			e.ids = append(e.ids[:first], m.unknown)
			return nil
		}
		e.ids = append(e.ids, int(id))
		rest = rest[n:]
		pieces = &m.inside
	}
	return nil
}

// wordLevel knows whole words only.
type wordLevel struct {
	vocab   vocabulary
	unknown int
}

func newWordLevel(f modelFile) (*wordLevel, error) {
	vocab, unknown, err := wordVocabulary(f)
	return &wordLevel{vocab, unknown}, err
}

func (m *wordLevel) encode(e *encoder, word string) error {
	id, ok := m.vocab.ids[word]
	if !ok {
		id = uint32(m.unknown)
	}
	e.ids = append(e.ids, int(id))
	return nil
}

// decodeWordPiece puts blanks between words and takes the prefix from pieces inside one.
func decodeWordPiece(prefix string, cleanup bool) decoder {
	return func(pieces []string) []string {
		for i, piece := range pieces {
			if i > 0 {
				if rest, ok := strings.CutPrefix(piece, prefix); ok {
					piece = rest
				} else {
					piece = " " + piece
				}
			}
			if cleanup {
				piece = englishBlanks.clean(piece)
			}
			pieces[i] = piece
		}
		return pieces
	}
}

// replacements are done one after the other.
type replacements [][2]string

// englishBlanks takes out blanks that English has not; the reference's list.
var englishBlanks = replacements{
	{" .", "."}, {" ?", "?"}, {" !", "!"}, {" ,", ","}, {" ' ", "'"}, {" n't", "n't"}, {" 'm", "'m"}, {" do not", " don't"},
	{" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"},
}

func (r replacements) clean(s string) string {
	for _, pair := range r {
		s = strings.ReplaceAll(s, pair[0], pair[1])
	}
	return s
}

// decodeSuffix makes a blank of the mark at the end of each word but the last.
func decodeSuffix(suffix string) decoder {
	return func(pieces []string) []string {
		for i, piece := range pieces {
			blank := " "
			if i == len(pieces)-1 {
				blank = ""
			}
			if suffix != "" {
				pieces[i] = strings.ReplaceAll(piece, suffix, blank)
			}
		}
		return pieces
	}
}
