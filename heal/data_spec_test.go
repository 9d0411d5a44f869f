package heal

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"shallow/corpus"
)

func TestParseCorpus(t *testing.T) {
	for _, c := range []struct {
		text string
		want CorpusSpec
	}{
		{"a.jsonl", CorpusSpec{"a.jsonl", 0}},
		{"a.jsonl:0.7", CorpusSpec{"a.jsonl", 0.7}},
		{"a.jsonl:.5", CorpusSpec{"a.jsonl", 0.5}},
		{"a:1:2", CorpusSpec{"a:1", 2}},
		{"allenai/c4:en/validation", CorpusSpec{"allenai/c4:en/validation", 0}},
		{"allenai/c4:en/validation:3", CorpusSpec{"allenai/c4:en/validation", 3}},
		{`C:\a.txt`, CorpusSpec{`C:\a.txt`, 0}},
		{"a.jsonl:inf", CorpusSpec{"a.jsonl:inf", 0}},
		{"a.jsonl:1e3", CorpusSpec{"a.jsonl:1e3", 0}},
		{"a.jsonl:-1", CorpusSpec{"a.jsonl:-1", 0}},
		{"a.jsonl:", CorpusSpec{"a.jsonl:", 0}},
	} {
		if got, err := ParseCorpus(c.text); err != nil || got != c.want {
			t.Errorf("%q is %+v, %v, want %+v", c.text, got, err, c.want)
		}
	}
	for _, text := range []string{"", " ", ":0.7", "a:0", "a:0.0"} {
		if got, err := ParseCorpus(text); err == nil {
			t.Errorf("%q is %+v", text, got)
		}
	}
}

func TestParseStage(t *testing.T) {
	for _, c := range []struct {
		text string
		want StageSpec
	}{
		{"80%=a.jsonl:0.7,b.jsonl:0.3", StageSpec{80, []CorpusSpec{{"a.jsonl", 0.7}, {"b.jsonl", 0.3}}}},
		{"0.2=c=d.jsonl", StageSpec{0.2, []CorpusSpec{{"c=d.jsonl", 0}}}},
		{"1=a.txt", StageSpec{1, []CorpusSpec{{"a.txt", 0}}}},
	} {
		if got, err := ParseStage(c.text); err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%q is %+v, %v, want %+v", c.text, got, err, c.want)
		}
	}
	for _, text := range []string{"", "a.jsonl", "=a", "%=a", "0=a", "-1=a", "80%=", "80%=a,", "x=a", "Inf=a", "8%%=a"} {
		if got, err := ParseStage(text); err == nil {
			t.Errorf("%q is %+v", text, got)
		}
	}
}

func TestGroups(t *testing.T) {
	got, err := Groups([]CorpusSpec{{"a", 0}, {"b", 0}})
	if want := []Group{{"a, b", 1, []string{"a", "b"}}}; err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("without weights: %v, %v", got, err)
	}
	got, err = Groups([]CorpusSpec{{"a", 2}, {"b", 0.5}})
	if want := []Group{{"a", 2, []string{"a"}}, {"b", 0.5, []string{"b"}}}; err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("with weights: %v, %v", got, err)
	}
	if _, err := Groups(nil); err == nil {
		t.Error("no corpus makes groups")
	}
	if _, err := Groups([]CorpusSpec{{"a", 2}, {"b", 0}}); err == nil || !strings.Contains(err.Error(), "a, b: some corpora have a weight") {
		t.Errorf("half of them with weights: %v", err)
	}
}

func FuzzParseStage(f *testing.F) {
	for _, text := range []string{"80%=a.jsonl:0.7,b.jsonl:0.3", "1=a:1:2", "=", "1=:1", "00000000000000.1=a,b", "a:7"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if c, err := ParseCorpus(text); err == nil && (strings.TrimSpace(c.Name) == "" || c.Weight < 0 || !strings.HasPrefix(text, c.Name)) {
			t.Errorf("corpus %q is %+v", text, c)
		}
		s, err := ParseStage(text)
		if err != nil {
			return
		}
		if !(s.Share > 0) || len(s.Corpora) == 0 {
			t.Errorf("stage %q is %+v", text, s)
		}
		// Written in full it reads the same.
		again := fmt.Sprintf("%.15f=", s.Share)
		for i, c := range s.Corpora {
			if i > 0 {
				again += ","
			}
			if again += c.Name; c.Weight > 0 {
				again += fmt.Sprintf(":%.15f", c.Weight)
			}
		}
		if got, err := ParseStage(again); err != nil || !reflect.DeepEqual(got, s) {
			t.Errorf("stage %q is %+v, but %q %+v, %v", text, s, again, got, err)
		}
	})
}

func TestDocuments(t *testing.T) {
	file := filepath.Join(t.TempDir(), "c.jsonl")
	if err := os.WriteFile(file, []byte(`{"ids":[1,2]}`+"\n"+`{"prompt":[3],"completion":[4,5]}`), 0o644); err != nil {
		t.Fatal(err)
	}
	c, err := corpus.Read(context.Background(), []string{file}, nil, corpus.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := Documents(c), []Document{{[]int{1, 2}, 0}, {[]int{3, 4, 5}, 1}}; !reflect.DeepEqual(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
