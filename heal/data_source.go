package heal

// source gives the rows of one source, in an order of its own.
type source struct {
	options   *DataOptions
	name      string
	number    uint64 // among all sources
	documents []document
	place     Place

	order   []int32 // of the documents in epoch ordered, where they are shuffled
	ordered int64
}

// Place is where the next row of a source begins.
type Place struct {
	Epoch    int64 `json:"epoch"`    // how often all documents were taken
	Document int   `json:"document"` // how many of them were taken in this epoch
	Token    int   `json:"token"`    // where in the document, if rows are packed
}

// next gives the next row.
func (s *source) next() Row {
	if !s.options.Pack {
		row := s.options.row(s.options.whole(s.document()))
		s.advance()
		return row
	}
	// A row may hold nothing but a prompt. That one is as good as another after an epoch of them.
	row := s.packed()
	for skipped := len(row.IDs); row.Predicted() == 0 && skipped <= s.tokens(); skipped += len(row.IDs) {
		row = s.packed()
	}
	return row
}

// packed cuts the next row out of the joined documents.
func (s *source) packed() Row {
	p := part{}
	for missing := s.options.Length; missing > 0; missing = s.options.Length - len(p.ids) {
		x := s.options.joined(s.document())
		end := min(s.place.Token+missing, len(x.ids))
		p.ids, p.weights = append(p.ids, x.ids[s.place.Token:end]...), append(p.weights, x.weights[s.place.Token:end]...)
		if s.place.Token = end; end == len(x.ids) {
			s.advance()
		}
	}
	return s.options.row(p)
}

// tokens is how many tokens an epoch has.
func (s *source) tokens() int {
	n := 0
	for _, x := range s.documents {
		n += len(x.ids)
	}
	if s.options.Pack {
		n += len(s.documents) * len(s.options.End)
	}
	return n
}

// document is the one at the source's place.
func (s *source) document() document {
	if !s.options.Shuffle {
		return s.documents[s.place.Document]
	}
	if s.order == nil || s.ordered != s.place.Epoch {
		s.order, s.ordered = permutation(len(s.documents), s.options.Seed, s.number, uint64(s.place.Epoch)), s.place.Epoch
	}
	return s.documents[s.order[s.place.Document]]
}

// advance goes to the beginning of the next document.
func (s *source) advance() {
	s.place.Token = 0
	if s.place.Document++; s.place.Document == len(s.documents) {
		s.place.Document = 0
		s.place.Epoch++
	}
}

// part is tokens, and what each counts as a target.
type part struct {
	ids     []int32
	weights []float32
}

// whole is a document for a row of its own.
func (o *DataOptions) whole(x document) part {
	p := part{x.ids, make([]float32, len(x.ids))}
	for i := range p.weights {
		switch {
		case x.prompt == 0:
			p.weights[i] = 1
		case i < int(x.prompt):
			p.weights[i] = float32(o.PromptWeight)
		default:
			p.weights[i] = float32(o.CompletionWeight)
		}
	}
	return p
}

// joined is a document with what comes between it and the next, which belongs to its last part.
func (o *DataOptions) joined(x document) part {
	if len(o.End) == 0 || x.ids[len(x.ids)-1] == int32(o.End[0]) {
		return o.whole(x)
	}
	x.ids = append(append(make([]int32, 0, len(x.ids)+1), x.ids...), int32(o.End[0]))
	return o.whole(x)
}

// predicts reports whether a document has a token that counts, and that another may stand before.
func (o *DataOptions) predicts(x document) bool {
	if o.Pack {
		for _, w := range o.joined(x).weights {
			if w > 0 {
				return true
			}
		}
		return false
	}
	return o.row(o.whole(x)).Predicted() > 0
}

// row makes each token the target of the one before it. What counts nothing is no target.
func (o *DataOptions) row(p part) Row {
	r := Row{IDs: make([]int, len(p.ids)), Targets: make([]int32, len(p.ids))}
	plain := true
	for i, id := range p.ids {
		r.IDs[i], r.Targets[i] = int(id), -1
		if i+1 < len(p.ids) && p.weights[i+1] > 0 {
			r.Targets[i] = p.ids[i+1]
			plain = plain && p.weights[i+1] == 1
		}
	}
	if !plain {
		r.Weights = append(append([]float32{}, p.weights[1:]...), 0)
	}
	return r
}
