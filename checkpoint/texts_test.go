package checkpoint

import (
	"fmt"
	"strings"
	"testing"
)

// mark drops texts with an x, makes w of those with a w, adds ! to those with a y, and fails on a z.
func mark(text string) (string, bool, error) {
	switch {
	case strings.Contains(text, "z"):
		return "", false, fmt.Errorf("has a z")
	case strings.Contains(text, "x"):
		return "", false, nil
	case strings.Contains(text, "w"):
		return "w", true, nil
	case strings.Contains(text, "y"):
		return text + "!", true, nil
	}
	return text, true, nil
}

func TestChangeTexts(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{`{"a": 1, "b": [true, null, 1.50]}`, `{"a": 1, "b": [true, null, 1.50]}`},
		{` {"a":["x","b","x", "y"]} ` + "\n", ` {"a":["b", "y!"]} ` + "\n"},
		{`{"a":["x","x2"],"b":{"x":1},"c":[]}`, `{"a":[],"b":{},"c":[]}`},
		{"{\n  \"x\": 1,\n  \"b\": 2,\n  \"y\": {\n    \"x\": [1, 2],\n    \"d\": \"<y>\\u00e9\"\n  }\n}", "{\n  \"b\": 2,\n  \"y!\": {\n    \"d\": \"<y>é!\"\n  }\n}"},
		{`{"a":{"b":"y", "x":["z"]}}`, `{"a":{"b":"y!"}}`},
		{`{"a":[["x"],{"x":1}, 2]}`, `{"a":[[],{}, 2]}`},
	} {
		o, err := ParseObject("file.json", []byte(c.in))
		if err != nil {
			t.Fatal(err)
		}
		got, err := o.ChangeTexts(nil, mark)
		if err != nil || got != c.want {
			t.Errorf("%s: %s, %v; want %s", c.in, got, err, c.want)
		}
	}
	for _, c := range []struct{ in, want string }{
		{`{"a":{"b":"x"}}`, `a.b ("x"): speaks of nothing that is left`},
		{`{"a":["b","z"]}`, `a[1]: has a z`},
		{`{"a":{"z":1}}`, `a.z: has a z`},
		{`{"w":1,"wy":2}`, `wy: becomes "w", which is there already`},
	} {
		o, err := ParseObject("file.json", []byte(c.in))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := o.ChangeTexts(nil, mark); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %s, %v; want %s", c.in, got, err, c.want)
		}
	}
}

// FuzzChangeTexts holds that a text which is not changed comes back byte for byte, and that the result can be read.
func FuzzChangeTexts(f *testing.F) {
	f.Add(`{"a": ["x", {"y": "b"}], "x": 1 , "c" :"d"}`)
	f.Add(`{"x":[],"b":{"x":{}}}`)
	f.Fuzz(func(t *testing.T, in string) {
		o, err := ParseObject("f", []byte(in))
		if err != nil {
			return
		}
		same, err := o.ChangeTexts(nil, func(s string) (string, bool, error) { return s, true, nil })
		if err != nil || same != in {
			t.Errorf("%q became %q, %v", in, same, err)
		}
		if got, err := o.ChangeTexts(nil, mark); err == nil {
			if _, err := ParseObject("f", []byte(got)); err != nil {
				t.Errorf("%q became %q: %v", in, got, err)
			}
		}
	})
}

func TestDecoderIsDescribedTwice(t *testing.T) {
	for _, c := range []struct {
		config string
		path   string
		layers int
	}{
		{`{"num_hidden_layers":4,"hidden_size":8,"text_config":{"num_hidden_layers":4,"hidden_size":8}}`, "text_config", 4},
		{`{"num_hidden_layers":4,"hidden_size":8,"text_config":{"num_hidden_layers":12,"hidden_size":8}}`, "", 4},
		{`{"num_hidden_layers":4,"hidden_size":8,"text_config":{"hidden_size":8}}`, "", 4},
		{`{"text_config":{"num_hidden_layers":4}}`, "text_config", 4},
		{`{"model_type":"longcat_flash","num_hidden_layers":56,"num_layers":28}`, "", 28},
		{`{"model_type":"nemotron_h","layers_block_type":["a","b","c"]}`, "", 3},
	} {
		o, err := ParseConfig([]byte(c.config))
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(o.Decoder().Path(), "."); got != c.path || o.Layers() != c.layers {
			t.Errorf("%s: decoder %q with %d layers", c.config, got, o.Layers())
		}
	}
}
