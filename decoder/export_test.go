package decoder

import "fmt"

// CheckPages counts the pages of a session anew.
func (n *Session) CheckPages() error {
	users := make([]int32, len(n.pages.users))
	for i, q := range n.open {
		if !q.open && len(q.pages) > 0 {
			return fmt.Errorf("sequence %d is shut and has pages", i)
		}
		if len(q.pages) != pagesFor(q.length) {
			return fmt.Errorf("sequence %d has %d pages for %d tokens", i, len(q.pages), q.length)
		}
		for _, p := range q.pages {
			users[p]++
		}
	}
	free := make([]bool, len(users))
	for _, p := range n.pages.free {
		if free[p] {
			return fmt.Errorf("page %d is free twice", p)
		}
		free[p] = true
	}
	for p, want := range users {
		if n.pages.users[p] != want || free[p] != (want == 0) {
			return fmt.Errorf("page %d has %d users, counted as %d, free: %v", p, want, n.pages.users[p], free[p])
		}
	}
	return nil
}
