package serve

import (
	"bytes"
	"encoding/json"
	"math"
	"math/rand/v2"

	"shallow/generate"
	"shallow/internal/sampling"
)

// settings are what both kinds of completions can ask for.
type settings struct {
	maxTokens    int // -1: as many as there is room for
	n            int
	sampling     sampling.Options
	stops        []string
	ends         []int
	scored       bool
	top          int
	echo         bool
	stream       bool
	includeUsage bool
}

const maxTemperature = 100

// readSettings takes the fields that both kinds have. ends are the tokens that end a text if the request does not say otherwise.
func (s *Server) readSettings(f *fields, ends []int) settings {
	c := settings{ends: ends}
	c.n = f.integer("n", 1, 1, s.limits.Sequences)
	c.sampling.Temperature = f.number("temperature", 1, 0, maxTemperature)
	c.sampling.TopP = f.number("top_p", 1, 0, 1)
	if c.sampling.TopP == 0 {
		c.sampling.TopP = math.SmallestNonzeroFloat64 // the likeliest token alone; the sampler's 0 would be all
	}
	c.sampling.TopK = max(f.integer("top_k", 0, -1, math.MaxInt32), 0)
	if _, given := f.raw["seed"]; given {
		c.sampling.Seed = uint64(f.integer("seed", 0, math.MinInt, math.MaxInt))
	} else {
		c.sampling.Seed = rand.Uint64()
	}
	c.stops = s.readStops(f)
	if f.flag("ignore_eos", false) {
		c.ends = nil
	}
	c.ends = append(append([]int{}, c.ends...), s.readIDs(f, "stop_token_ids", s.limits.Stops)...)
	c.stream = f.flag("stream", false)
	c.includeUsage = readStreamOptions(f, c.stream)

	f.neutral("0", "presence_penalty", "frequency_penalty", "min_p", "min_tokens")
	f.neutral("1", "repetition_penalty", "length_penalty")
	f.neutral("{}", "logit_bias")
	f.neutral("false", "use_beam_search", "include_stop_str_in_output", "early_stopping")
	f.neutral("true", "skip_special_tokens", "spaces_between_special_tokens")
	f.neutral(`{"type":"text"}`, "response_format")
	f.ignore("user", "metadata", "store", "service_tier", "safety_identifier", "prompt_cache_key", "request_id")
	// Clients send names of their own choice here; there is one model, and the reply says which.
	f.text("model")
	return c
}

// readStops takes the stop strings: one, or a list of them.
func (s *Server) readStops(f *fields) []string {
	v, ok := f.take("stop")
	if !ok {
		return nil
	}
	var stops []string
	if v[0] == '"' {
		stops = []string{""}
		if err := json.Unmarshal(v, &stops[0]); err != nil {
			f.refuse("stop", "%v", err)
		}
	} else if err := json.Unmarshal(v, &stops); err != nil {
		f.refuse("stop", "%s is neither a string nor a list of strings", brief(v))
		return nil
	}
	if len(stops) > s.limits.Stops {
		f.refuse("stop", "%d strings, at most %d are allowed", len(stops), s.limits.Stops)
	}
	for _, stop := range stops {
		if stop == "" || len(stop) > s.limits.StopBytes {
			f.refuse("stop", "a string of %d bytes, expected 1 to %d", len(stop), s.limits.StopBytes)
		}
	}
	return stops
}

// readIDs takes a list of token ids.
func (s *Server) readIDs(f *fields, name string, most int) []int {
	v, ok := f.take(name)
	if !ok {
		return nil
	}
	ids, p := s.ids(name, v)
	if p == nil && len(ids) > most {
		p = refuse(name, "%d ids, at most %d are allowed", len(ids), most)
	}
	if p != nil && f.problem == nil {
		f.problem = p
	}
	return ids
}

// ids reads token ids that the model has.
func (s *Server) ids(name string, v json.RawMessage) ([]int, *problem) {
	var ids []int
	if err := json.Unmarshal(v, &ids); err != nil {
		return nil, refuse(name, "%s is no list of token ids", brief(v))
	}
	if bytes.Contains(v, []byte("null")) { // which Go would read as 0
		return nil, refuse(name, "null is no token id")
	}
	for i, id := range ids {
		if id < 0 || id >= s.model.Vocabulary {
			return nil, refuse(name, "id %d at position %d is outside the vocabulary of %d", id, i, s.model.Vocabulary)
		}
	}
	return ids, nil
}

func readStreamOptions(f *fields, stream bool) bool {
	v, ok := f.take("stream_options")
	if !ok {
		return false
	}
	o := &fields{}
	if err := json.Unmarshal(v, &o.raw); err != nil || o.raw == nil {
		f.refuse("stream_options", "%s is no object", brief(v))
		return false
	}
	if !stream {
		f.refuse("stream_options", "only with stream")
	}
	usage := o.flag("include_usage", false)
	o.neutral("false", "continuous_usage_stats")
	o.ignore("include_obfuscation")
	if p := o.done(); p != nil && f.problem == nil {
		p.message, p.param = "stream_options: "+p.message, "stream_options"
		f.problem = p
	}
	return usage
}

// requests are the sequences of a request: n for each prompt, the i-th with the seed plus i.
func (s *Server) requests(prompts [][]int, c settings) ([]generate.Request, *problem) {
	if len(prompts)*c.n > s.limits.Sequences {
		return nil, refuse("n", "%d prompts times n %d are more than %d sequences: send fewer at once", len(prompts), c.n, s.limits.Sequences)
	}
	var requests []generate.Request
	scores := 0
	for at, prompt := range prompts {
		room := s.engine.Length() + 1 - len(prompt) // the last token needs no place, it is only predicted
		most := c.maxTokens
		if most < 0 {
			most = max(room, 1)
		}
		if room < max(most, 1) {
			p := refuse("prompt", "prompt %d has %d tokens and %d are to be generated, and there is room for %d: shorten it, or lower max_tokens",
				at, len(prompt), most, s.engine.Length())
			p.code = "context_length_exceeded"
			return nil, p
		}
		r := generate.Request{Prompt: prompt, MaxTokens: most, Ends: c.ends, Options: c.sampling,
			LogProbs: c.scored, PromptLogProbs: c.scored && c.echo, Top: max(c.top, 0)}
		if r.LogProbs {
			scores += c.n * most * (1 + r.Top)
		}
		if r.PromptLogProbs {
			scores += c.n * len(prompt) * (1 + r.Top)
		}
		if scores > s.limits.Scores {
			return nil, refuse("logprobs", "up to %d log-probabilities and more, at most %d are allowed at once: send fewer prompts, or ask for fewer", scores, s.limits.Scores)
		}
		if r.MaxTokens > 0 || r.PromptLogProbs {
			if err := s.engine.Check(r); err != nil {
				return nil, refuse("", "%v", err)
			}
		}
		for range c.n {
			requests = append(requests, r)
			r.Seed++
		}
	}
	return requests, nil
}
