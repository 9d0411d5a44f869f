package serve_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"shallow/serve"
)

const template = `{{ bos_token }}{% if tools %}tools:{{ tools | tojson }}{% endif %}` +
	`{% for m in messages %}{% if m.role == 'robot' %}{{ raise_exception('no robots') }}{% endif %}[{{ m.role }}]{{ m.content }}{{ eos_token }}{% endfor %}` +
	`{% if add_generation_prompt %}[assistant]{% endif %}`

// chatModel is a directory with the demo's model and a chat template.
func chatModel(t testing.TB, template string) string {
	t.Helper()
	dir := demoModel(t)
	for name, text := range map[string]string{
		"chat_template.jinja":   template,
		"tokenizer_config.json": `{"bos_token":{"content":"<s>"},"eos_token":"</s>","pad_token":{"content":"</s>"},"added_tokens_decoder":{}}`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// newChat serves the demo's model with a chat template.
func newChat(t testing.TB) *serve.Server {
	t.Helper()
	s, _ := newReal(t, chatModel(t, template), 4)
	return s
}

type chatReply struct {
	Object  string
	Choices []struct {
		Index          int
		Message, Delta *struct {
			Role    string
			Content *string
		}
		Finish   *string `json:"finish_reason"`
		Logprobs *struct {
			Content []struct {
				Token   string
				Logprob float64
				Bytes   []int
				Top     []struct{ Token string } `json:"top_logprobs"`
			}
		}
	}
	Usage *struct {
		Prompt     int `json:"prompt_tokens"`
		Completion int `json:"completion_tokens"`
	}
}

func TestChat(t *testing.T) {
	s := newChat(t)
	const messages = `"messages":[{"role":"system","content":"Be brief."},{"role":"user","content":[{"type":"text","text":"Hello"}]}]`
	w := ask(s, "POST", "/v1/chat/completions", `{`+messages+`,"max_tokens":12,"temperature":0,"logprobs":true,"top_logprobs":2,"n":2}`)
	var r chatReply
	if err := json.Unmarshal(w.Body.Bytes(), &r); err != nil || w.Code != http.StatusOK || len(r.Choices) != 2 || r.Object != "chat.completion" {
		t.Fatalf("%d %v %s", w.Code, err, w.Body)
	}
	one := r.Choices[0]
	if one.Message.Role != "assistant" || *one.Message.Content != *r.Choices[1].Message.Content || len(one.Logprobs.Content) != r.Usage.Completion/2 ||
		len(one.Logprobs.Content[0].Top) != 2 {
		t.Errorf("%s", w.Body)
	}
	// The same by hand: the template's text, its special tokens found in it, none added.
	quoted, _ := json.Marshal("<s>[system]Be brief.</s>[user]Hello</s>[assistant]")
	same := whole(t, s, `{"prompt":`+string(quoted)+`,"max_tokens":12,"temperature":0}`)
	if same.Choices[0].Text != *one.Message.Content || same.Usage.Prompt != r.Usage.Prompt {
		t.Errorf("%+v, want %+v", same, one)
	}
	var tokens struct{ Tokens []int }
	if err := json.Unmarshal(ask(s, "POST", "/tokenize", `{`+messages+`}`).Body.Bytes(), &tokens); err != nil || len(tokens.Tokens) != r.Usage.Prompt {
		t.Errorf("%d tokens, want %d (%v)", len(tokens.Tokens), r.Usage.Prompt, err)
	}

	w = ask(s, "POST", "/v1/chat/completions", `{`+messages+`,"max_completion_tokens":12,"temperature":0,"stream":true,"stream_options":{"include_usage":true}}`)
	var text, role, finish string
	events := readEvents(t, w.Body.String())
	for i, data := range events {
		var e chatReply
		if err := json.Unmarshal([]byte(data), &e); err != nil || e.Object != "chat.completion.chunk" || len(e.Choices) != 1 && i != len(events)-1 {
			t.Fatalf("%v: %s", err, data)
		}
		for _, c := range e.Choices {
			role += c.Delta.Role
			if c.Delta.Content != nil {
				text += *c.Delta.Content
			}
			if c.Finish != nil {
				finish += *c.Finish
			}
		}
		if e.Usage != nil && (i != len(events)-1 || e.Usage.Prompt != r.Usage.Prompt) {
			t.Errorf("usage %+v in event %d of %d", e.Usage, i, len(events))
		}
	}
	if text != *one.Message.Content || role != "assistant" || finish != *one.Finish {
		t.Errorf("%q by %q, %q; want %q, %q", text, role, finish, *one.Message.Content, *one.Finish)
	}
}

func TestChatRefuses(t *testing.T) {
	s := newChat(t)
	const user = `"messages":[{"role":"user","content":"Hello"}],"max_tokens":2`
	for _, c := range []struct {
		body   string
		status int
		reason string
	}{
		{`{` + user + `}`, 200, ""},
		{`{` + user + `,"tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":"auto","parallel_tool_calls":true}`, 200, ""},
		{`{` + user + `,"tools":5}`, 400, "tools"},
		{`{` + user + `,"tool_choice":"required"}`, 400, "tool_choice"},
		{`{` + user + `,"tool_choice":{"type":"function"}}`, 400, "tool_choice"},
		{`{` + user + `,"top_logprobs":2}`, 400, "only with logprobs"},
		{`{` + user + `,"logprobs":2}`, 400, "neither true nor false"},
		{`{` + user + `,"functions":[]}`, 400, "functions"},
		{`{` + user + `,"max_completion_tokens":0}`, 400, "max_completion_tokens"},
		{`{` + user + `,"continue_final_message":true}`, 400, "continue_final_message"},
		{`{` + user + `,"chat_template_kwargs":[1]}`, 400, "chat_template_kwargs"},
		{`{"messages":[{"role":"robot","content":"beep"}]}`, 400, "no robots"},
		{`{"messages":[{"content":"beep"}]}`, 400, "role"},
		{`{"messages":[null]}`, 400, "messages"},
		{`{"messages":[{"role":"user","content":5}]}`, 400, "content of message 0"},
		{`{"messages":[{"role":"user","content":[{"type":"image_url"}]}]}`, 400, "another type than text"},
		{`{"messages":[{"role":"user","content":["x"]}]}`, 400, "another type than text"},
		{`{"messages":[{"role":"user","content":"` + strings.Repeat("long ", 400) + `"}]}`, 400, "room for 1024"},
	} {
		w := ask(s, "POST", "/v1/chat/completions", c.body)
		if w.Code != c.status || !strings.Contains(w.Body.String(), c.reason) {
			t.Errorf("%.100s: %d %s; want %d and %q", c.body, w.Code, w.Body, c.status, c.reason)
		}
	}
}

// TestTurnEnds: what a template puts behind an answer ends it, also where the model's files do not say so.
func TestTurnEnds(t *testing.T) {
	dir := chatModel(t, `{% for m in messages %}{{ m.content }}{{ bos_token }}{% endfor %}`)
	model := openModel(t, dir)
	if fmt.Sprint(model.Ends) != "[257]" || !slices.Contains(model.ChatEnds, 256) || !slices.Contains(model.ChatEnds, 257) {
		t.Errorf("texts end with %v, turns with %v", model.Ends, model.ChatEnds)
	}
}

// TestTokenizerInfo: what the harness's remote tokenizer reads is there.
func TestTokenizerInfo(t *testing.T) {
	s := newChat(t)
	var info map[string]any
	if err := json.Unmarshal(ask(s, "GET", "/tokenizer_info", "").Body.Bytes(), &info); err != nil {
		t.Fatal(err)
	}
	if info["bos_token"] != "<s>" || info["eos_token"] != "</s>" || info["pad_token"] != "</s>" || info["chat_template"] != template {
		t.Errorf("%v", info)
	}
	// A model whose tokenizer names none has them in its config.
	bare := openModel(t, demoModel(t))
	if bare.Info["bos_token"] != "<s>" || bare.Info["eos_token"] != "</s>" || bare.Start != 256 || bare.Chat != nil {
		t.Errorf("%v, start %d", bare.Info, bare.Start)
	}
}
