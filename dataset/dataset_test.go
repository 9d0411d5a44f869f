package dataset

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"shallow/hub"
)

var _ Remote = (*hub.Hub)(nil)

// remote is a hub of two files.
type remote struct {
	dir   string
	asked []string
	n     int
	err   error
}

func (r *remote) SplitFiles(_ context.Context, path, config, split string, n int) ([]string, error) {
	r.asked, r.n = []string{path, config, split}, n
	return []string{filepath.Join(r.dir, "0.jsonl"), filepath.Join(r.dir, "1.jsonl")}, r.err
}

func TestRemote(t *testing.T) {
	r := &remote{dir: write(t, map[string]string{"0.jsonl": "{\"text\":\"a\"}\n{\"text\":\"b\"}\n", "1.jsonl": `{"text":"c"}`})}
	s := Open(nil, r)
	table, err := s.Rows(context.Background(), Split{Path: "me/own", Config: "x", Split: "test"})
	if err != nil {
		t.Fatal(err)
	}
	if len(table.Rows) != 3 || table.Rows[2]["text"] != "c" || !reflect.DeepEqual(r.asked, []string{"me/own", "x", "test"}) || r.n != 0 {
		t.Errorf("%v of %v", table, r.asked)
	}
	if file, row := table.Where(2); filepath.Base(file) != "1.jsonl" || row != 0 {
		t.Errorf("row 2 is at %s %d", file, row)
	}
	sum := sha256.Sum256([]byte(`{"text":"c"}`))
	if f := table.Files[1]; f.SHA256 != hex.EncodeToString(sum[:]) || f.Rows != 1 {
		t.Errorf("%+v", f)
	}
	if _, err := s.Rows(context.Background(), c4); err != nil || r.n != 1 {
		t.Errorf("of C4 %d files are asked for: %v", r.n, err)
	}
	r.err = hub.ErrOffline
	if _, err := s.Rows(context.Background(), c4); !errors.Is(err, hub.ErrOffline) || !strings.Contains(err.Error(), "--data DIR") {
		t.Error(err)
	}
	// Who gives folders means them.
	r.asked = nil
	var missing *MissingError
	if _, err := Open([]string{t.TempDir()}, r).Rows(context.Background(), c4); !errors.As(err, &missing) || r.asked != nil {
		t.Errorf("%v, asked %v", err, r.asked)
	}
}

func TestLimit(t *testing.T) {
	dir := write(t, map[string]string{
		"a.jsonl": "{\"text\":\"a\"}\n{\"text\":\"b\"}\n{", "b.jsonl": `{"text":"c"}`, "x.csv": "n\n1\n2\nx\n",
	})
	file := func(name string) []string { return []string{filepath.Join(dir, name)} }
	s := Open(nil, nil)
	table, err := s.Rows(context.Background(), Split{Files: append(file("a.jsonl"), file("b.jsonl")...), Limit: 2})
	if err != nil || len(table.Rows) != 2 || len(table.Files) != 1 {
		t.Errorf("%v, %v: reads on", table, err)
	}
	table, err = s.Rows(context.Background(), Split{Files: append(file("b.jsonl"), file("x.csv")...), Limit: 2})
	if err != nil || !reflect.DeepEqual(table.Rows, []Row{{"text": "c"}, {"n": "1"}}) || table.Files[1].Rows != 1 {
		t.Errorf("%v, %v", table, err)
	}
}

func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	dir := write(t, map[string]string{"a.jsonl": strings.Repeat("{}\n", 3000)})
	if _, err := Open(nil, nil).Rows(ctx, Split{Files: []string{filepath.Join(dir, "a.jsonl")}}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestRequire(t *testing.T) {
	row := Row{"s": "a", "i": int64(1), "f": 0.5, "b": true, "n": nil, "l": []any{"a", int64(1)}, "t": []any{"a"}, "o": Row{"k": []any{}}}
	good := []Column{{"s", Text}, {"i", Integer}, {"i", Number}, {"f", Number}, {"b", Bool}, {"n", Any}, {"l", List}, {"t", Texts}, {"t", List}, {"o", Object}, {"o.k", Texts}}
	if err := Require(row, "x.jsonl", 3, good...); err != nil {
		t.Error(err)
	}
	for _, c := range []struct {
		column Column
		want   string
	}{
		{Column{"z", Any}, `dataset: x.jsonl: row 3 has no column "z": it has b, f, i, l, n, o, s, t`},
		{Column{"o.z", Any}, `has no column "o.z"`},
		{Column{"s.z", Any}, `has no column "s.z"`},
		{Column{"n", Text}, `row 3: column "n" is null, and should be a text (the columns are b,`},
		{Column{"f", Integer}, `column "f" is 0.5, and should be a whole number`},
		{Column{"s", Number}, `column "s" is the text "a", and should be a number`},
		{Column{"l", Texts}, `column "l" is a list of 2, and should be a list of texts`},
		{Column{"o", Bool}, `column "o" is an object of 1 fields, and should be true or false`},
		{Column{"s", Object}, `should be an object`},
		{Column{"b", List}, `column "b" is true, and should be a list`},
	} {
		err := Require(row, "x.jsonl", 3, c.column)
		var columnError *ColumnError
		if !errors.As(err, &columnError) || !strings.Contains(err.Error(), c.want) || columnError.Row != 3 || columnError.Column != c.column.Name {
			t.Errorf("%v, want %s", err, c.want)
		}
	}
	table := &Table{Rows: []Row{row, row, {"i": "x"}}, Files: []File{{Path: "a", Rows: 1}, {Path: "b", Rows: 2}}}
	if err := table.Require(Column{"i", Integer}); err == nil || !strings.Contains(err.Error(), "dataset: b: row 1: column \"i\"") {
		t.Error(err)
	}
}
