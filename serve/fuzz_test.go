package serve_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"shallow/serve"
)

// bodies are what the fuzzers start from.
var bodies = []string{
	`{}`, `null`, `[`, `{"prompt":"a"}`, `{"prompt":[1,2,3],"max_tokens":2,"logprobs":1,"echo":true}`, `{"prompt":[[1],[2]],"n":2}`,
	`{"prompt":["a","b"],"stream":true,"stream_options":{"include_usage":true}}`, `{"prompt":"a","stop":["x","\ud800"],"seed":-9223372036854775808}`,
	`{"prompt":"a","temperature":1e-320,"top_p":1e-320,"top_k":1}`, `{"prompt":"\u0000\ud800","max_tokens":1e1}`, `{"prompt":{"a":[[[[[]]]]]}}`,
	`{"prompt":"a","max_tokens":9223372036854775807}`, `{"prompt":"a","logit_bias":{}}`, `{"prompt":[null]}`, `{"prompt":[1e400]}`,
	`{"messages":[{"role":"user","content":"a"}],"max_tokens":3}`, `{"messages":[{"role":"user","content":[{"type":"text","text":"a"}]}],"stream":true,"max_tokens":1}`,
	`{"messages":[{"role":"assistant","content":null,"tool_calls":[{"id":1}]}],"logprobs":true,"top_logprobs":3,"max_tokens":2}`,
	`{"messages":[{"role":"user"}],"tools":[{}],"chat_template_kwargs":{"bos_token":[],"messages":5},"documents":[],"max_tokens":1}`,
	`{"tokens":[1,2]}`, `{"prompt":"a","add_special_tokens":true,"return_token_strs":true}`,
}

// FuzzCompletions sends any body to every path that reads one: the answer is one that the client can make sense of, and never
// that the server is at fault.
func FuzzCompletions(f *testing.F) {
	server, engine := newReal(f, chatModel(f, template), 2)
	server = server.WithLimits(func(l *serve.Limits) { l.Body, l.Sequences = 1<<14, 2 })
	paths := []string{"/v1/completions", "/v1/chat/completions", "/tokenize", "/detokenize"}
	for _, body := range bodies {
		for i := range paths {
			f.Add(uint8(i), []byte(body))
		}
	}
	f.Fuzz(func(t *testing.T, path uint8, body []byte) {
		text := string(body)
		w := httptest.NewRecorder()
		r := httptest.NewRequest("POST", paths[int(path)%len(paths)], strings.NewReader(text))
		server.ServeHTTP(w, r)
		switch {
		case w.Code >= http.StatusInternalServerError:
			t.Fatalf("%d: %s", w.Code, w.Body)
		case strings.HasPrefix(w.Header().Get("Content-Type"), "text/event-stream"):
			readEvents(t, w.Body.String())
		case !json.Valid(w.Body.Bytes()):
			t.Fatalf("no JSON: %s", w.Body)
		}
		if s := engine.Stats(); s.Running > 0 && s.Waiting > 0 {
			t.Fatalf("%+v", s)
		}
	})
}
