package serve_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"shallow/serve"
)

// ask sends one request to a handler.
func ask(h http.Handler, method, path, body string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(method, path, strings.NewReader(body)))
	return w
}

// errorBody is an error as OpenAI's clients read it.
type errorBody struct {
	Error struct {
		Message, Type string
		Param, Code   *string
	}
}

// TestRefuses sends what must be answered with a reason, and with the field at fault where there is one.
func TestRefuses(t *testing.T) {
	s := newFake(t, &fakeEngine{}, func(o *serve.Options) { o.Body, o.Sequences, o.Scores = 2000, 8, 1000 })
	const completions, chat = "/v1/completions", "/v1/chat/completions"
	for _, c := range []struct {
		path, body string
		status     int
		param      string
		message    string
	}{
		{completions, ``, 400, "", "no JSON object"},
		{completions, `{`, 400, "", "no JSON object"},
		{completions, `[]`, 400, "", "no JSON object"},
		{completions, `null`, 400, "", "null"},
		{completions, `{"prompt":"a","temperature":NaN}`, 400, "", "no JSON object"},
		{completions, `{}`, 400, "prompt", "is missing"},
		{completions, `{"prompt":null}`, 400, "prompt", "is missing"},
		{completions, `{"prompt":5}`, 400, "prompt", "neither a text nor a list"},
		{completions, `{"prompt":{}}`, 400, "prompt", "neither a text nor a list"},
		{completions, `{"prompt":[]}`, 400, "prompt", "neither a text nor a list"},
		{completions, `{"prompt":[[]]}`, 400, "prompt", "prompt 0 is empty"},
		{completions, `{"prompt":["a",[1]]}`, 200, "", ""},
		{completions, `{"prompt":["a",1]}`, 400, "prompt", "no list of token ids"},
		{completions, `{"prompt":[1,"a"]}`, 400, "prompt", "no list of token ids"},
		{completions, `{"prompt":[1,null]}`, 400, "prompt", "null is no token id"},
		{completions, `{"prompt":[1.5]}`, 400, "prompt", "no list of token ids"},
		{completions, `{"prompt":[37]}`, 400, "prompt", "id 37 at position 0 is outside the vocabulary of 37"},
		{completions, `{"prompt":[-1]}`, 400, "prompt", "outside the vocabulary"},
		{completions, `{"prompt":[99999999999999999999]}`, 400, "prompt", "no list of token ids"},
		{completions, `{"prompt":["a","a","a","a","a","a","a","a","a"]}`, 400, "prompt", "9 prompts, at most 8"},
		{completions, `{"prompt":["a","a","a"],"n":3}`, 400, "n", "3 prompts times n 3"},
		{completions, `{"prompt":"a","n":0}`, 400, "n", "not between"},
		{completions, `{"prompt":"a","n":2.5}`, 400, "n", "no whole number"},
		{completions, `{"prompt":"a","max_tokens":0}`, 400, "max_tokens", "not between 1"},
		{completions, `{"prompt":"a","max_tokens":-1}`, 400, "max_tokens", "not between"},
		{completions, `{"prompt":"a","max_tokens":"5"}`, 400, "max_tokens", "no whole number"},
		{completions, `{"prompt":"a","max_tokens":1e99}`, 400, "max_tokens", "no whole number"},
		{completions, `{"prompt":"a","max_tokens":65}`, 400, "", ""},
		{completions, `{"prompt":"ab","max_tokens":64}`, 400, "prompt", "room for 64"},
		{completions, `{"prompt":"a","temperature":-1}`, 400, "temperature", "not between"},
		{completions, `{"prompt":"a","temperature":"hot"}`, 400, "temperature", "no number"},
		{completions, `{"prompt":"a","temperature":1e999}`, 400, "temperature", "no number"},
		{completions, `{"prompt":"a","top_p":1.5}`, 400, "top_p", "not between"},
		{completions, `{"prompt":"a","top_k":-2}`, 400, "top_k", "not between"},
		{completions, `{"prompt":"a","seed":"x"}`, 400, "seed", "no whole number"},
		{completions, `{"prompt":"a","stop":5}`, 400, "stop", "neither a string nor a list"},
		{completions, `{"prompt":"a","stop":[""]}`, 400, "stop", "0 bytes"},
		{completions, `{"prompt":"a","stop":[null]}`, 400, "stop", "0 bytes"},
		{completions, `{"prompt":"a","stop":["` + strings.Repeat(`a","`, 40) + `"]}`, 400, "stop", "at most"},
		{completions, `{"prompt":"a","stop":"` + strings.Repeat("a", 1100) + `"}`, 400, "stop", "1100 bytes"},
		{completions, `{"prompt":"a","logprobs":21}`, 400, "logprobs", "not between"},
		{completions, `{"prompt":["a","b","c","d"],"max_tokens":60,"logprobs":5}`, 400, "logprobs", "at most 1000 are allowed"},
		{completions, `{"prompt":"a","logprobs":true}`, 400, "logprobs", "no whole number"},
		{completions, `{"prompt":"a","echo":1}`, 400, "echo", "neither true nor false"},
		{completions, `{"prompt":"a","stream":"yes"}`, 400, "stream", "neither true nor false"},
		{completions, `{"prompt":"a","stream_options":{"include_usage":true}}`, 400, "stream_options", "only with stream"},
		{completions, `{"prompt":"a","stream":true,"stream_options":{"x":1}}`, 400, "stream_options", "not known"},
		{completions, `{"prompt":"a","stream":true,"stream_options":[]}`, 400, "stream_options", "no object"},
		{completions, `{"prompt":"a","suffix":"z"}`, 400, "suffix", "not supported"},
		{completions, `{"prompt":"a","best_of":2}`, 400, "best_of", "not supported"},
		{completions, `{"prompt":"a","logit_bias":{"5":1}}`, 400, "logit_bias", "not supported"},
		{completions, `{"prompt":"a","presence_penalty":0.5}`, 400, "presence_penalty", "not supported"},
		{completions, `{"prompt":"a","repetition_penalty":1.1}`, 400, "repetition_penalty", "not supported"},
		{completions, `{"prompt":"a","stop_token_ids":[99]}`, 400, "stop_token_ids", "outside the vocabulary"},
		{completions, `{"prompt":"a","response_format":{"type":"json_object"}}`, 400, "response_format", "not supported"},
		{completions, `{"prompt":"a","model":5}`, 400, "model", "no string"},
		{completions, `{"prompt":"a","max_token":5}`, 400, "max_token", "not known"},
		{completions, `{"prompt":"` + strings.Repeat("a", 2000) + `"}`, 413, "", "more than 2000 bytes"},
		{completions, `{"prompt":"` + strings.Repeat("a", 70) + `"}`, 400, "prompt", "room for 64"},
		{chat, `{}`, 400, "messages", "are missing"},
		{chat, `{"messages":[]}`, 400, "messages", "there are none"},
		{chat, `{"messages":"hi"}`, 400, "messages", ""},
		{chat, `{"messages":[{"role":"user","content":"hi"}]}`, 400, "messages", "no chat template"},
		{"/tokenize", `{}`, 400, "prompt", "is missing"},
		{"/tokenize", `{"prompt":[1]}`, 400, "prompt", "no string"},
		{"/tokenize", `{"prompt":"a","x":1}`, 400, "x", "not known"},
		{"/detokenize", `{}`, 400, "tokens", "are missing"},
		{"/detokenize", `{"tokens":"a"}`, 400, "tokens", "no list"},
		{"/detokenize", `{"tokens":[-5]}`, 400, "tokens", "outside the vocabulary"},
	} {
		w := ask(s, http.MethodPost, c.path, c.body)
		if w.Code != c.status {
			t.Errorf("%s %.60s: status %d, want %d: %s", c.path, c.body, w.Code, c.status, w.Body)
			continue
		}
		if c.status == http.StatusOK {
			continue
		}
		var e errorBody
		if err := json.Unmarshal(w.Body.Bytes(), &e); err != nil {
			t.Errorf("%s %.60s: %v in %s", c.path, c.body, err, w.Body)
			continue
		}
		param := ""
		if e.Error.Param != nil {
			param = *e.Error.Param
		}
		if e.Error.Type != "invalid_request_error" || c.param != "" && param != c.param || !strings.Contains(e.Error.Message, c.message) {
			t.Errorf("%s %.60s: %s; want param %q and message %q", c.path, c.body, w.Body, c.param, c.message)
		}
	}
}

// TestNeutral sends what other servers know and what changes nothing here.
func TestNeutral(t *testing.T) {
	s := newFake(t, &fakeEngine{}, nil)
	body := `{"prompt":"a","max_tokens":3.0,"suffix":null,"best_of":1,"logit_bias":{},"presence_penalty":0,"frequency_penalty":0.0,
		"n":1,"user":"me","model":"any name","logprobs":null,"echo":false,"min_p":0,"skip_special_tokens":true,"unheard_of":null,
		"top_k":-1,"top_p":1,"stream_options":null,"temperature":0,"stop":[],"response_format":{"type": "text"}}`
	if w := ask(s, http.MethodPost, "/v1/completions", body); w.Code != http.StatusOK {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestMethodsAndPaths(t *testing.T) {
	s := newFake(t, &fakeEngine{}, nil)
	for _, c := range []struct {
		method, path string
		status       int
	}{
		{"GET", "/health", 200}, {"GET", "/v1/models", 200}, {"GET", "/v1/models/fake", 200}, {"GET", "/metrics", 200},
		{"GET", "/tokenizer_info", 200}, {"HEAD", "/health", 200},
		{"GET", "/v1/models/other", 404}, {"GET", "/", 404}, {"POST", "/v1/completion", 404}, {"GET", "/v1/completions/", 404},
		{"GET", "/v1/completions", 405}, {"PUT", "/v1/chat/completions", 405}, {"POST", "/health", 405}, {"DELETE", "/v1/models/fake", 405},
		{"OPTIONS", "/v1/completions", 405},
	} {
		w := ask(s, c.method, c.path, "")
		if w.Code != c.status {
			t.Errorf("%s %s: %d, want %d", c.method, c.path, w.Code, c.status)
		}
		if c.status == http.StatusMethodNotAllowed && w.Header().Get("Allow") == "" {
			t.Errorf("%s %s: no Allow", c.method, c.path)
		}
	}
}

func TestKey(t *testing.T) {
	s := newFake(t, &fakeEngine{}, func(o *serve.Options) { o.APIKey = "secret" })
	for header, status := range map[string]int{"": 401, "Bearer wrong": 401, "Bearer ": 401, "Bearer secret": 200} {
		r := httptest.NewRequest("POST", "/v1/completions", strings.NewReader(`{"prompt":"a"}`))
		if header != "" {
			r.Header.Set("Authorization", header)
		}
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if w.Code != status {
			t.Errorf("Authorization %q: %d, want %d", header, w.Code, status)
		}
	}
	if w := ask(s, "GET", "/health", ""); w.Code != http.StatusOK {
		t.Errorf("health without a key: %d", w.Code)
	}
}

// TestOrigin refuses what browsers send for other sites' pages.
func TestOrigin(t *testing.T) {
	for _, c := range []struct {
		open         bool
		origin, host string
		status       int
	}{
		{false, "", "127.0.0.1:8000", 200}, {false, "http://localhost:3000", "localhost:8000", 200}, {false, "http://[::1]:8000", "[::1]:8000", 200},
		{false, "https://evil.example", "127.0.0.1:8000", 403}, {false, "http://evil.example:8000", "evil.example:8000", 403},
		{false, "null", "127.0.0.1:8000", 403}, {true, "http://box:8000", "box:8000", 200}, {true, "http://evil.example", "box:8000", 403},
	} {
		s := newFake(t, &fakeEngine{}, func(o *serve.Options) { o.Open = c.open })
		r := httptest.NewRequest("POST", "/v1/completions", strings.NewReader(`{"prompt":"a"}`))
		r.Host = c.host
		if c.origin != "" {
			r.Header.Set("Origin", c.origin)
		}
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if w.Code != c.status {
			t.Errorf("%+v: %d", c, w.Code)
		}
	}
}

// TestFailures: what goes wrong inside is answered, and the server goes on.
func TestFailures(t *testing.T) {
	for name, e := range map[string]*fakeEngine{"error": {failure: errors.New("a logit is NaN")}, "panic": {explode: true}} {
		s := newFake(t, e, nil)
		for range 2 {
			w := ask(s, "POST", "/v1/completions", `{"prompt":"a"}`)
			var b errorBody
			if err := json.Unmarshal(w.Body.Bytes(), &b); err != nil || w.Code != 500 || b.Error.Type != "server_error" {
				t.Errorf("%s: %d %s", name, w.Code, w.Body)
			}
		}
		// In a stream the status is out already, if a token is.
		w := ask(s, "POST", "/v1/completions", `{"prompt":"a","stream":true}`)
		if !strings.Contains(w.Body.String(), `"type":"server_error"`) || strings.Contains(w.Body.String(), "[DONE]") {
			t.Errorf("%s: %s", name, w.Body)
		}
		if w := ask(s, "GET", "/health", ""); w.Code != 200 {
			t.Errorf("%s: health %d", name, w.Code)
		}
	}
}
