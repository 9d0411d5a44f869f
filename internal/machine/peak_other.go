//go:build !linux

package machine

// Peak is the most memory that this process has had at once; 0: it is not known there.
func Peak() int64 { return 0 }
