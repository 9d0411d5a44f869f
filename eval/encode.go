package eval

import (
	"errors"
	"fmt"
	"strings"
	"unicode"

	"shallow/checkpoint"
	"shallow/score"
	"shallow/tokenizer"
)

// encoder turns texts into token ids as lm-evaluation-harness does for models of transformers (its class HFLM), so that the
// very same ids are scored.
type encoder struct {
	tokenizer *tokenizer.Tokenizer
	prefix    int    // what a text without context is conditioned on: BOS, or EOS where there is none
	prefixed  string // its text: a text that begins with it gets no special tokens
	length    int    // tokens that the model takes

	// The last context, which the choices of a question share.
	context    string
	contextIDs []int
}

func newEncoder(t *tokenizer.Tokenizer, config *checkpoint.Config, length int) (*encoder, error) {
	e := &encoder{tokenizer: t, length: length}
	var ok bool
	if e.prefix, ok = t.BOS(); !ok {
		e.prefix, ok = t.EOS()
	}
	for _, key := range []string{"bos_token_id", "eos_token_id"} {
		if c := config.Decoder(); !ok && c.KindOf(key) == checkpoint.Number {
			e.prefix, ok = c.Int(key, 0), true
		}
	}
	if !ok {
		return nil, errors.New("eval: neither tokenizer_config.json nor config.json names a beginning- or end-of-sequence token, which texts without context stand behind")
	}
	e.prefixed = t.Decode([]int{e.prefix}, false)
	return e, nil
}

// ids are those of a text, with the special tokens that the tokenizer puts around it.
func (e *encoder) ids(text string) []int {
	return e.tokenizer.Encode(text, e.prefixed == "" || !strings.HasPrefix(text, e.prefixed))
}

// pair is a continuation behind a context. Blanks at the context's end belong to the continuation, so that words are not
// torn apart; a text without context stands behind the prefix. Ids that do not fit are cut off on the left.
func (e *encoder) pair(context, continuation string) (score.Request, error) {
	var r score.Request
	if context == "" {
		r = score.Request{Context: []int{e.prefix}, Continuation: e.tokenizer.Encode(continuation, false)}
		if len(r.Continuation) > 0 && r.Continuation[0] == e.prefix {
			r.Continuation = r.Continuation[1:]
		}
	} else {
		cut := strings.TrimRightFunc(context, isSpace)
		whole := e.ids(context + continuation)
		r.Context = e.contextOf(cut)
		if len(r.Context) < len(whole) {
			r.Continuation = whole[len(r.Context):]
		}
	}
	if err := e.tokenizer.Err(); err != nil {
		return r, err
	}
	if len(r.Continuation) == 0 {
		return r, fmt.Errorf("the continuation %.40q adds no token to its context", continuation)
	}
	return e.fit(r), nil
}

// contextOf is ids, kept for the next call with the same text.
func (e *encoder) contextOf(text string) []int {
	if e.contextIDs == nil || e.context != text {
		e.context, e.contextIDs = text, e.ids(text)
	}
	return e.contextIDs
}

// fit cuts a request on the left to as many tokens as the model takes, and the one that is only predicted.
func (e *encoder) fit(r score.Request) score.Request {
	over := len(r.Context) + len(r.Continuation) - (e.length + 1)
	if over <= 0 {
		return r
	}
	if over < len(r.Context) {
		r.Context = r.Context[over:]
		return r
	}
	// Even the continuation is too long: what is left of it is scored behind its own first token.
	rest := r.Continuation[over-len(r.Context):]
	return score.Request{Context: rest[:1], Continuation: rest[1:]}
}

// rolling is a whole text in windows of the model's length that do not overlap. Each stands behind one token, the first
// behind the prefix; the last one is filled up with what comes before it.
func (e *encoder) rolling(text string) (windows []score.Request, err error) {
	ids := e.ids(text)
	if err := e.tokenizer.Err(); err != nil {
		return nil, err
	}
	if len(ids) == 0 {
		return nil, nil
	}
	first := min(e.length, len(ids))
	windows = append(windows, score.Request{Context: []int{e.prefix}, Continuation: ids[:first]})
	for done := first; done < len(ids); {
		n := min(len(ids)-done, e.length)
		end := done + n
		windows = append(windows, score.Request{Context: ids[end-e.length-1 : done], Continuation: ids[done:end]})
		done = end
	}
	return windows, nil
}

// tokens is a text as the paper scores it: cut on the right to the model's length, every token but the first predicted.
func (e *encoder) tokens(text string) (score.Request, error) {
	ids := e.tokenizer.Encode(text, true)
	if err := e.tokenizer.Err(); err != nil {
		return score.Request{}, err
	}
	ids = ids[:min(len(ids), e.length)]
	if len(ids) < 2 {
		return score.Request{}, nil
	}
	return score.Request{Context: ids[:1], Continuation: ids[1:]}, nil
}

// answer is the id that stands for an answer in the paper's protocols: the last one of its text alone.
func (e *encoder) answer(text string) (int, error) {
	ids := e.tokenizer.Encode(text, true)
	if err := e.tokenizer.Err(); err != nil {
		return 0, err
	}
	if len(ids) == 0 {
		return 0, fmt.Errorf("the answer %q has no token", text)
	}
	return ids[len(ids)-1], nil
}

// prompt is what a generation of up to most tokens goes on from: the last ids that leave room for it.
func (e *encoder) prompt(text string, most int) ([]int, error) {
	room := e.length - most
	if room <= 0 {
		return nil, fmt.Errorf("%d tokens to generate leave no room for a prompt in the model's %d", most, e.length)
	}
	ids := e.ids(text)
	if err := e.tokenizer.Err(); err != nil {
		return nil, err
	}
	if len(ids) == 0 {
		ids = []int{e.prefix}
	}
	return ids[max(0, len(ids)-room):], nil
}

// isSpace is Python's str.isspace for one character.
func isSpace(r rune) bool { return unicode.IsSpace(r) || r >= 0x1c && r <= 0x1f }
