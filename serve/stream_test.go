package serve_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// completion is a reply, or an event, as a client reads it.
type completion struct {
	ID, Object, Model string
	Choices           []completionChoice
	Usage             *struct {
		Prompt     int `json:"prompt_tokens"`
		Completion int `json:"completion_tokens"`
		Total      int `json:"total_tokens"`
	}
	Error *struct{ Message string }
}

type completionChoice struct {
	Index    int
	Text     string
	Finish   *string `json:"finish_reason"`
	Logprobs *struct {
		Tokens     []string             `json:"tokens"`
		Logprobs   []*float64           `json:"token_logprobs"`
		Top        []map[string]float64 `json:"top_logprobs"`
		TextOffset []int                `json:"text_offset"`
	}
}

// whole asks for a reply in one piece.
func whole(t testing.TB, h http.Handler, body string) completion {
	t.Helper()
	w := ask(h, "POST", "/v1/completions", body)
	var c completion
	if err := json.Unmarshal(w.Body.Bytes(), &c); err != nil || w.Code != http.StatusOK {
		t.Fatalf("%.200s: %d, %v: %.300s", body, w.Code, err, w.Body)
	}
	return c
}

// readEvents is the data of server-sent events, which must end with [DONE].
func readEvents(t testing.TB, body string) []string {
	t.Helper()
	var data []string
	for _, event := range strings.SplitAfter(body, "\n\n") {
		if event == "" {
			continue
		}
		text, ok := strings.CutPrefix(event, "data: ")
		if !ok || !strings.HasSuffix(text, "\n\n") || strings.Count(text, "\n") != 2 {
			t.Fatalf("no event: %q", event)
		}
		data = append(data, strings.TrimSpace(text))
	}
	if len(data) == 0 || data[len(data)-1] != "[DONE]" {
		t.Fatalf("the events do not end with [DONE]: %.300q", body)
	}
	return data[:len(data)-1]
}

// streamed asks for a reply in parts and puts them together.
func streamed(t testing.TB, h http.Handler, body string) completion {
	t.Helper()
	w := ask(h, "POST", "/v1/completions", strings.TrimSuffix(body, "}")+`,"stream":true,"stream_options":{"include_usage":true}}`)
	if w.Code != http.StatusOK || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/event-stream") {
		t.Fatalf("%.200s: %d %s", body, w.Code, w.Body)
	}
	var all completion
	for _, data := range readEvents(t, w.Body.String()) {
		var c completion
		if err := json.Unmarshal([]byte(data), &c); err != nil {
			t.Fatal(err)
		}
		all.ID, all.Object, all.Model = c.ID, c.Object, c.Model
		if c.Usage != nil {
			all.Usage = c.Usage
		}
		for _, part := range c.Choices {
			for len(all.Choices) <= part.Index {
				all.Choices = append(all.Choices, completionChoice{Index: len(all.Choices)})
			}
			to := &all.Choices[part.Index]
			if to.Finish != nil {
				t.Errorf("choice %d goes on behind its end: %s", part.Index, data)
			}
			to.Text, to.Finish = to.Text+part.Text, part.Finish
			if to.Logprobs == nil {
				to.Logprobs = part.Logprobs
			} else if part.Logprobs != nil {
				to.Logprobs.Tokens = append(to.Logprobs.Tokens, part.Logprobs.Tokens...)
				to.Logprobs.Logprobs = append(to.Logprobs.Logprobs, part.Logprobs.Logprobs...)
				to.Logprobs.Top = append(to.Logprobs.Top, part.Logprobs.Top...)
				to.Logprobs.TextOffset = append(to.Logprobs.TextOffset, part.Logprobs.TextOffset...)
			}
		}
	}
	return all
}

// sameReply compares two replies but for their ids.
func sameReply(t testing.TB, what string, a, b completion) {
	t.Helper()
	a.ID, b.ID = "", ""
	x, _ := json.Marshal(a)
	y, _ := json.Marshal(b)
	if string(x) != string(y) {
		t.Errorf("%s:\n%s\n%s", what, x, y)
	}
}

func TestStreamEqualsWhole(t *testing.T) {
	s := newFake(t, &fakeEngine{}, nil)
	for _, body := range []string{
		`{"prompt":"a"}`,
		`{"prompt":"ab","max_tokens":40,"n":3}`,
		`{"prompt":["a","bc",[4,5]],"max_tokens":9,"logprobs":2}`,
		`{"prompt":"ab","max_tokens":5,"logprobs":1,"echo":true}`,
		`{"prompt":"ab","max_tokens":0,"logprobs":0,"echo":true}`,
		`{"prompt":"ab","max_tokens":0,"echo":true}`,
		`{"prompt":"ab","max_tokens":4,"echo":true}`,
		`{"prompt":"a","max_tokens":40,"stop":["h7","0"]}`,
		`{"prompt":"a","max_tokens":40,"stop_token_ids":[5]}`,
		`{"prompt":""}`,
	} {
		sameReply(t, body, streamed(t, s, body), whole(t, s, body))
	}
}

// TestCompletion looks at replies of the fake engine, whose tokens are known: after a come k, h, w, …
func TestCompletion(t *testing.T) {
	s := newFake(t, &fakeEngine{}, nil)
	text := whole(t, s, `{"prompt":"a","max_tokens":12}`).Choices[0].Text
	if len(text) != 12 {
		t.Fatalf("12 tokens of a letter each make %q", text)
	}
	for _, c := range []struct {
		body, text, finish string
		completion         int
	}{
		{`{"prompt":"a","max_tokens":12}`, text, "length", 12},
		{`{"prompt":"a","max_tokens":12,"echo":true}`, "a" + text, "length", 12},
		{`{"prompt":"a","max_tokens":12,"stop":"` + text[4:6] + `"}`, text[:4], "stop", 6},
		{`{"prompt":"a","max_tokens":12,"stop":["` + text[4:5] + `","` + text[2:6] + `"]}`, text[:4], "stop", 5},
		{`{"prompt":"a","max_tokens":12,"stop":"` + text[11:] + `z"}`, text, "length", 12},
		{`{"prompt":"a","max_tokens":6,"stop":"a","echo":true}`, "a" + text[:6], "length", 6}, // the prompt may have it
		{`{"prompt":"a","max_tokens":0,"echo":true}`, "a", "length", 0},
	} {
		r := whole(t, s, c.body)
		if got := r.Choices[0]; got.Text != c.text || got.Finish == nil || *got.Finish != c.finish || r.Usage.Completion != c.completion ||
			r.Usage.Total != r.Usage.Prompt+r.Usage.Completion {
			t.Errorf("%s: %+v, usage %+v", c.body, got, r.Usage)
		}
	}
	r := whole(t, s, `{"prompt":"abc","max_tokens":2,"echo":true,"logprobs":2}`)
	l := r.Choices[0].Logprobs
	if l == nil || len(l.Tokens) != 5 || strings.Join(l.Tokens, "") != r.Choices[0].Text || fmt.Sprint(l.TextOffset) != "[0 1 2 3 4]" ||
		l.Logprobs[0] != nil || l.Top[0] != nil || *l.Logprobs[1] != -2.0/16 || len(l.Top[1]) != 2 || l.Top[1]["b"] != *l.Logprobs[1] {
		t.Errorf("%+v", l)
	}
}

// TestOrder: the likeliest token stands first in top_logprobs, for clients that take the first.
func TestOrder(t *testing.T) {
	s := newFake(t, &fakeEngine{}, nil)
	w := ask(s, "POST", "/v1/completions", `{"prompt":[3],"max_tokens":1,"logprobs":3,"echo":false}`)
	if !strings.Contains(w.Body.String(), `"top_logprobs":[{"x":-1.5,"y":-1.5625,"z":-1.625}]`) {
		t.Error(w.Body)
	}
}

func TestTokenizeAndBack(t *testing.T) {
	s := newFake(t, &fakeEngine{}, nil)
	for _, c := range []struct{ path, body, want string }{
		{"/tokenize", `{"prompt":"abc"}`, `{"count":3,"max_model_len":64,"tokens":[1,2,3],"token_strs":null}`},
		{"/tokenize", `{"prompt":"a<s>","add_special_tokens":false,"return_token_strs":true,"model":"m"}`, `{"count":2,"max_model_len":64,"tokens":[1,0],"token_strs":["a","<s>"]}`},
		{"/tokenize", `{"prompt":""}`, `{"count":0,"max_model_len":64,"tokens":[],"token_strs":null}`},
		{"/detokenize", `{"tokens":[0,1,2]}`, `{"prompt":"<s>ab"}`},
		{"/detokenize", `{"tokens":[]}`, `{"prompt":""}`},
	} {
		if w := ask(s, "POST", c.path, c.body); w.Code != 200 || strings.TrimSpace(w.Body.String()) != c.want {
			t.Errorf("%s %s: %d %s, want %s", c.path, c.body, w.Code, w.Body, c.want)
		}
	}
}

func TestMetrics(t *testing.T) {
	s := newFake(t, &fakeEngine{}, nil)
	whole(t, s, `{"prompt":["abc","a"],"n":2,"max_tokens":5}`)
	ask(s, "POST", "/v1/completions", `{`)
	ask(s, "GET", "/nowhere", ``)
	page := ask(s, "GET", "/metrics", "").Body.String()
	for _, want := range []string{
		`shallow_requests_total{route="/v1/completions",status="200"} 1`, `shallow_requests_total{route="/v1/completions",status="400"} 1`,
		`shallow_requests_total{route="other",status="404"} 1`, `shallow_prompt_tokens_total 4`,
		`shallow_time_to_first_token_seconds_count 4`, `shallow_time_per_token_seconds_count 16`, `shallow_steps_total`,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("no %s in\n%s", want, page)
		}
	}
}
