package serve

// WithLimits is the server with other limits.
func (s *Server) WithLimits(change func(*Limits)) *Server {
	change(&s.limits)
	return s
}
