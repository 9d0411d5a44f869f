package tokenizer

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// file is tokenizer.json.
type file struct {
	AddedTokens   []addedToken    `json:"added_tokens"`
	Normalizer    json.RawMessage `json:"normalizer"`
	PreTokenizer  json.RawMessage `json:"pre_tokenizer"`
	PostProcessor json.RawMessage `json:"post_processor"`
	Decoder       json.RawMessage `json:"decoder"`
	Model         modelFile       `json:"model"`
}

// modelFile is the section "model": BPE, Unigram, WordPiece or WordLevel.
type modelFile struct {
	Type          string    `json:"type"`
	Vocab         vocabFile `json:"vocab"`
	Merges        mergeFile `json:"merges"`
	UnkToken      *string   `json:"unk_token"`
	UnkID         *int      `json:"unk_id"`
	FuseUnk       bool      `json:"fuse_unk"`
	ByteFallback  bool      `json:"byte_fallback"`
	IgnoreMerges  bool      `json:"ignore_merges"`
	Dropout       *float64  `json:"dropout"`
	SubwordPrefix *string   `json:"continuing_subword_prefix"`
	WordSuffix    *string   `json:"end_of_word_suffix"`
	MaxChars      *int      `json:"max_input_chars_per_word"`
}

// vocabFile holds the pieces in the order of the file: an object from piece to id (BPE), or a list of piece and score,
// whose place is the id (Unigram; scores is nil otherwise).
type vocabFile struct {
	pieces []string
	ids    []int
	scores []float64
}

// UnmarshalJSON reads either form.
func (v *vocabFile) UnmarshalJSON(data []byte) error {
	s := &scanner{text: string(data)}
	*v = vocabFile{}
	if s.next() == '[' {
		return v.readList(s)
	}
	if err := s.enter('{'); err != nil {
		return fmt.Errorf("vocab: %w", err)
	}
	for !s.leave('}') {
		piece, err := s.string()
		if err != nil {
			return fmt.Errorf("vocab: %w", err)
		}
		number, err := s.number()
		if err != nil {
			return fmt.Errorf("vocab: id of %q: %w", piece, err)
		}
		id, err := strconv.Atoi(number)
		if err != nil {
			return fmt.Errorf("vocab: id %s of %q is not a whole number", number, piece)
		}
		v.pieces, v.ids = append(v.pieces, piece), append(v.ids, id)
	}
	return nil
}

func (v *vocabFile) readList(s *scanner) error {
	s.at++
	v.scores = []float64{}
	for !s.leave(']') {
		if err := s.enter('['); err != nil {
			return fmt.Errorf("vocab: entry %d: %w", len(v.pieces), err)
		}
		piece, err := s.string()
		if err != nil {
			return fmt.Errorf("vocab: entry %d: %w", len(v.pieces), err)
		}
		number, err := s.number()
		if err != nil {
			return fmt.Errorf("vocab: score of %q: %w", piece, err)
		}
		score, err := strconv.ParseFloat(number, 64)
		if err != nil {
			return fmt.Errorf("vocab: score %s of %q is not a number", number, piece)
		}
		if !s.leave(']') {
			return fmt.Errorf("vocab: entry %d (%q) is not a pair", len(v.pieces), piece)
		}
		v.ids = append(v.ids, len(v.pieces))
		v.pieces, v.scores = append(v.pieces, piece), append(v.scores, score)
	}
	return nil
}

// mergeFile is the list of merges by rank, each ["left", "right"] or, in older files, "left right".
type mergeFile struct {
	left, right []string
	ranks       []uint32 // the rank of each, where it is not its place; merges may share one
}

// UnmarshalJSON reads either form.
func (m *mergeFile) UnmarshalJSON(data []byte) error {
	*m = mergeFile{}
	if bytes.Equal(data, []byte("null")) {
		return nil
	}
	s := &scanner{text: string(data)}
	if err := s.enter('['); err != nil {
		return fmt.Errorf("merges: %w", err)
	}
	for !s.leave(']') {
		left, right, err := readMerge(s)
		if err != nil {
			return fmt.Errorf("merges: entry %d: %w", len(m.left), err)
		}
		m.left, m.right = append(m.left, left), append(m.right, right)
	}
	return nil
}

func readMerge(s *scanner) (left, right string, err error) {
	if s.next() == '"' {
		both, err := s.string()
		if err != nil {
			return "", "", err
		}
		return cutMerge(both)
	}
	if err := s.enter('['); err != nil {
		return "", "", err
	}
	if left, err = s.string(); err != nil {
		return "", "", err
	}
	if right, err = s.string(); err != nil {
		return "", "", err
	}
	if !s.leave(']') {
		return "", "", fmt.Errorf("%q, %q and more: a merge has two pieces", left, right)
	}
	return left, right, nil
}

func cutMerge(both string) (left, right string, err error) {
	left, right, ok := strings.Cut(both, " ")
	if !ok || strings.Contains(right, " ") {
		return "", "", fmt.Errorf("%q is not two pieces with one blank between them", both)
	}
	return left, right, nil
}

// absent says whether a section is missing or null.
func absent(section json.RawMessage) bool {
	return len(section) == 0 || bytes.Equal(section, []byte("null"))
}

const (
	maxDepth      = 16 // Sequences within Sequences
	maxComponents = 64 // members of one Sequence
)

// component is one normalizer, pre-tokenizer, post-processor or decoder, with the settings of all of them.
type component struct {
	Type string `json:"type"`

	Normalizers   []json.RawMessage `json:"normalizers"`
	PreTokenizers []json.RawMessage `json:"pretokenizers"`
	Processors    []json.RawMessage `json:"processors"`
	Decoders      []json.RawMessage `json:"decoders"`

	Pattern          json.RawMessage `json:"pattern"`
	Content          string          `json:"content"`
	Prepend          string          `json:"prepend"`
	Behavior         string          `json:"behavior"`
	Invert           bool            `json:"invert"`
	AddPrefixSpace   *bool           `json:"add_prefix_space"`
	UseRegex         *bool           `json:"use_regex"`
	Replacement      string          `json:"replacement"`
	PrependScheme    string          `json:"prepend_scheme"`
	Split            *bool           `json:"split"`
	IndividualDigits bool            `json:"individual_digits"`
	Start            int             `json:"start"`
	Stop             int             `json:"stop"`
	Delimiter        string          `json:"delimiter"`
	Charsmap         []byte          `json:"precompiled_charsmap"`
	CleanText        *bool           `json:"clean_text"`
	HandleChinese    *bool           `json:"handle_chinese_chars"`
	StripAccents     *bool           `json:"strip_accents"`
	Lowercase        *bool           `json:"lowercase"`
	StripLeft        bool            `json:"strip_left"`
	StripRight       bool            `json:"strip_right"`
	Prefix           *string         `json:"prefix"`
	Suffix           *string         `json:"suffix"`
	Cleanup          *bool           `json:"cleanup"`
	Separator        *processorToken `json:"sep"`
	Classifier       *processorToken `json:"cls"`

	Single        []templatePiece                 `json:"single"`
	SpecialTokens map[string]templateSpecialToken `json:"special_tokens"`
}

// components reads a section and lays its Sequences out flat: a Sequence is its members one after the other, in all
// four kinds of section. members picks the list that a Sequence of this kind has.
func components(section json.RawMessage, members func(component) []json.RawMessage) ([]component, error) {
	return flatten(nil, section, members, 0)
}

func flatten(all []component, section json.RawMessage, members func(component) []json.RawMessage, depth int) ([]component, error) {
	if absent(section) {
		return all, nil
	}
	if depth > maxDepth {
		return nil, fmt.Errorf("sequences nested more than %d deep", maxDepth)
	}
	var c component
	if err := json.Unmarshal(section, &c); err != nil {
		return nil, err
	}
	if c.Type != "Sequence" {
		if len(all) >= maxComponents {
			return nil, fmt.Errorf("more than %d components", maxComponents)
		}
		return append(all, c), nil
	}
	for _, member := range members(c) {
		var err error
		if all, err = flatten(all, member, members, depth+1); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// unlessFalse is *b, or true where the file has no such key.
func unlessFalse(b *bool) bool { return b == nil || *b }
