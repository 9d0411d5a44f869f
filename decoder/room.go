package decoder

// CacheBytes is the memory of the keys and values of so many tokens of one sequence, in all layers of the stack.
func (s *Stack) CacheBytes(tokens int) int64 {
	m := s.model
	return int64(len(s.layers)) * m.Device.CacheBytes(m.cacheKind, pagesFor(tokens), m.Spec.K, m.Spec.HeadSize)
}
