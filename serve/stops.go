package serve

import (
	"strings"
)

// stopper looks for stop strings in a text that comes in pieces, and gives out no character that could belong to one.
type stopper struct {
	stops []string
	held  string // the end of the text that is not out yet
}

// add takes the next piece and gives what is certain to stand before every stop string; stopped is true once there is one.
func (s *stopper) add(piece string) (out string, stopped bool) {
	s.held += piece
	if at := s.find(); at >= 0 {
		out, s.held = s.held[:at], ""
		return out, true
	}
	keep := s.begun()
	out, s.held = s.held[:len(s.held)-keep], s.held[len(s.held)-keep:]
	return out, false
}

// flush gives what was held at the end of the text.
func (s *stopper) flush() string {
	out := s.held
	s.held = ""
	return out
}

// find is where the first stop string stands in held, or -1.
func (s *stopper) find() int {
	first := -1
	for _, stop := range s.stops {
		if at := strings.Index(s.held, stop); at >= 0 && (first < 0 || at < first) {
			first = at
		}
	}
	return first
}

// begun is the length of the longest end of held that a stop string begins with.
func (s *stopper) begun() int {
	longest := 0
	for _, stop := range s.stops {
		for n := min(len(stop)-1, len(s.held)); n > longest; n-- {
			if strings.HasSuffix(s.held, stop[:n]) {
				longest = n
				break
			}
		}
	}
	return longest
}
