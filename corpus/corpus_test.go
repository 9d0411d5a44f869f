package corpus_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"

	"shallow/corpus"
	"shallow/internal/shared"
)

// letters encodes a text as its bytes, behind a 0 if special.
type letters struct{}

func (letters) Encode(text string, special bool) []int {
	var ids []int
	if special {
		ids = append(ids, 0)
	}
	for _, b := range []byte(text) {
		ids = append(ids, int(b))
	}
	return ids
}

func (letters) Err() error { return nil }

func encoder() (corpus.Encoder, error) { return letters{}, nil }

// write puts content into a file of a temporary folder.
func write(t testing.TB, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// sparse is a file of a line that is too long.
func sparse(t testing.TB, name string) string {
	t.Helper()
	path := write(t, name, `{"text":"`)
	if err := os.Truncate(path, 64<<20+1); err != nil {
		t.Fatal(err)
	}
	return path
}

// parquetFile writes rows as a .parquet file, several to a row group.
func parquetFile[T any](t testing.TB, rows []T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "c.parquet")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w := parquet.NewGenericWriter[T](f, parquet.MaxRowsPerRowGroup(2))
	if _, err := w.Write(rows); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.Close(), f.Close()); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestDocuments(t *testing.T) {
	type textRow struct {
		Number int64  `parquet:"number"`
		Text   string `parquet:"text"`
	}
	type optionalRow struct {
		Body *string `parquet:"body,optional"`
	}
	type idsRow struct {
		IDs []int32 `parquet:"ids,list"`
	}
	type repeatedRow struct {
		IDs []int64 `parquet:"ids"`
	}
	body := "x\ny"
	for name, c := range map[string]struct {
		file  string
		o     corpus.Options
		texts []string
		ids   [][]int
	}{
		"text":                {write(t, "c.txt", "a\n\nb\n"), corpus.Options{}, []string{"a\n\nb\n"}, nil},
		"paragraphs":          {write(t, "c.txt", "\n \na\nb\r\n\r\n\n c\nd"), corpus.Options{Blank: true}, []string{"a\nb", " c\nd"}, nil},
		"lines":               {write(t, "c.jsonl", `{"text":"a\n"}`+"\n\n"+`{"n":1,"text":""}`), corpus.Options{}, []string{"a\n", ""}, nil},
		"another key":         {write(t, "c.jsonl", `{"text":1,"body":"é"}`+"\n"), corpus.Options{Field: "body"}, []string{"é"}, nil},
		"ids":                 {write(t, "c.jsonl", `{"ids":[1,2],"text":"a"}`+"\n"+`{"ids":[]}`), corpus.Options{}, []string{"", ""}, [][]int{{1, 2}, {}}},
		"list":                {write(t, "c.json", " [ {\"text\":\"a\"},\n{\"text\":\"b\"} ]\n"), corpus.Options{}, []string{"a", "b"}, nil},
		"objects":             {write(t, "c.json", "{\"text\":\"a\"}\n{\"text\":\"b\"}"), corpus.Options{}, []string{"a", "b"}, nil},
		"lines, a list":       {write(t, "c.jsonl", "\ufeff[{\"text\":\"}\\\"]\"}\n,\n{\"text\":\"b\",\"n\":[{}]}]"), corpus.Options{}, []string{"}\"]", "b"}, nil},
		"objects over lines":  {write(t, "c.JSON", "\ufeff\n{\n\"ids\":\n[3]}\n{\n\"text\":\"b\"\n}"), corpus.Options{}, []string{"", "b"}, [][]int{{3}}},
		"pair":                {write(t, "c.jsonl", `{"prompt":"é ","completion":"b","text":"c"}`+"\n"+`{"prompt":"a","text":"c"}`), corpus.Options{}, []string{"é b", "c"}, nil},
		"pair, another key":   {write(t, "c.jsonl", `{"prompt":"a","completion":"b","body":"c"}`), corpus.Options{Field: "body"}, []string{"c"}, nil},
		"pair of ids":         {write(t, "c.jsonl", `{"prompt":[1,2],"completion":[3]}`), corpus.Options{}, []string{""}, [][]int{{1, 2, 3}}},
		"byte order mark":     {write(t, "c.txt", "\ufeffa"), corpus.Options{}, []string{"a"}, nil},
		"parquet":             {parquetFile(t, []textRow{{1, "a"}, {2, ""}, {3, "ccc"}}), corpus.Options{}, []string{"a", "", "ccc"}, nil},
		"parquet, optional":   {parquetFile(t, []optionalRow{{&body}}), corpus.Options{Field: "body"}, []string{body}, nil},
		"parquet, ids":        {parquetFile(t, []idsRow{{[]int32{7, 8}}, {nil}, {[]int32{9}}}), corpus.Options{}, []string{"", "", ""}, [][]int{{7, 8}, {}, {9}}},
		"parquet, repetition": {parquetFile(t, []repeatedRow{{[]int64{1 << 40}}, {[]int64{1, 2}}}), corpus.Options{}, []string{"", ""}, [][]int{{1 << 40}, {1, 2}}},
	} {
		var texts []string
		var ids [][]int
		for d, err := range corpus.Documents(c.file, c.o) {
			if err != nil {
				t.Errorf("%s: %v", name, err)
				break
			}
			if !strings.HasPrefix(d.Where, c.file) {
				t.Errorf("%s: a document is said to be at %q", name, d.Where)
			}
			texts = append(texts, d.Text)
			if d.IDs != nil {
				ids = append(ids, d.IDs)
			}
		}
		if !reflect.DeepEqual(texts, c.texts) || !reflect.DeepEqual(ids, c.ids) {
			t.Errorf("%s: texts %q, ids %v; want %q, %v", name, texts, ids, c.texts, c.ids)
		}
	}
}

func TestRefuses(t *testing.T) {
	type row struct {
		Text *string `parquet:"text,optional"`
		N    int64   `parquet:"n"`
	}
	nulls := parquetFile(t, []row{{nil, 1}})
	for _, c := range []struct {
		file  string
		field string
		want  string
	}{
		{filepath.Join(t.TempDir(), "absent.txt"), "", "absent.txt"},
		{t.TempDir(), "", "is a directory"},
		{write(t, "c.csv", "a"), "", "none of .txt, .jsonl"},
		{write(t, "c.txt", ""), "", "no documents, or only empty ones"},
		{write(t, "c.txt", " \n"), "", "no documents, or only empty ones"},
		{write(t, "c.jsonl", "\n"), "", "no documents, or only empty ones"},
		{write(t, "c.json", ""), "", "no documents, or only empty ones"},
		{write(t, "c.json", "[]"), "", "no documents, or only empty ones"},
		{write(t, "c.jsonl", `{"ids":[]}`), "", "no documents, or only empty ones"},
		{write(t, "c.jsonl", `{"text":"a"}`+"\n"+`{"text":`), "", "line 2: no JSON object"},
		{write(t, "c.jsonl", `{"text":"a"}`+"\n"+`{"body":"b"}`), "", `line 2: the object has neither "text" nor "ids"`},
		{write(t, "c.jsonl", `{"text":null}`), "", `line 1: "text" is no text`},
		{write(t, "c.jsonl", `{"text":["a"]}`), "", `line 1: "text" is no text`},
		{write(t, "c.jsonl", `["a"]`), "", "line 1: no JSON object"},
		{write(t, "c.jsonl", `{"ids":null}`), "", `line 1: "ids" is no list`},
		{write(t, "c.jsonl", `{"ids":[1.5]}`), "", `line 1: "ids" is no list`},
		{write(t, "c.jsonl", `{"ids":[3,-1]}`), "", "line 1: token 1 is -1"},
		{write(t, "c.jsonl", `{"ids":[99999999999999999999]}`), "", `line 1: "ids" is no list`},
		{write(t, "c.json", `[{"text":"a"},{"text":"b"}`), "", "it is not whole"},
		{write(t, "c.json", `[{"text":"a"},`), "", "line 1: the file ends in the middle"},
		{write(t, "c.json", "[{\"text\":\"a\"}\n{\"text\":\"b\"}]"), "", "line 2: '{' stands where a comma"},
		{write(t, "c.json", `[3]`), "", "line 1: no JSON object"},
		{write(t, "c.json", "[{\"text\":\"a\"},\n]"), "", "line 2: no object between the comma and the end"},
		{write(t, "c.json", "[]\n,"), "", "line 2: ',' stands behind the end"},
		{write(t, "c.json", "[\n{\"text\":\n\n\"a\",}]"), "", "line 4: no JSON object: invalid character '}'"},
		{write(t, "c.json", "[\n{\"text\":\"a\n\"}]"), "", "line 2: no JSON object: a string has no end"},
		{write(t, "c.json", "{\"text\":\"a\"}\n{\"text\""), "", "line 2: the file ends in the middle of this object"},
		{write(t, "c.json", "{\"text\":[}}"), "", "line 1: no JSON object"},
		{write(t, "c.json", strings.Repeat("{\"a\":", 20000)+"1"+strings.Repeat("}", 20000)), "", "exceeded max depth"},
		{write(t, "c.jsonl", `{"ids":[1,null]}`), "", `line 1: "ids" is no list`},
		{write(t, "c.jsonl", "\n"+`{"ids":[1,256]}`), "", "line 2: token 1 is 256: the vocabulary has 256"},
		{write(t, "c.json", "[\n{\"ids\":[256]}]"), "", "line 2: token 0 is 256: the vocabulary has 256"},
		{write(t, "c.jsonl", `{"prompt":"a","completion":[1]}`), "", "line 1: of \"prompt\" and \"completion\" one is a text"},
		{write(t, "c.jsonl", `{"prompt":null,"completion":[1]}`), "", `line 1: "prompt" is neither a text`},
		{write(t, "c.jsonl", `{"prompt":"a","completion":[{"role":"user"}]}`), "", `line 1: "completion" is neither a text`},
		{write(t, "c.jsonl", `{"prompt":[],"completion":[]}`), "", "no documents, or only empty ones"},
		{sparse(t, "c.jsonl"), "", "line 1: is longer than 64 MB"},
		{write(t, "c.parquet", "PAR1 no"), "", "no Parquet file"},
		{write(t, "c.parquet", "PAR1\x15\x06\x15 \x15 \x15\xe1PAR1"), "", "its footer of"},
		{nulls, "", "row 0 has no text"},
		{nulls, "body", `it has no column "body"`},
		{nulls, "n", `column "n" is no text`},
	} {
		_, err := corpus.Read(context.Background(), []string{c.file}, encoder, corpus.Options{Field: c.field, Vocabulary: 256})
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), c.file) {
			t.Errorf("%s: %v; want the file's name and %q", c.file, err, c.want)
		}
	}
	if _, err := corpus.Read(context.Background(), nil, encoder, corpus.Options{}); err == nil {
		t.Error("no file is accepted")
	}
}

func TestRead(t *testing.T) {
	files := []string{
		write(t, "a.jsonl", `{"ids":[5,6,7]}`+"\n"+`{"text":"  "}`+"\n"+`{"text":"abc"}`),
		write(t, "b.txt", "xyz"),
	}
	x, y, z := corpus.Sequence{[]int{0, 'x'}, 3, 0}, corpus.Sequence{[]int{0, 'y'}, 3, 0}, corpus.Sequence{[]int{0, 'z'}, 3, 0}
	for _, c := range []struct {
		o    corpus.Options
		want []corpus.Sequence
	}{
		{corpus.Options{}, []corpus.Sequence{{[]int{5, 6, 7}, 0, 0}, {[]int{0, 'a', 'b', 'c'}, 2, 0}, {[]int{0, 'x', 'y', 'z'}, 3, 0}}},
		{corpus.Options{Length: 2}, []corpus.Sequence{{[]int{5, 6}, 0, 0}, {[]int{0, 'a'}, 2, 0}, x, y, z}},
		{corpus.Options{Tokens: 4}, []corpus.Sequence{{[]int{5, 6, 7}, 0, 0}, {[]int{0, 'a', 'b', 'c'}, 2, 0}}},
		{corpus.Options{Tokens: 11}, []corpus.Sequence{{[]int{5, 6, 7}, 0, 0}, {[]int{0, 'a', 'b', 'c'}, 2, 0}, {[]int{0, 'x', 'y', 'z'}, 3, 0}}},
		{corpus.Options{Tokens: 12}, []corpus.Sequence{{[]int{5, 6, 7}, 0, 0}, {[]int{0, 'a', 'b', 'c'}, 2, 0}, {[]int{0, 'x', 'y', 'z'}, 3, 0}}},
		{corpus.Options{Tokens: 8, Length: 2}, []corpus.Sequence{{[]int{5, 6}, 0, 0}, {[]int{0, 'a'}, 2, 0}, x, y}},
		{corpus.Options{Samples: 2, Length: 9}, []corpus.Sequence{{[]int{5, 6, 7}, 0, 0}, {[]int{0, 'a', 'b', 'c'}, 2, 0}}},
	} {
		got, err := corpus.Read(context.Background(), files, encoder, c.o)
		if err != nil || !reflect.DeepEqual(got.Sequences, c.want) {
			t.Errorf("%+v: %v, %v; want %v", c.o, got, err, c.want)
			continue
		}
		tokens := 0
		for _, s := range c.want {
			tokens += len(s.IDs)
		}
		if want := c.o.Samples > 0 || c.o.Tokens > 0 && c.o.Tokens < 12; got.Full != want {
			t.Errorf("%+v: full is %v, want %v", c.o, got.Full, want)
		}
		if got.Skipped != 1 || got.Documents != c.want[len(c.want)-1].Document || got.Tokens != tokens {
			t.Errorf("%+v: %d documents, %d skipped, %d tokens; want %d, 1, %d", c.o, got.Documents, got.Skipped, got.Tokens, c.want[len(c.want)-1].Document, tokens)
		}
	}
}

// TestPairs takes prompts with their completions. framed's 1 ends every text, as some tokenizers' end-of-text token does.
func TestPairs(t *testing.T) {
	texts := write(t, "a.jsonl", `{"prompt":"ab","completion":"c"}`+"\n"+`{"prompt":"","completion":"d"}`+"\n"+`{"prompt":"e","completion":""}`)
	ids := write(t, "b.jsonl", `{"prompt":[5,6],"completion":[7,8]}`)
	e := new(framed)
	for name, c := range map[string]struct {
		file    string
		encoder func() (corpus.Encoder, error)
		o       corpus.Options
		want    []corpus.Sequence
	}{
		"no end":          {texts, encoder, corpus.Options{}, []corpus.Sequence{{[]int{0, 'a', 'b', 'c'}, 0, 3}, {[]int{0, 'd'}, 1, 1}, {[]int{0, 'e'}, 2, 2}}},
		"an end":          {texts, encoder, corpus.Options{End: []int{9}}, []corpus.Sequence{{[]int{0, 'a', 'b', 'c', 9}, 0, 3}, {[]int{0, 'd', 9}, 1, 1}, {[]int{0, 'e', 9}, 2, 2}}},
		"the end's own":   {texts, e.open, corpus.Options{End: []int{1}}, []corpus.Sequence{{[]int{0, 'a', 'b', 'c', 1}, 0, 3}, {[]int{0, 'd', 1}, 1, 1}, {[]int{0, 'e', 1}, 2, 2}}},
		"cut":             {texts, encoder, corpus.Options{Length: 2, End: []int{9}}, []corpus.Sequence{{[]int{0, 'a'}, 0, 2}, {[]int{0, 'd'}, 1, 1}, {[]int{0, 'e'}, 2, 2}}},
		"ids as they are": {ids, encoder, corpus.Options{End: []int{9}}, []corpus.Sequence{{[]int{5, 6, 7, 8}, 0, 2}}},
	} {
		got, err := corpus.Read(context.Background(), []string{c.file}, c.encoder, c.o)
		if err != nil || !reflect.DeepEqual(got.Sequences, c.want) {
			t.Errorf("%s: %v, %v; want %v", name, got, err, c.want)
		}
	}
}

func TestReadStops(t *testing.T) {
	file := write(t, "a.jsonl", `{"text":"abc"}`)
	ctx, stop := context.WithCancel(context.Background())
	stop()
	if _, err := corpus.Read(ctx, []string{file}, encoder, corpus.Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("after a stop: %v", err)
	}
	broken := func() (corpus.Encoder, error) { return nil, errors.New("no tokenizer") }
	if _, err := corpus.Read(context.Background(), []string{file}, broken, corpus.Options{}); err == nil || err.Error() != "no tokenizer" {
		t.Errorf("texts without a tokenizer: %v", err)
	}
	ids := write(t, "b.jsonl", `{"ids":[1]}`)
	if _, err := corpus.Read(context.Background(), []string{ids}, broken, corpus.Options{}); err != nil {
		t.Errorf("ids without a tokenizer: %v", err)
	}
}

func TestSharedTexts(t *testing.T) {
	for path, want := range map[string]int{"c4/c4-300.json": 300, "tinystories/derived-cased-stories.jsonl": 222, "shakespeare": 1, "war-and-peace": 1} {
		file := shared.Dir(t, "data", "text", path)
		if info, err := os.Stat(file); err == nil && info.IsDir() {
			found, err := filepath.Glob(filepath.Join(file, "*.txt"))
			if err != nil || len(found) == 0 {
				continue
			}
			file = found[0]
		}
		n := 0
		for d, err := range corpus.Documents(file, corpus.Options{}) {
			if err != nil {
				t.Fatal(err)
			}
			if d.Text == "" {
				t.Errorf("%s is empty", d.Where)
			}
			n++
		}
		if n != want {
			t.Errorf("%s has %d documents, want %d", path, n, want)
		}
	}
}

// FuzzJSONLines holds what is read of JSON against encoding/json on whole lines and whole lists.
func FuzzJSONLines(f *testing.F) {
	for _, seed := range []string{
		`{"ids":[1,2]}`, `{"text":"a"}` + "\n\n" + `{"text":"}\\\""}`, `[{"text":"a"},{"ids":[3]}]`, `[`, `{"text":`, "\ufeff{}", `[{"text":"a"},]`, `{"ids":[-1]}`, "null",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, name := range []string{"c.jsonl", "c.json"} {
			file := write(t, name, string(data))
			var got []string
			var failed error
			for d, err := range corpus.Documents(file, corpus.Options{}) {
				if failed = err; err != nil {
					break
				}
				for _, id := range d.IDs {
					if id < 0 {
						t.Errorf("%s: ids %v", name, d.IDs)
					}
				}
				got = append(got, fmt.Sprint(d.Text, d.IDs))
			}
			if failed != nil {
				if !strings.HasPrefix(failed.Error(), "corpus: "+file+": line ") {
					t.Errorf("the error does not name file and line: %v", failed)
				}
				continue
			}
			want, err := decode(bytes.TrimPrefix(data, []byte("\ufeff")))
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("%s: %q, want %q, %v", name, got, want, err)
			}
		}
	})
}

// decode reads objects with encoding/json alone.
func decode(data []byte) (documents []string, err error) {
	type object = map[string]json.RawMessage
	var objects []object
	if bytes.HasPrefix(bytes.TrimLeft(data, " \t\r\n"), []byte("[")) {
		err = json.Unmarshal(data, &objects)
	} else {
		dec := json.NewDecoder(bytes.NewReader(data))
		for err == nil {
			var o object
			if err = dec.Decode(&o); err == nil {
				objects = append(objects, o)
			}
		}
		if errors.Is(err, io.EOF) {
			err = nil
		}
	}
	for _, o := range objects {
		var text string
		var ids []int
		if raw, ok := o["ids"]; ok {
			err = errors.Join(err, json.Unmarshal(raw, &ids))
		} else {
			err = errors.Join(err, json.Unmarshal(o["text"], &text))
		}
		documents = append(documents, fmt.Sprint(text, ids))
	}
	return documents, err
}

func FuzzDocuments(f *testing.F) {
	endings := []string{"c.txt", "c.jsonl", "c.json", "c.parquet"}
	f.Add(1, []byte(`{"ids":[1,2]}`))
	f.Add(2, []byte(`[{"text":"a"}]`))
	if data, err := os.ReadFile(parquetFile(f, []struct {
		Text string `parquet:"text"`
	}{{"a"}, {"b"}})); err == nil {
		f.Add(3, data)
	}
	f.Fuzz(func(t *testing.T, ending int, data []byte) {
		file := write(t, endings[uint(ending)%uint(len(endings))], string(data))
		for d, err := range corpus.Documents(file, corpus.Options{Blank: true}) {
			if err != nil && !strings.Contains(err.Error(), file) {
				t.Errorf("the error does not name the file: %v", err)
			}
			for _, id := range d.IDs {
				if id < 0 {
					t.Errorf("ids %v", d.IDs)
				}
			}
		}
	})
}

// TestDamagedParquet changes one byte of a file after the other. Some of these files make the library panic, which must not
// get out.
func TestDamagedParquet(t *testing.T) {
	data, err := os.ReadFile(parquetFile(t, []struct {
		Text *string `parquet:"text,optional,dict"`
	}{{new("a")}, {new("b")}, {new("a")}}))
	if err != nil {
		t.Fatal(err)
	}
	panics := 0
	for i := range data {
		for _, change := range []byte{1, 0x10, 0x80} {
			data[i] ^= change
			file := write(t, "c.parquet", string(data))
			data[i] ^= change
			for _, err := range corpus.Documents(file, corpus.Options{}) {
				if err == nil {
					continue
				}
				if !strings.HasPrefix(err.Error(), "corpus: "+file+": ") {
					t.Errorf("byte %d changed by %#x: the error does not name the file: %v", i, change, err)
				}
				if strings.Contains(err.Error(), "is damaged: runtime error") {
					panics++
				}
			}
		}
	}
	t.Logf("%d panics became errors", panics)
}
