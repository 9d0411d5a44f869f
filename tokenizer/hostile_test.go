package tokenizer

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/text/unicode/norm"
)

const smallBytes = `{"added_tokens":[{"id":5,"content":"<s>","special":true},{"id":6,"content":" m","lstrip":true,"rstrip":true,"normalized":true}],
"normalizer":{"type":"Sequence","normalizers":[{"type":"NFC"},{"type":"Replace","pattern":{"Regex":"x+"},"content":"b"}]},
"pre_tokenizer":{"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"Regex":"\\s+|b"},"behavior":"MergedWithNext","invert":false},{"type":"ByteLevel","add_prefix_space":true,"use_regex":true}]},
"post_processor":{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<s>","type_id":0}},{"Sequence":{"id":"A","type_id":0}}],"special_tokens":{"<s>":{"id":"<s>","ids":[5],"tokens":["<s>"]}}},
"decoder":{"type":"ByteLevel"},
"model":{"type":"BPE","vocab":{"a":0,"b":1,"ab":2,"Ġ":3,"Ġab":4},"merges":["a b",["Ġ","ab"]],"ignore_merges":true}}`

const smallRunes = `{"added_tokens":[],"normalizer":{"type":"Prepend","prepend":"▁"},"pre_tokenizer":{"type":"Metaspace","replacement":"▁","prepend_scheme":"first","split":false},
"decoder":{"type":"Sequence","decoders":[{"type":"Replace","pattern":{"String":"▁"},"content":" "},{"type":"ByteFallback"},{"type":"Fuse"},{"type":"Strip","content":" ","start":1,"stop":0}]},
"model":{"type":"BPE","unk_token":"u","fuse_unk":true,"byte_fallback":true,"vocab":{"u":0,"▁":1,"a":2,"▁a":3,"<0x41>":4},"merges":["▁ a"]}}`

const smallUnigram = `{"pre_tokenizer":{"type":"Digits","individual_digits":false},"model":{"type":"Unigram","unk_id":0,"byte_fallback":true,"vocab":[["u",0],["a",-1.5],["ab",-2],["<0xC3>",-9]]}}`

// FuzzTokenizerJSON reads anything, and uses what could be read.
func FuzzTokenizerJSON(f *testing.F) {
	f.Add([]byte(smallBytes), "ab <s> m  abx \U0001f600")
	f.Add([]byte(smallRunes), "a A  aa")
	f.Add([]byte(smallUnigram), "abc é 12")
	f.Fuzz(func(t *testing.T, data []byte, text string) {
		tok, err := Parse(data)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "tokenizer: ") {
				t.Errorf("error without its package: %v", err)
			}
			return
		}
		ids := tok.Encode(text, true)
		s := tok.Stream()
		for _, id := range ids {
			if id < 0 || id >= tok.Size() {
				t.Fatalf("id %d of %d", id, tok.Size())
			}
			s.Add(id)
		}
		s.Flush()
		tok.Decode(append(ids, -1, tok.Size(), 1<<40), true)
	})
}

// FuzzTokenizerFile reads anything as a tokenizer.model or a *.tiktoken, and uses what could be read.
func FuzzTokenizerFile(f *testing.F) {
	for _, name := range []string{"bpe", "bpe-unknown", "unigram", "unigram-bytes"} {
		data, err := os.ReadFile(filepath.Join("testdata", "sentencepiece", name+".model"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data, "Hello  world <sep> 漢")
	}
	f.Add([]byte(ranks("ab", "abc")), "abc <|extra_0|>")
	f.Fuzz(func(t *testing.T, data []byte, text string) {
		for _, name := range []string{"tokenizer.model", "qwen.tiktoken"} {
			var tok *Tokenizer
			var err error
			if name == "tokenizer.model" {
				tok, err = openSentencePiece(data, directoryConfig{})
			} else {
				tok, err = openTiktoken(data, name, directoryConfig{})
			}
			if err != nil {
				continue
			}
			ids := tok.Encode(text, true)
			s := tok.Stream()
			for _, id := range ids {
				if id < 0 || id >= tok.Size() {
					t.Fatalf("%s: id %d of %d", name, id, tok.Size())
				}
				s.Add(id)
			}
			s.Flush()
			tok.Decode(append(ids, -1, tok.Size(), 1<<40), true)
		}
	})
}

func TestRefused(t *testing.T) {
	for _, c := range []struct{ change, to, want string }{
		{`"type":"NFC"`, `"type":"NFX"`, "normalizer NFX"},
		{`"type":"ByteLevel","add`, `"type":"FixedLength","add`, "pre_tokenizer FixedLength"},
		{`"type":"TemplateProcessing"`, `"type":"BertProcessing"`, "post_processor BertProcessing: cls or sep is missing"},
		{`{"type":"ByteLevel"}`, `{"type":"CTC"}`, "decoder CTC"},
		{`"type":"BPE"`, `"type":"Other"`, `model "Other"`},
		{`"a b"`, `"a c"`, `"c" is not in the vocabulary`},
		{`"a b"`, `"b a"`, `"ba" is not in the vocabulary`},
		{`"a b"`, `"a b c"`, "one blank"},
		{`"b":1`, `"b":0`, "the same id 0"},
		{`"b":1`, `"a":1`, "comes twice"},
		{`"b":1`, `"b":-1`, "out of range"},
		{`"b":1`, `"b":4000000000`, "out of range"},
		{`"b":1`, `"b":1.5`, "not a whole number"},
		{`"ids":[5]`, `"ids":[77]`, "id 77 is out of range"},
		{`"id":6`, `"id":1`, `which is "b"`},
		{`"id":6`, `"id":5`, "the same id 5"},
		{`"\\s+|b"`, `"(\\s+|b"`, "pattern"},
		{`"ignore_merges":true`, `"dropout":0.1`, "dropout"},
		{`"MergedWithNext"`, `"Sideways"`, "Sideways"},
	} {
		if strings.Count(smallBytes, c.change) != 1 {
			t.Fatalf("%q does not stand once in the file", c.change)
		}
		_, err := Parse([]byte(strings.Replace(smallBytes, c.change, c.to, 1)))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v; %q expected in it", c.to, err, c.want)
		}
	}
}

func TestDirectoryWithoutTokenizer(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "vocab.json"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Open(dir)
	if err == nil || !strings.Contains(err.Error(), "no tokenizer.json") || !strings.Contains(err.Error(), "vocab.json") {
		t.Errorf("%v", err)
	}
}

// A normalizer that doubles the text again and again is stopped, and says so.
func TestGrowthIsBounded(t *testing.T) {
	double := `{"type":"Replace","pattern":{"String":"a"},"content":"aa"}`
	file := strings.Replace(smallRunes, `{"type":"Prepend","prepend":"▁"}`,
		`{"type":"Sequence","normalizers":[`+strings.Repeat(double+",", 59)+double+`]}`, 1)
	tok, err := Parse([]byte(file))
	if err != nil {
		t.Fatal(err)
	}
	if tok.Encode("a", false); tok.Err() == nil {
		t.Error("a text grew sixtyfold and no error is known")
	}
}

func TestNestingIsBounded(t *testing.T) {
	deep := strings.Repeat(`{"type":"Sequence","decoders":[`, 100) + `{"type":"Fuse"}` + strings.Repeat(`]}`, 100)
	if _, err := Parse([]byte(strings.Replace(smallBytes, `{"type":"ByteLevel"}`, deep, 1))); err == nil {
		t.Error("a hundred Sequences in one another were read")
	}
}

// Our own normalisation equals the norm package's where that one keeps to the definition, and has no joiner elsewhere.
func TestPlainForm(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 2000 {
		s := randomText(r, 30)
		for _, form := range []norm.Form{norm.NFC, norm.NFD, norm.NFKC, norm.NFKD} {
			want := form.String(s)
			if strings.Count(want, joiner) != strings.Count(s, joiner) {
				continue
			}
			if got := plainForm(form, s); got != want {
				t.Fatalf("form %d of %+q: %+q, want %+q", form, s, got, want)
			}
		}
	}
	marks := strings.Repeat("\u0301", 40)
	got, err := unicodeForm("NFC")("e"+marks, true, 1000)
	if want := "é" + marks[2:]; err != nil || got != want {
		t.Errorf("40 marks: %+q, %v; want %+q", got, err, want)
	}
}

func TestInvalidUTF8(t *testing.T) {
	for in, want := range map[string]string{
		"a\xffb":           "a\ufffdb",
		"\xe2\x82x":        "\ufffdx",
		"\xf0\x9f\x98":     "\ufffd",
		"\xe0\x80":         "\ufffd\ufffd",
		"\xed\xa0\x80":     "\ufffd\ufffd\ufffd",
		"\xf4\x90\xe2":     "\ufffd\ufffd\ufffd",
		"é\xc3é\ufffd\xc3": "é\ufffdé\ufffd\ufffd",
	} {
		if got := validUTF8(in); got != want {
			t.Errorf("%+q: %+q, want %+q", in, got, want)
		}
	}
}
