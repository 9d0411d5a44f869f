package task

import (
	"strings"

	"shallow/dataset"
)

// Item is one document as a model meets it. Its texts are shared between items where they are equal.
type Item struct {
	DocID  int // its number in the split
	Doc    dataset.Row
	Target string
	Gold   int   // the right choice; -1 where there is none
	Golds  []int // the right choices, of tasks with several

	Choices       []string // as the task lists them: acc_norm divides by their characters
	Continuations []string // what is scored behind the contexts, one a choice

	// A context is Description, Shots and one of Questions. Tasks with several contexts have one Question a choice.
	Description string
	Shots       []string
	Questions   []string
	ShotIndices []int // the rows of the split that the shots are from
	DropShots   bool  // leave shots out from the end while the prompt has more ids than the model takes

	Generation Generation

	Text         string // of tasks that score a text whole
	Words, Bytes int    // of the document that Text was made of

	targets []string // of generation, what counts as right
}

// MultiInput tells whether the choices are in the contexts, behind which the same continuation is scored.
func (it *Item) MultiInput() bool { return len(it.Questions) > 1 }

// Context is what stands before continuation i.
func (it *Item) Context(i int) string { return it.ContextWith(i, len(it.Shots)) }

// ContextWith is the context with only the first shots.
func (it *Item) ContextWith(i, shots int) string {
	if !it.MultiInput() {
		i = 0
	}
	if len(it.Questions) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString(it.Description)
	for _, s := range it.Shots[:shots] {
		b.WriteString(s)
	}
	b.WriteString(it.Questions[i])
	return b.String()
}

// Contexts are those of all continuations.
func (it *Item) Contexts() []string {
	out := make([]string, len(it.Continuations))
	for i := range out {
		if i > 0 && !it.MultiInput() {
			out[i] = out[0]
			continue
		}
		out[i] = it.Context(i)
	}
	return out
}
