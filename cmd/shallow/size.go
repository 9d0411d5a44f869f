package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// byteSize is a number of bytes that is written as 500MB, 4GB or 4GiB.
type byteSize int64

var units = []struct {
	name  string
	bytes float64
}{
	{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40},
	{"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12}, {"B", 1},
}

// UnmarshalText reads a size.
func (b *byteSize) UnmarshalText(text []byte) error {
	number, factor := string(text), 1.0
	for _, u := range units {
		if n := len(number) - len(u.name); n > 0 && strings.EqualFold(number[n:], u.name) {
			number, factor = strings.TrimSpace(number[:n]), u.bytes
			break
		}
	}
	v, err := strconv.ParseFloat(number, 64)
	if err != nil || !(v > 0) || v*factor > math.MaxInt64/2 || v*factor < 1 {
		return fmt.Errorf("%q is no size; write 500MB or 4GB", text)
	}
	*b = byteSize(v * factor)
	return nil
}

// String writes a size with three digits.
func (b byteSize) String() string {
	return strings.TrimSpace(digits(float64(b), []string{"B", "kB", "MB", "GB", "TB"}))
}

// count writes a number of things with three digits, as "6.74 B".
func count(n int64) string {
	return strings.TrimSpace(digits(float64(n), []string{"", "k", "M", "B", "T"}))
}

func digits(v float64, units []string) string {
	i := 0
	for v >= 999.5 && i < len(units)-1 {
		v /= 1000
		i++
	}
	switch {
	case i == 0:
		return fmt.Sprintf("%.0f %s", v, units[i])
	case v < 9.995:
		return fmt.Sprintf("%.2f %s", v, units[i])
	case v < 99.95:
		return fmt.Sprintf("%.1f %s", v, units[i])
	}
	return fmt.Sprintf("%.0f %s", v, units[i])
}
