package prune

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"shallow/checkpoint"
)

var update = flag.Bool("update", false, "write the golden files and tables anew")

// familyCut is a row of testdata/cuts.json: layers cut out of configs/<name>.json, and what must have changed, or why it is refused.
type familyCut struct {
	Name    string
	Prefix  string
	Drop    []int
	Changes map[string]any // by path, with dots
	Refused string
}

func familyCuts(t *testing.T) (cuts []familyCut) {
	t.Helper()
	text, err := os.ReadFile("testdata/cuts.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &cuts); err != nil {
		t.Fatal(err)
	}
	return cuts
}

func readConfig(t *testing.T, name string) *checkpoint.Config {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "configs", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	c, err := checkpoint.ParseConfig(text)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestFamilies cuts layers out of configs as published ones of each family are. What must change is written by hand; the whole result is
// in testdata/cut, which internal/reference/surgery.py holds against transformers.
func TestFamilies(t *testing.T) {
	for _, c := range familyCuts(t) {
		t.Run(c.Name, func(t *testing.T) {
			config := readConfig(t, c.Name)
			layout := checkpoint.Layout{Prefix: c.Prefix, Layers: config.Layers()}
			text, notes, err := rewrite(config, layout, c.Drop)
			if c.Refused != "" {
				if err == nil || !strings.Contains(err.Error(), c.Refused) {
					t.Errorf("%v, %s; want an error with %q", err, text, c.Refused)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			got, want := flat(t, text), flat(t, config.Bytes())
			for path, v := range c.Changes {
				want[path] = v
				if _, ok := v.([]any); len(notes) == 0 && ok {
					t.Errorf("%s changed and no note says so", path)
				}
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("got\n%v\nwant\n%v", got, want)
			}
			golden(t, filepath.Join("testdata", "cut", c.Name+".json"), text)
		})
	}
}

// flat lists the values of a config by their paths; lists are values.
func flat(t *testing.T, text []byte) map[string]any {
	t.Helper()
	var root map[string]any
	if err := json.Unmarshal([]byte(strings.ReplaceAll(string(text), "Infinity", `"Infinity"`)), &root); err != nil {
		t.Fatal(err)
	}
	all := map[string]any{}
	var walk func(path string, object map[string]any)
	walk = func(path string, object map[string]any) {
		for key, v := range object {
			if inner, ok := v.(map[string]any); ok {
				walk(path+key+".", inner)
				continue
			}
			all[path+key] = v
		}
	}
	walk("", root)
	return all
}

// golden compares a text with a file, or writes it with -update.
func golden(t *testing.T, path string, text []byte) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, text, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != string(text) {
		t.Errorf("%s differs from what is made now; -update writes it anew. Now:\n%s", path, text)
	}
}
