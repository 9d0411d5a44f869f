package tokenizer

import "unicode/utf8"

// The expressions that most published byte-level tokenizers split by. Each has a hand-written form below, which gives
// the same matches some thirty times faster; any other expression runs on a general engine.
const (
	splitGPT2   = `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`
	splitLlama3 = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
	splitQwen2  = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
)

var knownSplitters = map[string]splitter{
	splitGPT2:   nextGPT2,
	splitLlama3: func(s string, at int) int { return nextLlama3(s, at, 3) },
	splitQwen2:  func(s string, at int) int { return nextLlama3(s, at, 1) },
}

// look is the class and the length of the rune at s[at:]; length 0 at the end.
func look(s string, at int) (class, int) {
	if at >= len(s) {
		return other, 0
	}
	if c := s[at]; c < utf8.RuneSelf {
		return planeClasses()[c], 1
	}
	r, n := utf8.DecodeRuneInString(s[at:])
	return classOf(r), n
}

// run is the end of the runes of class want that start at s[at:], at most most of them.
func run(s string, at int, want class, most int) int {
	classes := planeClasses()
	for ; most > 0 && at < len(s); most-- {
		if c := s[at]; c < utf8.RuneSelf {
			if classes[c] != want {
				break
			}
			at++
			continue
		}
		r, n := utf8.DecodeRuneInString(s[at:])
		if classOf(r) != want {
			break
		}
		at += n
	}
	return at
}

const unbounded = int(^uint(0) >> 1)

// nextGPT2 is the end of splitGPT2's match at s[at:].
func nextGPT2(s string, at int) int {
	if s[at] == '\'' {
		if n := contraction(s[at+1:]); n > 0 {
			return at + 1 + n
		}
	}
	kind, n := look(s, at)
	if s[at] == ' ' { // " ?" belongs to the word, the number or the signs that follow
		if k, m := look(s, at+1); m > 0 && k != space && k != newline {
			return run(s, at+1+m, k, unbounded)
		}
	}
	if kind != space && kind != newline {
		return run(s, at+n, kind, unbounded)
	}
	end, last := blanks(s, at)
	return beforeWord(s, at, end, last)
}

// nextLlama3 is the end of splitLlama3's match at s[at:], or of splitQwen2's where a number has one digit.
func nextLlama3(s string, at, digits int) int {
	if s[at] == '\'' {
		if n := contractionFolded(s[at+1:]); n > 0 {
			return at + 1 + n
		}
	}
	kind, n := look(s, at)
	switch kind {
	case letter:
		return run(s, at+n, letter, unbounded)
	case number:
		return run(s, at+n, number, digits-1)
	case space, other:
		if k, m := look(s, at+n); m > 0 && k == letter { // one sign or blank belongs to the word that follows
			return run(s, at+n+m, letter, unbounded)
		}
	}
	if kind == other {
		return run(s, run(s, at+n, other, unbounded), newline, unbounded)
	}
	if s[at] == ' ' {
		if k, m := look(s, at+1); m > 0 && k == other {
			return run(s, run(s, at+1+m, other, unbounded), newline, unbounded)
		}
	}
	end, last := blanks(s, at)
	for i := end - 1; i >= at; i-- { // \s*[\r\n]+ reaches to the last line end of the run
		if s[i] == '\n' || s[i] == '\r' {
			return i + 1
		}
	}
	return beforeWord(s, at, end, last)
}

// blanks is the end of the run of \s at s[at:] and where its last rune starts.
func blanks(s string, at int) (end, last int) {
	end, last = at, at
	for {
		k, n := look(s, end)
		if n == 0 || k != space && k != newline {
			return end, last
		}
		last = end
		end += n
	}
}

// beforeWord is \s+(?!\S)|\s+ on the run s[at:end]: before a word its last blank is left for the word, unless it is
// the only one.
func beforeWord(s string, at, end, last int) int {
	if end == len(s) || last == at {
		return end
	}
	return last
}

// contraction is the length of s, t, re, ve, m, ll or d at the start of s, or 0.
func contraction(s string) int {
	if s == "" {
		return 0
	}
	switch s[0] {
	case 's', 't', 'm', 'd':
		return 1
	case 'r', 'v':
		if len(s) > 1 && s[1] == 'e' {
			return 2
		}
	case 'l':
		if len(s) > 1 && s[1] == 'l' {
			return 2
		}
	}
	return 0
}

// contractionFolded is contraction for (?i:…), in which the long s (U+017F) is an s too.
func contractionFolded(s string) int {
	const longS = "\u017f"
	if len(s) >= len(longS) && s[:len(longS)] == longS {
		return len(longS)
	}
	var lower [2]byte
	n := copy(lower[:], s)
	for i := range n {
		if 'A' <= lower[i] && lower[i] <= 'Z' {
			lower[i] += 'a' - 'A'
		}
	}
	return contraction(string(lower[:n]))
}
