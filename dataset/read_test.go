package dataset

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// write puts files into a folder: names with slashes to contents.
func write(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// rowsOf reads a file of a data set that nothing is known of.
func rowsOf(t testing.TB, name, content string) ([]Row, error) {
	t.Helper()
	file := filepath.Join(write(t, map[string]string{name: content}), name)
	table, err := Open(nil, nil).Rows(context.Background(), Split{Path: "own", Split: "test", Files: []string{file}})
	if err != nil {
		return nil, err
	}
	return table.Rows, nil
}

func gzipped(t *testing.T, s string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write([]byte(s)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func zstandard(t *testing.T, s string) string {
	t.Helper()
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	return string(w.EncodeAll([]byte(s), nil))
}

func TestFormats(t *testing.T) {
	ab := []Row{{"a": "1"}, {"a": "b"}}
	for name, c := range map[string]struct {
		file, content string
		want          []Row
	}{
		"lines":            {"x.jsonl", "{\"a\":\"1\"}\n\n{\"a\":\"b\"}\n", ab},
		"mark":             {"x.JSONL", "\ufeff{\"a\":\"1\"}\r\n{\"a\":\"b\"}", ab},
		"list":             {"x.json", "[{\"a\":\"1\"},\n {\"a\":\"b\"}]", ab},
		"list in lines":    {"x.jsonl", "[{\"a\":\"1\"},{\"a\":\"b\"}]", ab},
		"lines in json":    {"x.json", "{\"a\":\"1\"}\n{\"a\":\"b\"}\n", ab},
		"data":             {"x.json", `{"version": 1, "data": [{"a":"1"}, {"a":"b"}]}`, ab},
		"data of a row":    {"x.json", `{"data":[{"a":1}]}{"data":[]}`, []Row{{"data": []any{Row{"a": int64(1)}}}, {"data": []any{}}}},
		"data, no objects": {"x.json", `{"data":[1]}`, []Row{{"data": []any{int64(1)}}}},
		"gzip":             {"x.jsonl.gz", gzipped(t, "{\"a\":\"1\"}\n{\"a\":\"b\"}"), ab},
		"zstd":             {"x.json.zst", zstandard(t, "[{\"a\":\"1\"},{\"a\":\"b\"}]"), ab},
		"csv":              {"x.csv", "a\n1\nb\n", ab},
		"csv, gzip":        {"x.csv.gz", gzipped(t, "a\n1\nb"), ab},
		"text":             {"x.txt", "a\n\nb", []Row{{"text": "a"}, {"text": ""}, {"text": "b"}}},
		"empty":            {"x.jsonl", "", nil},
		"empty csv":        {"x.csv", "", nil},
		"header alone":     {"x.csv", "a,b\n", nil},
		"empty list":       {"x.json", "[]", nil},
		"values": {"x.jsonl", `{"i":-3,"big":9007199254740993,"huge":92233720368547758070,"f":1.0,"e":1e3,"t":true,"n":null,"l":[1,[2.5,{"k":3}]],"s":"\u00e9\ud83d\ude00"}`,
			[]Row{{"i": int64(-3), "big": int64(9007199254740993), "huge": 92233720368547758070.0, "f": 1.0, "e": 1000.0, "t": true, "n": nil, "l": []any{int64(1), []any{2.5, Row{"k": int64(3)}}}, "s": "é😀"}}},
		"quotes":    {"x.csv", "a,b\n\"x,\r\n\"\"y\"\"\",2\n\"\", z\"z \n", []Row{{"a": "x,\r\n\"y\"", "b": "2"}, {"a": "", "b": " z\"z "}}},
		"line ends": {"x.csv", "a,b\r\n1,x\r\r2,y\n\n3,", []Row{{"a": int64(1), "b": "x"}, {"a": int64(2), "b": "y"}, {"a": int64(3), "b": ""}}},
		// Numbers are such where nothing is lost by it.
		"whole numbers": {"x.csv", "a,b,c,d,e\n1,01,1.0,-0,1\n-2,2,2,0,\n", []Row{{"a": int64(1), "b": "01", "c": "1.0", "d": "-0", "e": "1"}, {"a": int64(-2), "b": "2", "c": "2", "d": "0", "e": ""}}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := rowsOf(t, c.file, c.content)
			if err != nil || !reflect.DeepEqual(got, c.want) {
				t.Errorf("%#v, %v; want %#v", got, err, c.want)
			}
		})
	}
}

func TestDamaged(t *testing.T) {
	deep := strings.Repeat(`[`, 40) + strings.Repeat(`]`, 40)
	for name, c := range map[string]struct{ file, content, want string }{
		"half a line":       {"x.jsonl", "{\"a\":1}\n{\"a\":", "line 2: no JSON object"},
		"two on a line":     {"x.jsonl", `{"a":1}{"a":2}`, "line 1: something stands behind the object"},
		"null":              {"x.jsonl", "null", "line 1: no JSON object: it is null"},
		"a number":          {"x.jsonl", "7", "line 1: json: cannot unmarshal number"},
		"half a list":       {"x.json", `[{"a":1},{"a":2}`, "the file ends in the middle of the list"},
		"a list of numbers": {"x.json", `[1,2]`, "line 1: no JSON object"},
		"deep":              {"x.jsonl", "{}\n{\"a\":" + deep + "}", "line 2: lists and objects are nested deeper than 32"},
		"deep data":         {"x.json", `{"data":[{"a":` + deep + `}]}`, "data[0]: lists and objects are nested deeper"},
		"large number":      {"x.jsonl", `{"a":1e999}`, "line 1: the number 1e999 is too large"},
		"NaN":               {"x.jsonl", `{"a":NaN}`, "line 1: no JSON object"},
		"Latin-1":           {"x.jsonl", "{\"a\":\"\xe9\"}", "line 1: is not UTF-8"},
		"long row":          {"x.jsonl", `{"a":"` + strings.Repeat("x", maxRow) + `"}`, "line 1: the row is larger than 16 MB"},
		"csv, Latin-1":      {"x.csv", "a\n1\n\xe9\n", "line 3: is not UTF-8"},
		"csv, fields":       {"x.csv", "a,b\n1,2\n\"x\ny\",2,3\n", "line 3: 3 fields, but there are 2 columns"},
		"csv, open quote":   {"x.csv", "a,b\n1,\"2\n", "line 2: the file ends within quotes"},
		"csv, twice":        {"x.csv", "a,b,a\n1,2,3\n", `two columns are named "a"`},
		"csv, columns":      {"x.csv", strings.Repeat(",", maxFields+1) + "\n", "line 1: more than 4096 fields"},
		"csv, long":         {"x.csv", "a\n\"" + strings.Repeat("x", maxRow), "line 2: the row is larger than 16 MB"},
		"no gzip":           {"x.jsonl.gz", "{}", "no gzip file"},
		"half a gzip":       {"x.jsonl.gz", gzipped(t, strings.Repeat("{}\n", 1000))[:30], "the compressed file is not whole"},
		"no zstd":           {"x.jsonl.zst", "{}", "the compressed file is not whole"},
		"another ending":    {"x.xml", "<a/>", "is none of .parquet, .jsonl"},
		"no Parquet":        {"x.parquet", "PAR1 and so on", "does not end in PAR1"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := rowsOf(t, c.file, c.content)
			var damaged *DamagedError
			if !errors.As(err, &damaged) || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), c.file) {
				t.Errorf("%v, want %s", err, c.want)
			}
			if err != nil && len(err.Error()) > 600 {
				t.Errorf("the error has %d bytes", len(err.Error()))
			}
		})
	}
}

// TestBounds holds a hostile file to the room that it may take.
func TestBounds(t *testing.T) {
	r := &reader{ctx: context.Background(), table: &Table{}}
	if err := r.add(Row{}, maxBytes+1); err == nil || !strings.Contains(err.Error(), "more than 2 GB of memory") {
		t.Error(err)
	}
	r = &reader{ctx: context.Background(), table: &Table{Rows: make([]Row, maxRows)}}
	if err := r.add(Row{}, 1); err == nil || !strings.Contains(err.Error(), "more than 5000000 rows") {
		t.Error(err)
	}
}
