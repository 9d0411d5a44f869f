package heal

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"

	"shallow/corpus"
)

// CorpusSpec is a corpus as a person names it: a.jsonl, or a.jsonl:0.7 with the weight of its rows among those of others.
type CorpusSpec struct {
	Name   string
	Weight float64 // 0 where none is given
}

// StageSpec is a stage as a person writes it: 80%=web.jsonl:0.7,code.jsonl:0.3. Share is its part of the rows.
type StageSpec struct {
	Share   float64
	Corpora []CorpusSpec
}

// number is a decimal number: what else strconv reads, such as Inf and 0x1p4, is part of a name.
var number = regexp.MustCompile(`^[0-9]{1,15}(\.[0-9]{1,15})?$|^\.[0-9]{1,15}$`)

// ParseCorpus reads NAME or NAME:WEIGHT. What stands behind the last colon is a weight only where it is a number, so that
// names may have colons, as those of the hub's data sets do. One that ends like a weight is written with a weight behind it.
func ParseCorpus(text string) (CorpusSpec, error) {
	c := CorpusSpec{Name: text}
	if i := strings.LastIndexByte(text, ':'); i >= 0 && number.MatchString(text[i+1:]) {
		w, err := strconv.ParseFloat(text[i+1:], 64)
		if err != nil || !(w > 0) || math.IsInf(w, 1) {
			return CorpusSpec{}, fmt.Errorf("heal: corpus %q: weight %s, want a number above 0", text, text[i+1:])
		}
		c = CorpusSpec{text[:i], w}
	}
	if strings.TrimSpace(c.Name) == "" {
		return CorpusSpec{}, fmt.Errorf("heal: corpus %q has no name: write FILE or FILE:WEIGHT", text)
	}
	return c, nil
}

// ParseStage reads SHARE=CORPUS,CORPUS,…, where the share is a number in any unit, or with % behind it, and each corpus is
// as ParseCorpus reads it. Names have no comma.
func ParseStage(text string) (StageSpec, error) {
	share, corpora, ok := strings.Cut(text, "=")
	share = strings.TrimSuffix(share, "%")
	if !ok || !number.MatchString(share) {
		return StageSpec{}, fmt.Errorf("heal: stage %q: write SHARE=CORPUS[:WEIGHT],…, as 80%%=a.jsonl:0.7,b.jsonl:0.3", text)
	}
	s := StageSpec{}
	var err error
	if s.Share, err = strconv.ParseFloat(share, 64); err != nil || !(s.Share > 0) {
		return StageSpec{}, fmt.Errorf("heal: stage %q: a share of %s, want a number above 0", text, share)
	}
	for _, part := range strings.Split(corpora, ",") {
		c, err := ParseCorpus(part)
		if err != nil {
			return StageSpec{}, err
		}
		s.Corpora = append(s.Corpora, c)
	}
	return s, nil
}

// Group is corpora that are read together and make one Source.
type Group struct {
	Name   string
	Weight float64
	Names  []string
}

// Groups says which corpora make a source: each by itself where they have weights; all together, one behind the other, where
// none has, so that a data set in many files is as if it were in one.
func Groups(corpora []CorpusSpec) ([]Group, error) {
	var groups []Group
	weighted := 0
	var names []string
	for _, c := range corpora {
		if c.Weight > 0 {
			weighted++
		}
		names = append(names, c.Name)
		groups = append(groups, Group{c.Name, c.Weight, []string{c.Name}})
	}
	switch {
	case len(corpora) == 0:
		return nil, errors.New("heal: no corpus is given")
	case weighted == 0:
		return []Group{{strings.Join(names, ", "), 1, names}}, nil
	case weighted < len(corpora):
		return nil, fmt.Errorf("heal: %s: some corpora have a weight and some have none: give each its own, as a.jsonl:0.7, or none", strings.Join(names, ", "))
	}
	return groups, nil
}

// Documents are the sequences of a corpus.
func Documents(c *corpus.Corpus) []Document {
	documents := make([]Document, len(c.Sequences))
	for i, s := range c.Sequences {
		documents[i] = Document{s.IDs, s.Prompt}
	}
	return documents
}
