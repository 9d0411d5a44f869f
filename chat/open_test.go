package chat_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"shallow/chat"
	"shallow/internal/jinja"
)

// write makes a model directory of the files given by name and content.
func write(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestOpen(t *testing.T) {
	tool := chat.Options{Tools: []json.RawMessage{json.RawMessage(`{"b": 1, "a": 2}`)}}
	for name, c := range map[string]struct {
		files map[string]string
		o     chat.Options
		want  string
	}{
		"a text in tokenizer_config.json": {map[string]string{
			"tokenizer_config.json":   `{"chat_template": "{{ bos_token }}|{{ eos_token }}|{{ pad_token }}|{{ image_token }}", "bos_token": "<s>", "eos_token": {"content": "</s>", "lstrip": false}, "pad_token": null, "image_token": "<i>", "added_tokens_decoder": {}}`,
			"special_tokens_map.json": `{"pad_token": "not read"}`}, chat.Options{}, "<s>|</s>||<i>"},
		"tokens of an older checkpoint": {map[string]string{
			"tokenizer_config.json":   `{"chat_template": "{{ bos_token }}|{{ eos_token }}"}`,
			"special_tokens_map.json": `{"bos_token": {"content": "<b>"}, "eos_token": "</b>"}`}, chat.Options{}, "<b>|</b>"},
		"named extra tokens": {map[string]string{
			"tokenizer_config.json": `{"chat_template": "{{ boi_token }}{{ eot }}", "extra_special_tokens": {"boi_token": "<boi>", "eot": "<eot>"}}`}, chat.Options{}, "<boi><eot>"},
		"the file is stronger": {map[string]string{
			"tokenizer_config.json": `{"chat_template": "config", "bos_token": "<s>"}`, "chat_template.jinja": "{{ bos_token }}\r\nfile\n"}, chat.Options{}, "<s>\nfile"},
		"chat_template.json": {map[string]string{"chat_template.json": `{"chat_template": "older"}`}, chat.Options{}, "older"},
		"a list": {map[string]string{
			"tokenizer_config.json": `{"chat_template": [{"name": "default", "template": "d"}, {"name": "tool_use", "template": "{{ tools[0] | tojson }}"}]}`}, chat.Options{}, "d"},
		"a list, with tools": {map[string]string{
			"tokenizer_config.json": `{"chat_template": [{"name": "default", "template": "d"}, {"name": "tool_use", "template": "{{ tools[0] | tojson }}"}]}`}, tool, `{"b": 1, "a": 2}`},
		"a folder of more": {map[string]string{
			"chat_template.jinja": "d", "additional_chat_templates/rag.jinja": "{{ documents[0].title }}"},
			chat.Options{Template: "rag", Documents: []json.RawMessage{json.RawMessage(`{"title": "T"}`)}}, "T"},
	} {
		t.Run(name, func(t *testing.T) {
			template, err := chat.Open(write(t, c.files))
			if err != nil {
				t.Fatal(err)
			}
			if got, err := template.Render([]chat.Message{chat.Text("user", "x")}, c.o); err != nil || got != c.want {
				t.Errorf("got %q, %v, want %q", got, err, c.want)
			}
		})
	}
}

func TestOpenRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		files map[string]string
		want  string
	}{
		"nothing":          {map[string]string{"tokenizer_config.json": `{"chat_template": null}`}, "put the template its chats are written in into chat_template.jinja"},
		"a number":         {map[string]string{"tokenizer_config.json": `{"chat_template": 5}`}, "neither a text nor a list of named ones"},
		"no JSON":          {map[string]string{"tokenizer_config.json": `{`}, "tokenizer_config.json: unexpected end"},
		"a syntax error":   {map[string]string{"chat_template.jinja": "a\n{% if x %}"}, `chat template "default": jinja: line 2: Unexpected end of template.`},
		"includes a file":  {map[string]string{"chat_template.jinja": "{% include '/etc/passwd' %}"}, "a template reads no other file"},
		"damaged elsewhen": {map[string]string{"chat_template.json": `[]`}, "chat_template.json: json: cannot unmarshal array"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := chat.Open(write(t, c.files))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an error with %q", err, c.want)
			}
			if none := errors.Is(err, chat.ErrNone); none != (name == "nothing") {
				t.Errorf("%v is ErrNone: %v", err, none)
			}
		})
	}
}

func TestRenderRefuses(t *testing.T) {
	template, err := chat.Parse("{{ raise_exception('no system here') if messages[0].role == 'system' }}{{ messages[-1].content }}", nil)
	if err != nil {
		t.Fatal(err)
	}
	user := []chat.Message{chat.Text("user", "a")}
	for name, c := range map[string]struct {
		messages []chat.Message
		o        chat.Options
		want     string
	}{
		"no message":       {nil, chat.Options{}, "the conversation is empty"},
		"an empty message": {[]chat.Message{{}}, chat.Options{}, "message 0 is empty"},
		"both ends":        {user, chat.Options{AddGenerationPrompt: true, ContinueFinalMessage: true}, "choose one"},
		"another template": {user, chat.Options{Template: "rag"}, `no template "rag": choose one of default`},
		"not JSON":         {user, chat.Options{Tools: []json.RawMessage{json.RawMessage("{")}}, "variable tools"},
		"a Go value":       {user, chat.Options{Extra: map[string]any{"x": struct{}{}}}, "variable x: a value of Go's type struct {}"},
		"raised":           {[]chat.Message{chat.Text("system", "a")}, chat.Options{}, "chat template: jinja: line 1: no system here"},
	} {
		_, err := template.Render(c.messages, c.o)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want an error with %q", name, err, c.want)
		}
		if raised := errors.Is(err, jinja.ErrRaised); raised != (name == "raised") {
			t.Errorf("%s: %v is ErrRaised: %v", name, err, raised)
		}
	}
}

func TestJoinText(t *testing.T) {
	var m chat.Message
	if err := json.Unmarshal([]byte(`{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}`), &m); err != nil {
		t.Fatal(err)
	}
	for source, want := range map[string]string{
		"{{ messages[0].content }}": "a\nb",
		"{% for m in messages %}{% if true %}{% for p in m['content'] | list %}{{ p.text }}{% endfor %}{% endif %}{% endfor %}": "ab",
	} {
		template, err := chat.Parse(source, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := template.Render([]chat.Message{m}, chat.Options{JoinText: true}); err != nil || got != want {
			t.Errorf("%s: got %q, %v, want %q", source, got, err, want)
		}
	}
	if got, err := json.Marshal(m); err != nil || string(got) != `{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}` {
		t.Errorf("written back as %s, %v", got, err)
	}
}

func FuzzMessage(f *testing.F) {
	template, err := chat.Parse("{% for m in messages %}{{ m.role }}{{ m.content }}{{ m | tojson }}{% endfor %}", nil)
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range []string{`{"role": "user", "content": "x"}`, `{"role": 5}`, `[]`, `{"role": "a", "content": [1, {"text": "x", "type": "text"}], "thinking": {}}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var m chat.Message
		if json.Unmarshal(data, &m) != nil {
			return
		}
		if _, err := template.Render([]chat.Message{m}, chat.Options{JoinText: true}); err != nil {
			t.Errorf("%s: %v", data, err)
		}
		if _, err := json.Marshal(m); err != nil {
			t.Errorf("%s: %v", data, err)
		}
	})
}
