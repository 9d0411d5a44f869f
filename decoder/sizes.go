package decoder

import "shallow/compute"

// LayerParameters is the number of weights of layer i.
func (s *Spec) LayerParameters(i int) int64 {
	var n int64
	for _, w := range s.LayerWeights(i) {
		n += w.Elements()
	}
	return n
}

// Parameters is the number of weights of the model; a tied head counts once.
func (s *Spec) Parameters() int64 {
	var n int64
	for _, w := range s.outsideWeights() {
		n += w.Elements()
	}
	for i := range s.L {
		n += s.LayerParameters(i)
	}
	return n
}

// LayerBytes is the memory of layer i's weights stored in a kind.
func (s *Spec) LayerBytes(i int, kind compute.Kind) int64 {
	return kind.Bytes(int(s.LayerParameters(i)))
}

// LayerFLOPs is the work of one row's products with layer i's weights: two operations a weight, of the chosen experts only.
func (s *Spec) LayerFLOPs(i int) float64 {
	var n float64
	for _, w := range s.LayerWeights(i) {
		switch {
		case w.Rows > 0 && w.Expert:
			n += float64(w.Elements()) * float64(s.Experts.Chosen) / float64(s.Experts.Count)
		case w.Rows > 0:
			n += float64(w.Elements())
		}
	}
	return 2 * n
}

// AttentionFLOPs is the work of attention in layer i for a whole sequence of the given length: scores and weighted
// values of the positions that each row sees.
func (s *Spec) AttentionFLOPs(i, length int) float64 {
	seen := float64(length) * float64(length+1) / 2
	if w := s.Layers[i].Window; w > 0 && w < length {
		hidden := float64(length - w)
		seen -= hidden * (hidden + 1) / 2
	}
	return 4 * seen * float64(s.H*s.HeadSize)
}

// HeadFLOPs is the work of one row's logits.
func (s *Spec) HeadFLOPs() float64 { return 2 * float64(s.HeadWeight().Elements()) }

// FLOPsPerToken is the work of a forward pass through all layers, without the head, for a token of a sequence of the
// given length, on average.
func (s *Spec) FLOPsPerToken(length int) float64 {
	var sum float64
	for i := range s.L {
		sum += s.LayerFLOPs(i) + s.AttentionFLOPs(i, length)/float64(max(length, 1))
	}
	return sum
}

// CacheBytes is the memory of one position's keys and values in all layers.
func (s *Spec) CacheBytes(kind compute.Kind) int64 {
	return int64(s.L) * 2 * kind.Bytes(s.K*s.HeadSize)
}
