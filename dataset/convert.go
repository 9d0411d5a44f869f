package dataset

import (
	"fmt"
	"strconv"
	"strings"
)

// convert gives the rows the hub's fields. subject is the one whose rows are wanted of a file of all; "" is every row.
func (t *Table) convert(split Split, known *knownSet, subject string) error {
	if known.pages {
		return t.join()
	}
	i, kept := 0, t.Rows[:0]
	for n := range t.Files {
		f := &t.Files[n]
		rows := f.Rows
		f.Rows = 0
		for r := range rows {
			row := t.Rows[i]
			i++
			if subject != "" && row["subject"] != subject {
				continue
			}
			item := true
			if known.row != nil {
				var err error
				if item, err = known.row(row); err != nil {
					return &DamagedError{f.Path, fmt.Errorf("row %d: %w", r, err)}
				}
			}
			if !item {
				t.Skipped++
				continue
			}
			if _, ok := row["subject"]; !ok && known.bare != nil && split.Config != "" {
				row["subject"] = split.Config
			}
			kept = append(kept, row)
			f.Rows++
		}
	}
	switch t.Rows = kept; {
	case len(kept) > 0 || i == 0:
		return nil
	case subject != "":
		return &DamagedError{t.Files[0].Path, fmt.Errorf("none of its %d rows has the subject %q", i, subject)}
	}
	return &DamagedError{t.Files[0].Path, fmt.Errorf("none of its %d rows is in the instruction form of %s: name a file of the hub's fields", i, split.Path)}
}

// mmluRow puts the choices of MMLU's csv into a list and makes the answer's letter its number.
func mmluRow(row Row) (bool, error) {
	if _, ok := row["choices"]; !ok && row["A"] != nil && row["D"] != nil {
		choices := make([]any, 4)
		for i, letter := range "ABCD" {
			choice, ok := row[string(letter)]
			if n, whole := choice.(int64); whole {
				choice = strconv.FormatInt(n, 10)
			}
			if _, isText := choice.(string); !ok || !isText {
				return false, fmt.Errorf("choice %c is no text", letter)
			}
			choices[i] = choice
			delete(row, string(letter))
		}
		row["choices"] = choices
	}
	if letter, ok := row["answer"].(string); ok {
		n := strings.Index("ABCD", letter)
		if n < 0 || len(letter) != 1 {
			return false, fmt.Errorf("the answer is %q, and should be one of A, B, C and D", shorten(letter))
		}
		row["answer"] = int64(n)
	}
	return true, nil
}

// boolqRow makes the label of a word or a truth value. The first published file has it under "answer".
func boolqRow(row Row) (bool, error) {
	label, ok := row["label"]
	if !ok {
		label = row["answer"]
	}
	switch label {
	case "false", false:
		row["label"] = int64(0)
	case "true", true:
		row["label"] = int64(1)
	}
	return true, nil
}

// labelText makes a column text that is a number in some files.
func labelText(column string) func(Row) (bool, error) {
	return func(row Row) (bool, error) {
		if n, ok := row[column].(int64); ok {
			row[column] = strconv.FormatInt(n, 10)
		}
		return true, nil
	}
}

// nestedRow takes apart a "question" that holds the stem and the choices, as ARC and OpenBookQA are first published. The
// stem gets the name that it has on the hub.
func nestedRow(stem string) func(Row) (bool, error) {
	return func(row Row) (bool, error) {
		question, ok := row["question"].(map[string]any)
		if !ok {
			return true, nil
		}
		choices, ok := question["choices"].([]any)
		if _, isText := question["stem"].(string); !ok || !isText {
			return false, fmt.Errorf("its question has no stem that is a text, or no list of choices")
		}
		texts, labels := make([]any, len(choices)), make([]any, len(choices))
		for i, choice := range choices {
			c, ok := choice.(map[string]any)
			if !ok {
				return false, fmt.Errorf("choice %d of its question is no object", i)
			}
			texts[i], labels[i] = c["text"], c["label"]
		}
		delete(row, "question")
		row[stem] = question["stem"]
		row["choices"] = Row{"text": texts, "label": labels}
		return true, nil
	}
}
