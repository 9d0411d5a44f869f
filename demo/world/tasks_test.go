package world

import (
	"strings"
	"testing"

	"shallow/dataset"
	"shallow/eval/task"
)

// TestTasks writes the evaluation sets and their tasks, and builds items of them.
func TestTasks(t *testing.T) {
	dir := t.TempDir()
	w := New(1)
	if err := w.WriteData(dir+"/data", 1, 20); err != nil {
		t.Fatal(err)
	}
	if err := WriteTasks(dir + "/tasks"); err != nil {
		t.Fatal(err)
	}
	names := []string{"world_facts", "world_told", "world_reading", "world_endings", "world_sums", "world_written", "world_text"}
	set, err := task.Load(names, task.LoadOptions{Include: []string{dir + "/tasks"}})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]struct {
		items int
		first string // what the first item's context begins with
	}{
		"world_facts": {1440, "Question: "}, "world_told": {240, "Question: "}, "world_reading": {20, "Passage: "}, "world_endings": {20, "Story: "},
		"world_sums_1step": {20, "Question: "}, "world_sums_2step": {20, "Question: "}, "world_sums_3step": {20, "Question: "},
		"world_written": {20, "Question: "}, "world_text": {20, "Article: "},
	}
	if len(set.Tasks) != len(want) {
		t.Errorf("%d tasks, want %d", len(set.Tasks), len(want))
	}
	for _, x := range set.Tasks {
		run, err := x.Build(t.Context(), dataset.Open([]string{dir + "/data"}, nil), task.Options{})
		if err != nil {
			t.Errorf("%s: %v", x.Name, err)
			continue
		}
		first := run.Items[0].Text + run.Items[0].Context(0)
		if len(run.Items) != want[x.Name].items || !strings.HasPrefix(first, want[x.Name].first) {
			t.Errorf("%s: %d items, the first is %q", x.Name, len(run.Items), first)
		}
	}
}
