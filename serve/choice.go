package serve

import (
	"strconv"
	"unicode/utf8"

	"shallow/generate"
	"shallow/tokenizer"
)

// choice is one sequence of a request on its way from tokens to text.
type choice struct {
	index     int
	request   generate.Request
	echo      bool
	tokenizer *tokenizer.Tokenizer
	stream    *tokenizer.Stream
	stops     stopper
	chars     int // characters of the text so far, those held back included
	generated int // tokens
	finish    string
}

// delta is what a choice has more after a token.
type delta struct {
	index  int
	text   string
	scored []scored
	finish string // why the choice has ended: stop or length; empty where it has not
}

// scored is a token whose log-probability is wanted, and where it starts in the text, in characters.
type scored struct {
	generate.Token
	offset int
}

func (s *Server) newChoice(index int, r generate.Request, c settings) *choice {
	t := s.model.Tokenizer
	return &choice{index: index, request: r, echo: c.echo, tokenizer: t, stream: t.Stream(), stops: stopper{stops: c.stops}}
}

// begin is what there is before the engine has done anything: an echoed prompt that is not scored.
func (c *choice) begin() delta {
	d := delta{index: c.index}
	if c.echo && !c.request.PromptLogProbs {
		for _, id := range c.request.Prompt {
			d.text += c.add(generate.Token{ID: id, Prompt: true}).text
		}
	}
	return d
}

// add takes the next token.
func (c *choice) add(t generate.Token) delta {
	d := delta{index: c.index}
	if c.request.PromptLogProbs && t.Prompt || c.request.LogProbs && !t.Prompt {
		d.scored = []scored{{t, c.chars}}
	}
	piece := c.decode(t)
	c.chars += utf8.RuneCountInString(piece)
	if t.Prompt {
		d.text = piece // as it is: a stop string may stand in it
		return d
	}
	c.generated++
	var stopped bool
	d.text, stopped = c.stops.add(piece)
	switch {
	case stopped:
		c.finish = "stop"
	case t.End:
		d.text += c.rest()
		c.finish = "stop"
	case c.generated == c.request.MaxTokens:
		d.text += c.rest()
		c.finish = "length"
	}
	d.finish = c.finish
	return d
}

// end is what is left when the engine has nothing more to give.
func (c *choice) end() delta {
	d := delta{index: c.index}
	if c.finish == "" { // no tokens were asked for
		d.text, c.finish = c.rest(), "length"
		d.finish = c.finish
	}
	return d
}

// decode is the text that a token adds for certain. An echoed text shows every token, as its positions are counted by; a
// generated one alone shows no special tokens and no end.
func (c *choice) decode(t generate.Token) string {
	if !c.echo && (t.End || c.tokenizer.Special(t.ID)) {
		return ""
	}
	return c.stream.Add(t.ID)
}

// rest is the text that was held back when the tokens are at their end.
func (c *choice) rest() string {
	out, stopped := c.stops.add(c.stream.Flush())
	if !stopped {
		out += c.stops.flush()
	} else {
		c.finish = "stop"
	}
	return out
}

// tokenName is a token as the vocabulary writes it. (Their texts would not do: two tokens can have the same.)
func tokenName(t *tokenizer.Tokenizer, id int) string {
	if name := t.Piece(id); name != "" {
		return name
	}
	return "token_id:" + strconv.Itoa(id)
}
