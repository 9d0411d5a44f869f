package task

import (
	"fmt"

	"shallow/dataset"
	"shallow/eval/task/internal/pyrandom"
	"shallow/eval/task/internal/pytext"
)

// sampler chooses the examples of one item after the other. Its draws go on from item to item, so that the examples of an
// item depend on how many came before.
type sampler struct {
	docs    []dataset.Row
	firstN  bool
	exclude bool             // never the document itself, nor one that is equal to it
	keys    []string         // of the documents, where exclude wants them
	random  *pyrandom.Random // nil: the first ones
}

func newSampler(docs []dataset.Row, firstN, exclude bool, seed uint64) (*sampler, error) {
	s := &sampler{docs: docs, firstN: firstN, exclude: exclude, random: pyrandom.New(seed)}
	if exclude {
		s.keys = make([]string, len(docs))
		for i, d := range docs {
			var err error
			if s.keys[i], err = key(d); err != nil {
				return nil, err
			}
		}
	}
	return s, nil
}

// key is equal for equal documents.
func key(d dataset.Row) (string, error) {
	data, err := pytext.JSON(d, "")
	return string(data), err
}

// choose gives the numbers of the examples of a document.
func (s *sampler) choose(n int, doc dataset.Row) ([]int, error) {
	own := ""
	if s.exclude {
		var err error
		if own, err = key(doc); err != nil {
			return nil, err
		}
	}
	if s.firstN {
		others := s.others(len(s.docs), func(i int) int { return i }, own)
		return s.enough(others, n)
	}
	if !s.exclude {
		return s.random.Sample(len(s.docs), n)
	}
	// One more is drawn than is wanted, in case the document itself is among them.
	drawn, err := s.random.Sample(len(s.docs), n+1)
	if err != nil {
		return nil, err
	}
	if kept := s.others(len(drawn), func(i int) int { return drawn[i] }, own); len(kept) >= n {
		return kept[:n], nil
	}
	pool := s.others(len(s.docs), func(i int) int { return i }, own)
	picks, err := s.random.Sample(len(pool), n)
	if err != nil {
		return nil, err
	}
	for i, p := range picks {
		picks[i] = pool[p]
	}
	return picks, nil
}

// others are the numbers at(0) … at(count−1) without those of documents that equal the item's.
func (s *sampler) others(count int, at func(int) int, own string) []int {
	var out []int
	for i := range count {
		if d := at(i); !s.exclude || s.keys[d] != own {
			out = append(out, d)
		}
	}
	return out
}

func (s *sampler) enough(docs []int, n int) ([]int, error) {
	if len(docs) < n {
		return nil, fmt.Errorf("%d examples are wanted, %d documents are there", n, len(docs))
	}
	return docs[:n], nil
}
