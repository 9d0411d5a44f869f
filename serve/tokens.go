package serve

import (
	"math"
	"net/http"
)

// tokenized is the reply of /tokenize.
type tokenized struct {
	Count  int      `json:"count"`
	Length int      `json:"max_model_len"`
	Tokens []int    `json:"tokens"`
	Names  []string `json:"token_strs"`
}

// tokenize gives the ids of a text, or of a conversation in the chat template.
func (s *Server) tokenize(w http.ResponseWriter, r *http.Request) error {
	f, p := s.readFields(w, r)
	if p != nil {
		return p
	}
	f.text("model")
	names := f.flag("return_token_strs", false)
	ids, p := s.readTokenize(f)
	if p == nil {
		p = f.done()
	}
	if p != nil {
		return p
	}
	reply := tokenized{Count: len(ids), Length: s.engine.Length(), Tokens: ids}
	if reply.Tokens == nil {
		reply.Tokens = []int{}
	}
	if names {
		reply.Names = make([]string, len(ids))
		for i, id := range ids {
			reply.Names[i] = tokenName(s.model.Tokenizer, id)
		}
	}
	s.reply(w, reply)
	return nil
}

func (s *Server) readTokenize(f *fields) ([]int, *problem) {
	if _, ok := f.raw["messages"]; ok {
		special := f.flag("add_special_tokens", false)
		text, p := s.readConversation(f)
		if p != nil {
			return nil, p
		}
		return s.encodeText("messages", text, special)
	}
	special := f.flag("add_special_tokens", true)
	v, ok := f.take("prompt")
	if f.problem != nil {
		return nil, f.problem
	}
	if !ok {
		return nil, refuse("prompt", "is missing: the text to tokenize")
	}
	return s.encode("prompt", v, special)
}

// detokenize gives the text of ids, special tokens shown.
func (s *Server) detokenize(w http.ResponseWriter, r *http.Request) error {
	f, p := s.readFields(w, r)
	if p != nil {
		return p
	}
	f.text("model")
	_, given := f.raw["tokens"]
	ids := s.readIDs(f, "tokens", math.MaxInt)
	if p := f.done(); p != nil {
		return p
	}
	if !given {
		return refuse("tokens", "are missing: a list of token ids")
	}
	s.reply(w, map[string]string{"prompt": s.model.Tokenizer.Decode(ids, false)})
	return nil
}

// tokenizerInfo says which tokens have a meaning, and the chat template.
func (s *Server) tokenizerInfo(w http.ResponseWriter, _ *http.Request) error {
	s.reply(w, s.model.Info)
	return nil
}

// modelEntry is a model in the list of models.
type modelEntry struct {
	ID      string `json:"id"`
	Object  string `json:"object"`
	Created int64  `json:"created"`
	OwnedBy string `json:"owned_by"`
	Length  int    `json:"max_model_len"`
}

func (s *Server) entry() modelEntry {
	return modelEntry{s.model.Name, "model", s.started.Unix(), "shallow", s.engine.Length()}
}

func (s *Server) models(w http.ResponseWriter, _ *http.Request) error {
	s.reply(w, struct {
		Object string       `json:"object"`
		Data   []modelEntry `json:"data"`
	}{"list", []modelEntry{s.entry()}})
	return nil
}

func (s *Server) oneModel(w http.ResponseWriter, id string) error {
	if id != s.model.Name {
		return notFound("model_not_found", "there is no model %q; this server has %q", brief([]byte(id)), s.model.Name)
	}
	s.reply(w, s.entry())
	return nil
}

// health says whether new requests are taken.
func (s *Server) health(w http.ResponseWriter, _ *http.Request) error {
	if s.draining.Load() {
		return errDraining
	}
	s.reply(w, map[string]string{"status": "ok"})
	return nil
}
