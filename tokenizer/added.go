package tokenizer

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// addedToken is an entry of "added_tokens": a text that is one id wherever it stands.
type addedToken struct {
	ID         int    `json:"id"`
	Content    string `json:"content"`
	SingleWord bool   `json:"single_word"` // only where no letter, digit or mark is beside it
	LStrip     bool   `json:"lstrip"`      // takes the blanks before it
	RStrip     bool   `json:"rstrip"`      // takes the blanks after it
	Normalized bool   `json:"normalized"`  // searched in the normalized text, in its own normalized form
	Special    bool   `json:"special"`     // left out by Decode if asked
}

// maxAdded bounds the length of an added token, and so the time that a search for all of them takes at one place.
const maxAdded = 1024

// addedTokens finds added tokens in a text: at each place the longest.
type addedTokens struct {
	tokens []addedToken
	trie   trie
	total  int // bytes of all
}

func (a *addedTokens) add(content string, token addedToken) error {
	if content == "" {
		return nil // the normalizer left nothing of it
	}
	if len(content) > maxAdded {
		return fmt.Errorf("added token %d is %d bytes long; the limit is %d", token.ID, len(content), maxAdded)
	}
	if a.total += len(content); a.total > maxTrie {
		return fmt.Errorf("added tokens have more than %d bytes together", maxTrie)
	}
	if _, n, ok := a.trie.longest(content); ok && n == len(content) {
		return nil // the normalizer made two tokens one; the first is found
	}
	a.trie.add(content, int32(len(a.tokens)))
	a.tokens = append(a.tokens, token)
	return nil
}

// split visits the stretches of s in order: text with id -1, or an added token with its id.
func (a *addedTokens) split(s string, visit func(text string, id, start int)) {
	done := 0
	blanks := 0 // the end of the blanks that an rstrip token was found to take
	for at := 0; at < len(s); {
		if a.trie.root[s[at]] == 0 {
			at++
			continue
		}
		i, n, ok := a.trie.longest(s[at:])
		if !ok {
			at++
			continue
		}
		token := &a.tokens[i]
		start, end := at, at+n
		at = end
		if token.SingleWord && (endsWithWord(s[:start]) || startsWithWord(s[end:])) {
			continue
		}
		if token.LStrip {
			start = done + len(strings.TrimRightFunc(s[min(done, start):start], unicode.IsSpace))
		}
		if token.RStrip {
			if end > blanks {
				blanks = len(s) - len(strings.TrimLeftFunc(s[end:], unicode.IsSpace))
			}
			end = blanks
		}
		if done < start {
			visit(s[done:start], -1, done)
		}
		if start < end { // else an earlier token took its blanks
			visit(s[start:end], token.ID, start)
		}
		done = max(done, end)
	}
	if done < len(s) {
		visit(s[done:], -1, done)
	}
}

func endsWithWord(s string) bool {
	r, n := utf8.DecodeLastRuneInString(s)
	return n > 0 && isWord(r)
}

func startsWithWord(s string) bool {
	r, n := utf8.DecodeRuneInString(s)
	return n > 0 && isWord(r)
}

// isWord is \w of Unicode's regular expressions (UTS #18, annex C).
func isWord(r rune) bool {
	return unicode.In(r, unicode.L, unicode.M, unicode.Nd, unicode.Nl, unicode.Pc, unicode.Other_Alphabetic, unicode.Join_Control)
}
