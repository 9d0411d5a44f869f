package task

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"shallow/eval/task/internal/pytext"
	"shallow/internal/jinja"
)

// Sample is a line of samples_<task>.jsonl: one item through one filter, with the fields and the forms of the harness, where
// log-likelihoods are text. doc_hash is of the document with its columns sorted, since rows keep no order; the other hashes
// are the harness's.
func (r *Run) Sample(it *Item, responses []Response, s Score) (json.RawMessage, error) {
	arguments := r.arguments(it)
	object := pytext.Object{}
	for i, a := range arguments {
		var parts pytext.Object
		for j, p := range a {
			parts = append(parts, pytext.Member{Key: fmt.Sprintf("arg_%d", j), Value: p})
		}
		object = append(object, pytext.Member{Key: fmt.Sprintf("gen_args_%d", i), Value: parts})
	}
	resps, filtered := r.responses(it, responses, s)
	doc, err := pytext.JSON(it.Doc, "  ")
	if err != nil {
		return nil, fmt.Errorf("task: %s: doc_id %d: %w", r.Task.Name, it.DocID, err)
	}
	prompt, _ := arguments[0][0].(string)
	o := pytext.Object{
		{Key: "doc_id", Value: it.DocID}, {Key: "doc", Value: it.Doc}, {Key: "target", Value: it.Target}, {Key: "arguments", Value: object},
		{Key: "resps", Value: resps}, {Key: "filtered_resps", Value: filtered}, {Key: "filter", Value: s.Filter},
	}
	var names []string
	var values pytext.Object
	for _, v := range s.Values {
		names = append(names, v.Metric)
		value := any(v.Value)
		if metricKinds[v.Metric].aggregation != "mean" && v.Metric != "perplexity" {
			value = []any{v.Value, int(v.Weight)}
		}
		values = append(values, pytext.Member{Key: v.Metric, Value: value})
	}
	o = append(o, pytext.Member{Key: "metrics", Value: names}, pytext.Member{Key: "doc_hash", Value: hash(string(doc))},
		pytext.Member{Key: "prompt_hash", Value: hash(prompt)}, pytext.Member{Key: "target_hash", Value: hash(it.Target)})
	line, err := pytext.JSON(append(o, values...), "")
	if err != nil {
		return nil, fmt.Errorf("task: %s: doc_id %d: %w", r.Task.Name, it.DocID, err)
	}
	return line, nil
}

// Hash is the digest under "task_hashes" in results.json, of the task's sample lines in their order.
func Hash(lines []json.RawMessage) (string, error) {
	var all strings.Builder
	for _, line := range lines {
		var hashes struct {
			Doc    string `json:"doc_hash"`
			Prompt string `json:"prompt_hash"`
			Target string `json:"target_hash"`
		}
		if err := json.Unmarshal(line, &hashes); err != nil {
			return "", fmt.Errorf("task: a sample's line: %w", err)
		}
		all.WriteString(hashes.Doc + hashes.Prompt + hashes.Target)
	}
	return hash(all.String()), nil
}

func hash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

// arguments are what the harness sends to a model, a list for each request.
func (r *Run) arguments(it *Item) [][]any {
	switch {
	case r.Task.rolling():
		return [][]any{{it.Text}}
	case r.Task.OutputType == Generate:
		return [][]any{{it.Context(0), r.Task.generationPlain}}
	}
	var out [][]any
	for i, context := range it.Contexts() {
		out = append(out, []any{context, it.Continuations[i]})
	}
	return out
}

// responses are the answers in the harness's nesting: of requests, of repeats, and what is in one.
func (r *Run) responses(it *Item, responses []Response, s Score) (all, filtered []any) {
	switch {
	case r.Task.OutputType == Generate:
		var texts []any
		for _, a := range responses {
			texts = append(texts, Cut(a.Text, it.Generation.Until))
		}
		return []any{texts}, []any{s.Extracted}
	case r.Task.OutputType == Continuation:
		return []any{[]any{responses[0].Text}}, []any{responses[0].Text}
	case r.Task.rolling():
		ll := pytext.Float(responses[0].LogLikelihood)
		return []any{[]any{ll}}, []any{ll}
	}
	for _, a := range responses {
		pair := []string{pytext.Float(a.LogLikelihood), str(a.Greedy)}
		all, filtered = append(all, []any{pair}), append(filtered, pair)
	}
	return all, filtered
}

// printed is the template by which values are printed as in Python.
var printed = func() *jinja.Template {
	t, err := jinja.ParseTask("{{ v }}")
	if err != nil {
		panic(err)
	}
	return t
}()

// str is a value as Python's str() writes it.
func str(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case int64:
		return strconv.FormatInt(v, 10)
	case bool:
		return map[bool]string{true: "True", false: "False"}[v]
	}
	text, err := printed.Render(map[string]any{"v": v})
	if err != nil {
		return fmt.Sprint(v)
	}
	return text
}
