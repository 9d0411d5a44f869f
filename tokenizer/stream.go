package tokenizer

import (
	"strings"
	"unicode/utf8"
)

// Stream decodes ids one at a time, as a model gives them, and never gives half a character. The pieces and the last
// [Stream.Flush] together are the text that [Tokenizer.Decode] gives for all ids.
type Stream struct {
	tokenizer *Tokenizer
	ids       []int  // those whose text is not out yet, and some before them that it depends on
	sent      string // what is out of the text of ids
}

// Stream starts a decoding that keeps special tokens; a caller that does not want them leaves their ids out (see
// [Tokenizer.Special]).
func (t *Tokenizer) Stream() *Stream { return &Stream{tokenizer: t} }

// streamWindow is how many ids are decoded again for each new one before the oldest are dropped.
const streamWindow = 16

// Add takes the next id and gives the text that is now certain: nothing while the text so far ends in U+FFFD, because
// the bytes of a character may still be coming.
func (s *Stream) Add(id int) string {
	s.ids = append(s.ids, id)
	text := s.tokenizer.Decode(s.ids, false)
	if strings.HasSuffix(text, "\ufffd") || !strings.HasPrefix(text, s.sent) {
		return ""
	}
	piece := text[len(s.sent):]
	s.sent = text
	if len(s.ids) >= streamWindow && s.tokenizer.local {
		s.forget()
	}
	return piece
}

// forget drops the ids before the last one, if that one shows that the text after it will not depend on them: it has
// to be a piece of its own, with something in it that no decoder strips from the start of a text.
func (s *Stream) forget() {
	last := s.ids[len(s.ids)-1]
	if _, ok := byteOf(s.tokenizer.piece(last)); ok {
		return
	}
	text := s.tokenizer.Decode([]int{last}, false)
	r, _ := utf8.DecodeLastRuneInString(text)
	if text == "" || r == ' ' || strings.Contains(text, "\ufffd") || !strings.HasSuffix(s.sent, text) {
		return
	}
	s.ids = append(s.ids[:0], last)
	s.sent = text
}

// Flush gives what is left after the last id, half a character as U+FFFD, and makes the stream ready for another text.
func (s *Stream) Flush() string {
	text := s.tokenizer.Decode(s.ids, false)
	rest, ok := strings.CutPrefix(text, s.sent)
	if !ok {
		rest = ""
	}
	s.ids, s.sent = s.ids[:0], ""
	return rest
}
