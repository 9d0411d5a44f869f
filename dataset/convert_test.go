package dataset

import (
	"context"
	"encoding/json"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// splitOf reads a file of a known data set.
func splitOf(t *testing.T, split Split, name, content string) (*Table, error) {
	t.Helper()
	split.Files = []string{filepath.Join(write(t, map[string]string{name: content}), name)}
	return Open(nil, nil).Rows(context.Background(), split)
}

var (
	boolq      = Split{Path: "aps/super_glue", Config: "boolq", Split: "validation"}
	hellaswag  = Split{Path: "Rowan/hellaswag", Split: "validation"}
	winogrande = Split{Path: "allenai/winogrande", Config: "winogrande_xl", Split: "validation"}
	openbookqa = Split{Path: "allenai/openbookqa", Config: "main", Split: "test"}
	wikitext   = Split{Path: "EleutherAI/wikitext_document_level", Config: "wikitext-2-raw-v1", Split: "test"}
)

const (
	nested      = `{"id":"7","question":{"stem":"s","choices":[{"text":"x","label":"1"},{"text":"y","label":"2"}]},"answerKey":"2"}`
	piqaText    = `{"instruction":"Please choose the correct solution to the question: g\n\nSolution1: a\n\nSolution2: b \n\nAnswer format: solution1/solution2","input":"","answer":"solution2"}`
	winograText = `{"instruction":"Please choose the correct answer to fill in the blank to complete the given sentence: A _ b.\n\nOption1: x Option2: y z Answer format: option1/option2","answer":"option1"}`
	openbkqText = `{"instruction":"Please choose the correct answer to the question: q\n\nAnswer1: a Answer2: b Answer3: c Answer4: d e\n\nAnswer format: answer1/answer2/answer3/answer4","answer":"answer4"}`
)

func TestConvert(t *testing.T) {
	for name, c := range map[string]struct {
		split         Split
		file, content string
		want          string // the rows as JSON
	}{
		"mmlu":                {mmlu, "x.csv", "\"q, 1\",1,2,,None,D\n", `[{"question":"q, 1","choices":["1","2","","None"],"answer":3,"subject":"astronomy"}]`},
		"mmlu, a header":      {mmlu, "x.csv", "question,A,B,C,D,answer\nq,1,2,3,4,B\n", `[{"question":"q","choices":["1","2","3","4"],"answer":1,"subject":"astronomy"}]`},
		"mmlu, the hub's":     {mmlu, "x.jsonl", `{"question":"q","subject":"s","choices":["A","B"],"answer":1}`, `[{"question":"q","subject":"s","choices":["A","B"],"answer":1}]`},
		"boolq, words":        {boolq, "x.jsonl", `{"question":"q","passage":"p","idx":0,"label":"true"}` + "\n" + `{"question":"q","passage":"p","idx":1,"label":"false"}`, `[{"question":"q","passage":"p","idx":0,"label":1},{"question":"q","passage":"p","idx":1,"label":0}]`},
		"boolq, truth":        {boolq, "x.jsonl", `{"question":"q","passage":"p","answer":true}`, `[{"question":"q","passage":"p","answer":true,"label":1}]`},
		"boolq, the hub's":    {boolq, "x.jsonl", `{"question":"q","passage":"p","label":1}`, `[{"question":"q","passage":"p","label":1}]`},
		"hellaswag":           {hellaswag, "x.jsonl", `{"activity_label":"a","ctx_a":"b","ctx_b":"c","endings":["d"],"label":3}`, `[{"activity_label":"a","ctx_a":"b","ctx_b":"c","endings":["d"],"label":"3"}]`},
		"hellaswag, a test":   {hellaswag, "x.jsonl", `{"activity_label":"a","ctx_a":"b","ctx_b":"c","endings":["d"],"label":""}`, `[{"activity_label":"a","ctx_a":"b","ctx_b":"c","endings":["d"],"label":""}]`},
		"arc":                 {arc, "x.jsonl", nested, `[{"id":"7","question":"s","choices":{"text":["x","y"],"label":["1","2"]},"answerKey":"2"}]`},
		"arc, the hub's":      {arc, "x.jsonl", `{"question":"s","choices":{"text":["x"],"label":["A"]},"answerKey":"A"}`, `[{"question":"s","choices":{"text":["x"],"label":["A"]},"answerKey":"A"}]`},
		"openbookqa, nested":  {openbookqa, "x.jsonl", nested, `[{"id":"7","question_stem":"s","choices":{"text":["x","y"],"label":["1","2"]},"answerKey":"2"}]`},
		"openbookqa":          {openbookqa, "x.json", "[" + openbkqText + "]", `[{"question_stem":"q","choices":{"text":["a","b","c","d e"],"label":["A","B","C","D"]},"answerKey":"D"}]`},
		"piqa":                {piqa, "x.json", "[" + piqaText + "]", `[{"goal":"g","sol1":"a","sol2":"b ","label":1}]`},
		"piqa, the hub's":     {piqa, "x.csv", "goal,sol1,sol2,label\ng,a,b,0\n", `[{"goal":"g","sol1":"a","sol2":"b","label":0}]`},
		"winogrande":          {winogrande, "x.json", winograText, `[{"sentence":"A _ b.","option1":"x","option2":"y z","answer":"1"}]`},
		"winogrande, csv":     {winogrande, "x.csv", "sentence,option1,option2,answer\nA _.,x,y,2\n", `[{"sentence":"A _.","option1":"x","option2":"y","answer":"2"}]`},
		"wikitext":            {wikitext, "x.txt", "what\n \n = A = \n \n a \n = = S = = \n \n = B = \n \n b \r\n", `[{"page":" \n = A = \n \n a \n = = S = = \n"},{"page":" \n = B = \n \n b \n"}]`},
		"wikitext, lines":     {wikitext, "x.jsonl", `{"text":""}` + "\n" + `{"text":" = A = \n"}` + "\n" + `{"text":""}` + "\n" + `{"text":" a \n"}`, `[{"page":" \n = A = \n \n a \n"}]`},
		"wikitext, the hub's": {wikitext, "x.jsonl", `{"page":" \n = A = \n"}`, `[{"page":" \n = A = \n"}]`},
		"c4":                  {c4, "x.json", `[{"text":"a","url":"b"}]`, `[{"text":"a","url":"b"}]`},
	} {
		t.Run(name, func(t *testing.T) {
			table, err := splitOf(t, c.split, c.file, c.content)
			if err != nil {
				t.Fatal(err)
			}
			var got, want any
			data, err := json.Marshal(table.Rows)
			if err != nil {
				t.Fatal(err)
			}
			if json.Unmarshal(data, &got) != nil || json.Unmarshal([]byte(c.want), &want) != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("%s, want %s", data, c.want)
			}
			if table.Files[0].Rows != len(table.Rows) {
				t.Errorf("%d rows, the file says %d", len(table.Rows), table.Files[0].Rows)
			}
		})
	}
}

func TestNotConverted(t *testing.T) {
	for name, c := range map[string]struct {
		split         Split
		file, content string
		want          string
	}{
		"mmlu, five fields":      {mmlu, "x.csv", "q,1,2,3,D\nq,1,2,3,D\n", `row 0 has no column "question": it has`},
		"mmlu, a field too few":  {mmlu, "x.csv", "q,1,2,3,4,A\nq,1,2,3,4\n", "line 2: 5 fields, but there are 6 columns"},
		"mmlu, answer":           {mmlu, "x.csv", "q,1,2,3,4,A\nq,1,2,3,4,E\n", `row 1: the answer is "E", and should be one of A, B, C and D`},
		"mmlu, two letters":      {mmlu, "x.csv", "q,1,2,3,4,AB\n", `the answer is "AB"`},
		"mmlu, a hole":           {mmlu, "x.jsonl", `{"question":"q","A":"1","B":2.5,"C":"3","D":"4","answer":"A"}`, "row 0: choice B is no text"},
		"boolq":                  {boolq, "x.jsonl", `{"question":"q","passage":"p","label":"maybe"}`, `column "label" is the text "maybe", and should be a whole number`},
		"boolq, no passage":      {boolq, "x.jsonl", `{"question":"q","label":1}`, `row 0 has no column "passage": it has label, question`},
		"arc, no stem":           {arc, "x.jsonl", `{"question":{"choices":[]}}`, "row 0: its question has no stem"},
		"arc, a choice":          {arc, "x.jsonl", `{"question":{"stem":"s","choices":[1]}}`, "row 0: choice 0 of its question is no object"},
		"arc, no label":          {arc, "x.jsonl", `{"question":{"stem":"s","choices":[{"text":"x"}]},"answerKey":"A"}`, `column "choices.label" is a list of 1, and should be a list of texts`},
		"piqa, another wording":  {piqa, "x.json", strings.ReplaceAll(piqaText, "solution to", "answer to"), "none of its 1 rows is in the instruction form"},
		"piqa, another answer":   {piqa, "x.json", strings.ReplaceAll(piqaText, `"solution2"`, `"solution3"`), "none of its 1 rows"},
		"winogrande, two blanks": {winogrande, "x.json", strings.ReplaceAll(winograText, "b.", "_."), "none of its 1 rows"},
		"gsm8k, a number":        {gsm8k, "x.jsonl", `{"question":"q","answer":18}`, `x.jsonl: row 0: column "answer" is 18, and should be a text`},
		"wikitext, a number":     {wikitext, "x.jsonl", `{"text":"a"}` + "\n" + `{"text":1}`, `row 1: column "text" is 1`},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := splitOf(t, c.split, c.file, c.content); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %s", err, c.want)
			}
		})
	}
}

// TestSkipped counts the rows of an instruction form that are no items, and takes the first of those that are.
func TestSkipped(t *testing.T) {
	split := piqa
	split.Limit = 1
	table, err := splitOf(t, split, "x.json", "["+strings.ReplaceAll(piqaText, "solution to", "answer to")+","+piqaText+","+piqaText+"]")
	if err != nil || len(table.Rows) != 1 || table.Rows[0]["goal"] != "g" || table.Skipped != 1 || table.Files[0].Rows != 1 {
		t.Errorf("%+v, %v", table, err)
	}
}

// TestOfAll takes a subject's rows of a file of all.
func TestOfAll(t *testing.T) {
	row := func(subject string) string {
		return `{"question":"` + subject + `?","subject":"` + subject + `","choices":["a","b","c","d"],"answer":0}` + "\n"
	}
	dir := write(t, map[string]string{"cais/mmlu/all/test.jsonl": row("anatomy") + row("astronomy") + row("virology")})
	s := Open([]string{dir}, nil)
	split := mmlu
	split.Limit = 1
	table, err := s.Rows(context.Background(), split)
	if err != nil || len(table.Rows) != 1 || table.Rows[0]["question"] != "astronomy?" {
		t.Errorf("%v, %v", table, err)
	}
	split.Config = "alchemy"
	if _, err := s.Rows(context.Background(), split); err == nil || !strings.Contains(err.Error(), `none of its 3 rows has the subject "alchemy"`) {
		t.Error(err)
	}
}
