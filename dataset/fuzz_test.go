package dataset

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"shallow/internal/rowfile"
)

// checkValue fails for what a row may not hold.
func checkValue(t *testing.T, value any, depth int) {
	switch v := value.(type) {
	case nil, string, int64, float64, bool:
	case []any:
		for _, e := range v {
			checkValue(t, e, depth+1)
		}
	case map[string]any:
		for _, e := range v {
			checkValue(t, e, depth+1)
		}
	default:
		t.Fatalf("a row holds a %T", value)
	}
	if depth > maxDepth {
		t.Fatalf("a row is nested %d deep", depth)
	}
}

func read(content string, known *knownSet, how func(*reader) error) ([]Row, error) {
	r := &reader{ctx: context.Background(), table: &Table{}, known: known}
	err := how(r)
	return r.table.Rows, err
}

// FuzzCSV compares with encoding/csv, whose line ends are others, where both read.
func FuzzCSV(f *testing.F) {
	for _, s := range []string{"a,b\n1,2\n", "q,1,2,3,4,A\n", "a\n\"x\"\"y\"\n", "a,b\r\n\"x\ny\",\r\n", "a,a\n", "a,b\n\"", "\ufeffa\n\n,", "question,A,B,C,D,answer\nq,1,2,3,4,B\n", "a,b\n\"x\"y,\"\"\"\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, content string) {
		for _, known := range []*knownSet{nil, knownOf(mmlu)} {
			rows, err := read(content, known, func(r *reader) error { return r.csv(rowfile.Buffered(strings.NewReader(content))) })
			for _, row := range rows {
				checkValue(t, row, 0)
			}
			if known != nil && err == nil {
				table := &Table{Rows: rows, Files: []File{{Path: "x", Rows: len(rows)}}}
				if err := table.convert(mmlu, known, ""); err == nil {
					_ = table.Require(known.columns...)
				}
				continue
			}
			if known != nil || err != nil || strings.Contains(content, "\r") || strings.HasPrefix(content, "\ufeff") {
				continue
			}
			all, err := csv.NewReader(strings.NewReader(content)).ReadAll()
			if err != nil {
				continue
			}
			all = dropBlank(all)
			if len(all) > 0 && len(rows) != len(all)-1 {
				t.Fatalf("%d rows, encoding/csv reads %d records", len(rows), len(all))
			}
			for i, row := range rows {
				for k, name := range all[0] {
					if text, ok := row[name].(string); ok && text != all[i+1][k] {
						t.Fatalf("row %d, %q: %q, want %q", i, name, text, all[i+1][k])
					}
				}
			}
		}
	})
}

// dropBlank leaves records out of one empty field, which are written as blank lines.
func dropBlank(all [][]string) [][]string {
	var some [][]string
	for _, record := range all {
		if len(record) > 1 || record[0] != "" {
			some = append(some, record)
		}
	}
	return some
}

// FuzzJSON compares with encoding/json where a line is read.
func FuzzJSON(f *testing.F) {
	for _, s := range []string{`{"a":1}`, `[{"a":[1,{"b":null}]}]`, `{"data":[{"a":1.5},{}]}`, "{}\n{\"a\":1e400}", `{"a":-0}`, `{"a":9223372036854775808}`, `{"a":[[[[]]]]}`, `{"data":[]}{}`, "[", "{", `[{}]]`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, content string) {
		for _, lines := range []bool{false, true} {
			rows, err := read(content, nil, func(r *reader) error { return r.json(rowfile.Buffered(strings.NewReader(content)), lines) })
			for _, row := range rows {
				checkValue(t, row, 0)
			}
			if !lines || err != nil || len(rows) != 1 {
				continue
			}
			var want, got any
			if json.Unmarshal([]byte(strings.TrimPrefix(content, "\ufeff")), &want) != nil {
				continue // lines around it
			}
			data, err := json.Marshal(rows[0])
			if err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(data, &got); err != nil {
				t.Fatal(err)
			}
			if list, ok := want.([]any); ok && len(list) == 1 {
				want = list[0]
			}
			if !reflect.DeepEqual(got, want) {
				t.Fatalf("%v, want %v", got, want)
			}
		}
	})
}

// FuzzInstruction gives the converters any text and answer, and holds what they make to the wording that it came from.
func FuzzInstruction(f *testing.F) {
	for _, s := range []string{piqaText, winograText, openbkqText} {
		var row map[string]string
		if err := json.Unmarshal([]byte(s), &row); err != nil {
			f.Fatal(err)
		}
		f.Add(row["instruction"], row["answer"])
		f.Add(row["instruction"], "")
		f.Add(row["instruction"]+"\n", "answer9")
	}
	f.Fuzz(func(t *testing.T, text, answer string) {
		if !utf8.ValidString(text) {
			return // readers let no such text in
		}
		for name, c := range map[string]struct {
			convert func(Row) (bool, error)
			split   Split
			again   func(Row) string
		}{
			"piqa": {piqaRow, piqa, func(r Row) string {
				return "Please choose the correct solution to the question: " + r["goal"].(string) + "\n\nSolution1: " + r["sol1"].(string) + "\n\nSolution2: " + r["sol2"].(string) + "\n\nAnswer format: solution1/solution2"
			}},
			"winogrande": {winograndeRow, winogrande, func(r Row) string {
				return "Please choose the correct answer to fill in the blank to complete the given sentence: " + r["sentence"].(string) + "\n\nOption1: " + r["option1"].(string) + " Option2: " + r["option2"].(string) + " Answer format: option1/option2"
			}},
			"openbookqa": {openbookqaRow, openbookqa, func(r Row) string {
				c := r["choices"].(Row)["text"].([]any)
				return "Please choose the correct answer to the question: " + r["question_stem"].(string) + "\n\nAnswer1: " + c[0].(string) + " Answer2: " + c[1].(string) + " Answer3: " + c[2].(string) + " Answer4: " + c[3].(string) + "\n\nAnswer format: answer1/answer2/answer3/answer4"
			}},
		} {
			row := Row{"instruction": text, "answer": answer}
			item, err := c.convert(row)
			if err != nil || !item {
				continue
			}
			if err := Require(row, name, 0, knownOf(c.split).columns...); err != nil {
				t.Fatal(err)
			}
			if got := c.again(row); got != text {
				t.Fatalf("%s: %q was %q", name, got, text)
			}
		}
	})
}
