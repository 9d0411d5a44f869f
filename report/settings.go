package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"shallow/sweep"
)

// fact is a line of a list of settings.
type fact struct{ Name, Value string }

// modelFacts say which model it was.
func modelFacts(m *sweep.Model) []fact {
	facts := []fact{
		{"model", plain(m.Name)},
		{"fingerprint", plain(m.Fingerprint)},
		{"type", plain(m.Type)},
		{"layers", fmt.Sprint(m.Layers)},
		{"hidden size", fmt.Sprint(m.Hidden)},
		{"vocabulary", thousands(int64(m.Vocabulary))},
		{"parameters", thousands(m.Parameters)},
		{"bytes", fmt.Sprintf("%s (%s)", thousands(m.Bytes), amount(float64(m.Bytes)))},
		{"keys and values a token", amount(float64(m.CacheBytes))},
	}
	if d := m.Distances; d != nil {
		facts = append(facts,
			fact{"distances", fmt.Sprintf("%s, multiplied in %s", sampled(d), plain(d.Precision))},
			fact{"their corpus", plain(strings.Join(d.Corpus.Files, " "))},
			fact{"hash of its tokens", plain(d.Corpus.Hash)})
	}
	return slices.DeleteFunc(facts, func(f fact) bool { return f.Value == "" || f.Value == "0" || f.Value == "0 B" || f.Value == "0 (0 B)" })
}

// healingFacts are the settings of each healing.
func healingFacts(r *sweep.Result) (facts []fact) {
	for _, h := range r.Healings {
		var parts []string
		for _, k := range slices.Sorted(maps.Keys(h.Settings)) {
			parts = append(parts, plain(k)+" "+plain(h.Settings[k]))
		}
		facts = append(facts, fact{plain(h.Name), strings.Join(parts, "; ")})
	}
	return facts
}

// taskTable says how each task was set and computed. A task whose cells differ has a row for each setting.
func (b *builder) taskTable() dataTable {
	t := dataTable{Name: "Tasks", Head: []string{"task", "kind", "precision", "kernels", "shots", "limit", "documents", "seed", "cells"}, Words: 4}
	for _, s := range b.subjects {
		var rows [][]string
		counts := map[string]int{}
		for _, c := range s.cells() {
			limit := "all"
			if c.Limit != nil && *c.Limit > 0 {
				limit = fmt.Sprint(*c.Limit)
			}
			row := []string{plain(c.Task), plain(c.Kind), plain(c.Settings.Precision), plain(c.Settings.Kernels), fmt.Sprint(c.Shots), limit, fmt.Sprint(c.Samples), fmt.Sprint(c.Settings.Seed)}
			key := strings.Join(row, "\x00")
			if counts[key]++; counts[key] == 1 {
				rows = append(rows, row)
			}
		}
		for _, row := range rows {
			t.Rows = append(t.Rows, append(row, fmt.Sprint(counts[strings.Join(row, "\x00")])))
		}
	}
	return t
}

// fileTable lists the hashes of the files that documents and examples came from.
func (b *builder) fileTable() dataTable {
	files := map[[2]string]bool{}
	for _, s := range b.subjects {
		for _, c := range s.cells() {
			for name, hash := range c.Settings.Data {
				files[[2]string{plain(name), plain(hash)}] = true
			}
		}
	}
	t := dataTable{Name: "Files of documents and examples", Head: []string{"file", "SHA-256"}, Words: 2}
	for f := range files {
		t.Rows = append(t.Rows, []string{f[0], f[1]})
	}
	slices.SortFunc(t.Rows, slices.Compare)
	return t
}

// specText is the spec as it was asked for, indented.
func specText(r *sweep.Result) string {
	var b bytes.Buffer
	if len(r.Spec) == 0 || json.Indent(&b, r.Spec, "", "  ") != nil || b.String() == "null" {
		return ""
	}
	return b.String()
}
