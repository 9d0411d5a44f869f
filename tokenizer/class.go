package tokenizer

import (
	"sync"
	"unicode"
)

// class is what the split expressions tell apart.
type class uint8

const (
	other   class = iota // [^\s\p{L}\p{N}]
	letter               // \p{L}
	number               // \p{N}
	space                // \s but for the next
	newline              // [\r\n], which is also \s
)

// planeClasses holds the class of every rune below U+10000.
var planeClasses = sync.OnceValue(func() *[1 << 16]class {
	var classes [1 << 16]class
	for _, set := range []struct {
		table *unicode.RangeTable
		class class
	}{{unicode.L, letter}, {unicode.N, number}, {unicode.White_Space, space}} {
		for _, r := range set.table.R16 {
			for c := uint32(r.Lo); c <= uint32(r.Hi); c += uint32(r.Stride) {
				classes[c] = set.class
			}
		}
	}
	classes['\r'], classes['\n'] = newline, newline
	return &classes
})

func classOf(r rune) class {
	switch {
	case r < 1<<16:
		return planeClasses()[r]
	case unicode.IsLetter(r):
		return letter
	case unicode.IsNumber(r):
		return number
	}
	return other
}
