package score

import "cmp"

// fed is how many tokens go through the model: the last one is only predicted.
func (r *Request) fed() int { return len(r.Context) + len(r.Continuation) - 1 }

// at is the token at a place, counted through context and continuation.
func (r *Request) at(place int) int {
	if place < len(r.Context) {
		return r.Context[place]
	}
	return r.Continuation[place-len(r.Context)]
}

// compare orders requests by the tokens that are fed, so that those with a common beginning stand together.
func compare(a, b *Request) int {
	if n := shared(a, b); n < min(a.fed(), b.fed()) {
		return cmp.Compare(a.at(n), b.at(n))
	}
	return cmp.Compare(a.fed(), b.fed())
}

// shared is how many of the tokens that are fed two requests have in common at their beginning.
func shared(a, b *Request) int {
	n := 0
	if c := min(len(a.Context), len(b.Context)); &a.Context[0] == &b.Context[0] {
		n = c // one slice, or parts of it
	} else {
		for n < c && a.Context[n] == b.Context[n] {
			n++
		}
		if n < c {
			return min(n, a.fed(), b.fed())
		}
	}
	most := min(a.fed(), b.fed())
	for n < most && a.at(n) == b.at(n) {
		n++
	}
	return min(n, most)
}
