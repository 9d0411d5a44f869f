package dataset

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"
)

// TestNested reads what pyarrow has written: the nested columns of the hub's data sets, with empty and absent lists, nulls,
// maps and small kinds of numbers. testdata/rows.py made it.
func TestNested(t *testing.T) {
	table, err := Open(nil, nil).Rows(context.Background(), Split{Files: []string{"testdata/nested.parquet"}})
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile("testdata/nested.json")
	if err != nil {
		t.Fatal(err)
	}
	var want []Row
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	if err := d.Decode(&want); err != nil {
		t.Fatal(err)
	}
	for i := range want {
		if _, err := numbers(want[i], 1); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(table.Rows[i], want[i]) {
			t.Errorf("row %d: %#v, want %#v", i, table.Rows[i], want[i])
		}
	}
	if len(table.Rows) != len(want) {
		t.Errorf("%d rows, want %d", len(table.Rows), len(want))
	}
}

// parquetFile writes rows in row groups of two.
func parquetFile[T any](t testing.TB, name string, rows []T, options ...parquet.WriterOption) string {
	t.Helper()
	var b bytes.Buffer
	w := parquet.NewGenericWriter[T](&b, append(options, parquet.MaxRowsPerRowGroup(2))...)
	_, err := w.Write(rows)
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(write(t, map[string]string{name: b.String()}), name)
}

// TestParquetOfHub reads the schemas of MMLU, ARC and HellaSwag, as their own and converted.
func TestParquetOfHub(t *testing.T) {
	type mmluItem struct {
		Question string   `parquet:"question"`
		Subject  string   `parquet:"subject"`
		Choices  []string `parquet:"choices,list"`
		Answer   int64    `parquet:"answer"`
	}
	type choices struct {
		Text  []string `parquet:"text,list"`
		Label []string `parquet:"label,list"`
	}
	type arcItem struct {
		ID        string  `parquet:"id,optional"`
		Question  string  `parquet:"question,optional"`
		Choices   choices `parquet:"choices,optional"`
		AnswerKey string  `parquet:"answerKey,optional"`
	}
	type hellaswagItem struct {
		Index    int32    `parquet:"ind"`
		Activity string   `parquet:"activity_label"`
		A        string   `parquet:"ctx_a"`
		B        string   `parquet:"ctx_b"`
		Endings  []string `parquet:"endings"` // repeated, without a list around
		Label    string   `parquet:"label"`
	}
	read := func(split Split, file string) []Row {
		t.Helper()
		split.Files = []string{file}
		table, err := Open(nil, nil).Rows(context.Background(), split)
		if err != nil {
			t.Fatal(err)
		}
		return table.Rows
	}
	got := read(mmlu, parquetFile(t, "m.parquet", []mmluItem{{"q", "s", []string{"a", "b", "c", "d"}, 2}, {"r", "s", nil, 0}, {"é", "s", []string{""}, 1}}, parquet.Compression(&parquet.Snappy)))
	want := []Row{
		{"question": "q", "subject": "s", "choices": []any{"a", "b", "c", "d"}, "answer": int64(2)},
		{"question": "r", "subject": "s", "choices": []any{}, "answer": int64(0)},
		{"question": "é", "subject": "s", "choices": []any{""}, "answer": int64(1)},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("MMLU: %v", got)
	}
	got = read(arc, parquetFile(t, "a.parquet", []arcItem{{"1", "q", choices{[]string{"x", "y"}, []string{"A", "B"}}, "B"}}))
	want = []Row{{"id": "1", "question": "q", "choices": Row{"text": []any{"x", "y"}, "label": []any{"A", "B"}}, "answerKey": "B"}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("ARC: %v", got)
	}
	got = read(hellaswag, parquetFile(t, "h.parquet", []hellaswagItem{{3, "a", "b", "c", []string{"d", "e"}, "1"}, {4, "a", "b", "c", nil, ""}}))
	want = []Row{
		{"ind": int64(3), "activity_label": "a", "ctx_a": "b", "ctx_b": "c", "endings": []any{"d", "e"}, "label": "1"},
		{"ind": int64(4), "activity_label": "a", "ctx_a": "b", "ctx_b": "c", "endings": []any{}, "label": ""},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("HellaSwag: %v", got)
	}
	split := arc
	split.Files = []string{parquetFile(t, "x.parquet", []mmluItem{{"q", "s", nil, 0}})}
	if _, err := Open(nil, nil).Rows(context.Background(), split); err == nil || !strings.Contains(err.Error(), `x.parquet: row 0 has no column "choices.text": it has answer, choices, question, subject`) {
		t.Error(err)
	}
}

// TestLZ4 refuses what the library cannot tell from a block that needs more room.
func TestLZ4(t *testing.T) {
	type row struct{ A string }
	file := parquetFile(t, "x.parquet", []row{{"a"}}, parquet.Compression(&parquet.Lz4Raw))
	if _, err := Open(nil, nil).Rows(context.Background(), Split{Files: []string{file}}); err == nil || !strings.Contains(err.Error(), "compressed by LZ4") {
		t.Error(err)
	}
}

func TestParquetKinds(t *testing.T) {
	type row struct {
		U32 uint32              `parquet:"u32"`
		U64 uint64              `parquet:"u64"`
		F32 float32             `parquet:"f32"`
		Raw []byte              `parquet:"raw"`
		Map map[int64]bool      `parquet:"map"`
		Ptr *string             `parquet:"ptr,optional"`
		Two [][]int64           `parquet:"two,list"`
		In  []struct{ N int64 } `parquet:"in,list"`
	}
	file := parquetFile(t, "x.parquet", []row{{1<<32 - 1, 1<<64 - 1, 0.5, []byte{0xff}, map[int64]bool{7: true}, nil, [][]int64{{1}, {2, 3}}, []struct{ N int64 }{{4}, {5}}}})
	table, err := Open(nil, nil).Rows(context.Background(), Split{Files: []string{file}})
	if err != nil {
		t.Fatal(err)
	}
	want := Row{"u32": int64(1<<32 - 1), "u64": float64(1<<64 - 1), "f32": 0.5, "raw": "\xff", "map": Row{"7": true}, "ptr": nil,
		"two": []any{[]any{int64(1)}, []any{int64(2), int64(3)}}, "in": []any{Row{"N": int64(4)}, Row{"N": int64(5)}}}
	if !reflect.DeepEqual(table.Rows[0], want) {
		t.Errorf("%#v, want %#v", table.Rows[0], want)
	}
}

// TestDamagedParquet cuts the fixture and changes bits of it. Nothing but an error may come of it.
func TestDamagedParquet(t *testing.T) {
	data, err := os.ReadFile("testdata/nested.parquet")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "x.parquet")
	try := func(data []byte) error {
		if err := os.WriteFile(file, data, 0o644); err != nil {
			t.Fatal(err)
		}
		_, err := Open(nil, nil).Rows(context.Background(), Split{Files: []string{file}})
		return err
	}
	for n := 0; n < len(data); n += 97 {
		if err := try(data[:n]); err == nil {
			t.Errorf("cut to %d bytes it is read", n)
		}
	}
	for i := 0; i < len(data); i += 3 {
		changed := bytes.Clone(data)
		changed[i] ^= 1 << (i % 8)
		err := try(changed)
		if damaged := (*DamagedError)(nil); err != nil && !errors.As(err, &damaged) {
			t.Errorf("byte %d: %v", i, err)
		}
	}
}
