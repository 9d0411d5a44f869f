//go:build !linux && !darwin && !windows

package machine

func installed() int64 { return 0 }

func limited() int64 { return 0 }
