package hub

import (
	"context"
	"os"
	"strings"
	"testing"

	"shallow/hub/hubtest"
)

// TestChooseSplit has the layouts of well-known data sets.
func TestChooseSplit(t *testing.T) {
	c4 := []string{"README.md", "en/c4-train.00000-of-01024.json.gz", "en/c4-validation.00000-of-00008.json.gz"}
	c4Converted := []string{"en/partial-train/0000.parquet", "en/partial-train/0001.parquet", "en/partial-validation/0000.parquet", "realnewslike/partial-train/0000.parquet"}
	wikitext := []string{
		".gitattributes", "README.md", "wikitext-2-raw-v1/test-00000-of-00001.parquet", "wikitext-2-raw-v1/train-00000-of-00001.parquet",
		"wikitext-2-raw-v1/validation-00000-of-00001.parquet", "wikitext-103-v1/train-00000-of-00002.parquet", "wikitext-103-v1/train-00001-of-00002.parquet",
	}
	stories := []string{
		"TinyStories-train.txt", "TinyStories-valid.txt", "TinyStoriesV2-GPT4-train.txt", "data/train-00000-of-00002-2d5a1467fff1081b.parquet",
		"data/train-00001-of-00002-5852b56a2bd28fd9.parquet", "data/validation-00000-of-00001-869c898b519ad725.parquet",
	}
	mmlu := []string{"astronomy/dev-00000-of-00001.parquet", "astronomy/validation-00000-of-00001.parquet", "astronomy/test-00000-of-00001.parquet", "all/dev-00000-of-00001.parquet"}
	for name, test := range map[string]struct {
		files []string
		id    string
		want  string // the files, or an error
	}{
		"c4 is compressed":      {c4, "a/b:en/validation", "no .parquet, .jsonl, .json, .txt files"},
		"c4, converted":         {c4Converted, "a/b:en/validation", "en/partial-validation/0000.parquet"},
		"c4, converted, train":  {c4Converted, "a/b:en", "en/partial-train/0000.parquet en/partial-train/0001.parquet"},
		"c4, which config":      {c4Converted, "a/b:train", "several configs: say which, as a/b:en; there are en, realnewslike"},
		"wikitext":              {wikitext, "a/b:wikitext-2-raw-v1/test", "wikitext-2-raw-v1/test-00000-of-00001.parquet"},
		"wikitext, train":       {wikitext, "a/b:wikitext-103-v1", "wikitext-103-v1/train-00000-of-00002.parquet wikitext-103-v1/train-00001-of-00002.parquet"},
		"wikitext, no config":   {wikitext, "a/b:fr/test", `no config "fr": it has wikitext-103-v1, wikitext-2-raw-v1`},
		"wikitext, no split":    {wikitext, "a/b:wikitext-103-v1/test", `no split "test": it has train`},
		"only one has it":       {wikitext, "a/b:validation", "wikitext-2-raw-v1/validation-00000-of-00001.parquet"},
		"stories":               {stories, "a/b", "data/train-00000-of-00002-2d5a1467fff1081b.parquet data/train-00001-of-00002-5852b56a2bd28fd9.parquet"},
		"stories, dev":          {stories, "a/b:dev", "data/validation-00000-of-00001-869c898b519ad725.parquet"},
		"one file":              {[]string{"texts.jsonl", "dataset_infos.json", "LICENSE.txt", ".x.json"}, "a/b", "texts.jsonl"},
		"json before text":      {[]string{"train.txt", "train.json"}, "a/b", "train.json"},
		"folders are splits":    {[]string{"data/train/a.jsonl", "data/test/b.jsonl"}, "a/b:test", "data/test/b.jsonl"},
		"own split":             {[]string{"data/holdout-00000-of-00001.parquet", "data/train-00000-of-00001.parquet"}, "a/b:/holdout", "data/holdout-00000-of-00001.parquet"},
		"one own split":         {[]string{"data/prompts-00000-of-00001.parquet"}, "a/b", "data/prompts-00000-of-00001.parquet"},
		"two own splits":        {[]string{"data/x-00000-of-00001.parquet", "data/y-00000-of-00001.parquet"}, "a/b", "say which split: a/b:config/split; there are x, y"},
		"converted, own split":  {[]string{"default/holdout/0000.parquet"}, "a/b:default/holdout", "default/holdout/0000.parquet"},
		"the default wins":      {[]string{"default/train/0000.parquet", "other/train/0000.parquet"}, "a/b", "default/train/0000.parquet"},
		"config in the name":    {[]string{"wiki_en-train.jsonl", "wiki_de-train.jsonl"}, "a/b:de", "wiki_de-train.jsonl"},
		"config in data":        {[]string{"data/en/train.jsonl", "data/de/train.jsonl"}, "a/b:de", "data/de/train.jsonl"},
		"config below a folder": {[]string{"v1/en/train.jsonl", "v1/de/train.jsonl"}, "a/b:de", "v1/de/train.jsonl"},
		"dev is its own":        {mmlu, "a/b:astronomy/dev", "astronomy/dev-00000-of-00001.parquet"},
		"nor is it the other":   {mmlu, "a/b:astronomy/validation", "astronomy/validation-00000-of-00001.parquet"},
		"its other name":        {mmlu, "a/b:astronomy/val", "astronomy/validation-00000-of-00001.parquet"},
		"nothing":               {nil, "a/b", "no .parquet"},
	} {
		t.Run(name, func(t *testing.T) {
			split, err := ParseDataset(test.id)
			if err != nil {
				t.Fatal(err)
			}
			var files []File
			for _, name := range test.files {
				files = append(files, File{Name: name})
			}
			chosen, err := chooseSplit(files, split)
			var got []string
			for _, f := range chosen {
				got = append(got, f.Name)
			}
			if err != nil && !strings.Contains(err.Error(), test.want) || err == nil && strings.Join(got, " ") != test.want {
				t.Errorf("%s, %v; want %s", got, err, test.want)
			}
		})
	}
}

// TestSplitFiles takes compressed files too, and no more of them than are wanted.
func TestSplitFiles(t *testing.T) {
	s := hubtest.New(t)
	s.Add("datasets/acme/c4", "main", map[string]hubtest.File{
		"en/c4-validation.00000-of-00002.json.gz": large(1000, 1), "en/c4-validation.00001-of-00002.json.gz": large(1000, 2), "en/c4-train.00000-of-00001.json.gz": large(1000, 3),
	})
	h := client(t, s)
	for n, want := range []int{2, 1, 2, 2} {
		paths, err := h.SplitFiles(context.Background(), "acme/c4", "en", "validation", n)
		if err != nil || len(paths) != want || !strings.HasSuffix(paths[0], "/en/c4-validation.00000-of-00002.json.gz") {
			t.Errorf("%d: %v, %v", n, paths, err)
		}
	}
	if _, err := h.SplitFiles(context.Background(), "../c4", "en", "validation", 0); err == nil || !strings.Contains(err.Error(), "is no id") {
		t.Error(err)
	}
}

func fetchSplit(t *testing.T, h *Hub, id string, n int) ([]string, error) {
	t.Helper()
	split, err := ParseDataset(id)
	if err != nil {
		t.Fatal(err)
	}
	shards, err := h.Dataset(context.Background(), split)
	if err != nil {
		return nil, err
	}
	if n == 0 {
		n = shards.Len()
	}
	return shards.Fetch(context.Background(), n)
}

func TestDataset(t *testing.T) {
	s := hubtest.New(t)
	s.Page = 2
	files := map[string]hubtest.File{"README.md": text("#")}
	for _, name := range []string{"en/train-00000-of-00003.jsonl", "en/train-00001-of-00003.jsonl", "en/train-00002-of-00003.jsonl", "en/validation-00000-of-00001.jsonl", "de/train.jsonl"} {
		files[name] = hubtest.File{Data: []byte(`{"text":"` + name + `"}`), Large: true}
	}
	s.Add("datasets/acme/texts", "main", files)
	h := client(t, s)
	paths, err := fetchSplit(t, h, "acme/texts:en", 2)
	if err != nil {
		t.Fatal(err)
	}
	if len(paths) != 2 || !strings.Contains(paths[0], "datasets--acme--texts") {
		t.Fatalf("%v, want two files", paths)
	}
	if data, err := os.ReadFile(paths[1]); err != nil || string(data) != `{"text":"en/train-00001-of-00003.jsonl"}` {
		t.Errorf("%s, %v", data, err)
	}
	contents := 0
	for _, r := range s.Requests() {
		if "http://"+r.Host == s.CDN {
			contents++
		}
		if strings.Contains(r.Path, "/tree/") && !strings.HasSuffix(r.Path, "/en") {
			t.Errorf("%s was listed, the config's folder would do", r.Path)
		}
	}
	if contents != 2 {
		t.Errorf("%d contents came, want 2", contents)
	}
	if _, err := fetchSplit(t, h, "acme/texts:fr", 0); err == nil || !strings.Contains(err.Error(), `no config "fr": it has de, en`) {
		t.Error(err)
	}

	h.Offline = true
	var notes []string
	h.Note = func(text string) { notes = append(notes, text) }
	if paths, err = fetchSplit(t, h, "acme/texts:en/train", 0); err != nil || len(paths) != 2 {
		t.Errorf("offline: %v, %v", paths, err)
	}
	if len(notes) != 1 || !strings.Contains(notes[0], "the 2 files of the split that are in the cache") {
		t.Errorf("offline: %q", notes)
	}
	if _, err := fetchSplit(t, h, "acme/other", 0); err == nil || !strings.Contains(err.Error(), "not in the cache") {
		t.Error(err)
	}
}

// TestConverted takes the hub's own Parquet files where there is nothing else.
func TestConverted(t *testing.T) {
	s := hubtest.New(t)
	s.Add("datasets/acme/script", "main", map[string]hubtest.File{"script.py": text("pass"), "data.csv.gz": text("x")})
	s.Add("datasets/acme/script", "refs/convert/parquet", map[string]hubtest.File{"default/train/0000.parquet": large(1000, 1), "default/test/0000.parquet": large(1000, 2)})
	s.Add("datasets/acme/none", "main", map[string]hubtest.File{"script.py": text("pass")})
	h := client(t, s)
	for range 2 {
		paths, err := fetchSplit(t, h, "acme/script:test", 0)
		if err != nil || len(paths) != 1 || !strings.HasSuffix(paths[0], "/default/test/0000.parquet") {
			t.Fatalf("%v, %v", paths, err)
		}
		h.Offline = true
	}
	h.Offline = false
	if _, err := fetchSplit(t, h, "acme/none", 0); err == nil || !strings.Contains(err.Error(), "acme/none: the data set has no .parquet") {
		t.Error(err)
	}
	if _, err := fetchSplit(t, h, "acme/script@main:test", 0); err != nil {
		t.Error(err)
	}
	if _, err := fetchSplit(t, h, "acme/script:holdout", 0); err == nil || !strings.Contains(err.Error(), `no config "holdout": it has default`) {
		t.Error(err)
	}
	h.Endpoint = "http://127.0.0.1:1"
	if paths, err := fetchSplit(t, h, "acme/script:test", 0); err != nil || len(paths) != 1 {
		t.Errorf("without network: %v, %v", paths, err)
	}
}
