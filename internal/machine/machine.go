// Package machine says what the computer has.
package machine

import "math"

// Memory is how much memory this process may hope for, in bytes: the machine's, or the container's where that is less.
// It is 0 where the system does not say.
func Memory() int64 {
	total, limit := installed(), limited()
	if limit == 0 || total == 0 {
		return max(total, limit)
	}
	return min(total, limit)
}

// clamp makes an int64 of a size.
func clamp(n uint64) int64 { return int64(min(n, math.MaxInt64)) }
