package dataset

import (
	"regexp"
	"strings"
)

// The instruction form of LLM-Adapters puts an item into one text of fixed wording. A text of other wording is no item.
var (
	piqaForm       = regexp.MustCompile(`(?s)\APlease choose the correct solution to the question: (.*)\n\nSolution1: (.*)\n\nSolution2: (.*)\n\nAnswer format: solution1/solution2\z`)
	winograndeForm = regexp.MustCompile(`(?s)\APlease choose the correct answer to fill in the blank to complete the given sentence: (.*)\n\nOption1: (.*?) Option2: (.*) Answer format: option1/option2\z`)
	openbookqaForm = regexp.MustCompile(`(?s)\APlease choose the correct answer to the question: (.*)\n\nAnswer1: (.*?) Answer2: (.*?) Answer3: (.*?) Answer4: (.*?)\n\nAnswer format: answer1/answer2/answer3/answer4\z`)
)

// instruction takes a row of the instruction form apart: the parts of its text and which answer is right, from 0. is is
// false for a row that is not in that form at all, ok for one whose wording or answer is another.
func instruction(row Row, form *regexp.Regexp, answers int) (parts []string, right int, is, ok bool) {
	text, is := row["instruction"].(string)
	if !is {
		return nil, 0, false, false
	}
	answer, _ := row["answer"].(string)
	match := form.FindStringSubmatch(text)
	if match == nil || answer == "" {
		return nil, 0, true, false
	}
	right = int(answer[len(answer)-1]) - '1'
	return match[1:], right, true, 0 <= right && right < answers
}

// replace gives a row other fields.
func replace(row, fields Row) {
	clear(row)
	for name, value := range fields {
		row[name] = value
	}
}

func piqaRow(row Row) (bool, error) {
	parts, right, is, ok := instruction(row, piqaForm, 2)
	if is && ok {
		replace(row, Row{"goal": parts[0], "sol1": parts[1], "sol2": parts[2], "label": int64(right)})
	}
	return !is || ok, nil
}

func winograndeRow(row Row) (bool, error) {
	parts, right, is, ok := instruction(row, winograndeForm, 2)
	switch {
	case !is:
		return labelText("answer")(row)
	case ok && strings.Count(parts[0], "_") == 1:
		replace(row, Row{"sentence": parts[0], "option1": parts[1], "option2": parts[2], "answer": string(rune('1' + right))})
		return true, nil
	}
	return false, nil
}

func openbookqaRow(row Row) (bool, error) {
	parts, right, is, ok := instruction(row, openbookqaForm, 4)
	switch {
	case !is:
		return nestedRow("question_stem")(row)
	case ok:
		texts := make([]any, 4)
		for i := range texts {
			texts[i] = parts[1+i]
		}
		replace(row, Row{"question_stem": parts[0], "choices": Row{"text": texts, "label": []any{"A", "B", "C", "D"}}, "answerKey": string(rune('A' + right))})
	}
	return ok, nil
}
