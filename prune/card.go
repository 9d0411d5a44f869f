package prune

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// maxCard bounds the README.md that is carried over, in bytes.
const maxCard = 4 << 20

// writeCard puts where the checkpoint comes from at the head of the model card. YAML front matter stays first.
func (r *run) writeCard() error {
	path := filepath.Join(r.source.Dir, cardFile)
	info, err := os.Stat(path)
	var old []byte
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return fmt.Errorf("prune: %w", err)
	case !info.Mode().IsRegular() || info.Size() > maxCard:
		r.result.LeftOut = append(r.result.LeftOut, cardFile)
	default:
		if old, err = os.ReadFile(path); err != nil {
			return fmt.Errorf("prune: %w", err)
		}
	}
	front, body := splitFrontMatter(string(old))
	if name := hubName(r.source.Dir, r.Plan.Model.Name); name != "" {
		front = addTag(setBaseModel(front, name), "pruned")
	}
	text := front + r.provenance()
	if body != "" {
		text += "\n" + body
	}
	return r.writer.WriteFile(cardFile, []byte(text))
}

// splitFrontMatter takes the YAML between two lines of "---" off the head of a card.
func splitFrontMatter(card string) (front, body string) {
	if !strings.HasPrefix(card, "---\n") && !strings.HasPrefix(card, "---\r\n") {
		return "", card
	}
	end := strings.Index(card, "\n---")
	if end < 0 {
		return "", card
	}
	after := end + len("\n---")
	if line := strings.IndexByte(card[after:], '\n'); line >= 0 {
		after += line + 1
	} else {
		after = len(card)
	}
	return strings.TrimRight(card[:after], "\n") + "\n\n", strings.TrimLeft(card[after:], "\n")
}

// provenance says what was cut out of what, why, and whether the result is proved.
func (r *run) provenance() string {
	p := r.Plan
	var b strings.Builder
	// A name from a file must not break out of its line of the table.
	name := strings.NewReplacer("\n", " ", "\r", " ", "|", "\\|").Replace(p.Model.Name)
	if name == "" {
		name = filepath.Base(r.source.Dir)
	}
	fmt.Fprintf(&b, "# %s with %d of %d layers\n\n", filepath.Base(name), r.result.Kept, r.result.Layers)
	tool := r.Tool
	if tool == "" {
		tool = "shallow"
	}
	fmt.Fprintf(&b, "%s made this checkpoint: the layers below were cut out, the others renumbered, every tensor's bytes left as they were.\n"+
		"Layers are counted from zero; ranges are half-open. `plan.json` has the whole plan.\n\n", tool)
	var ranges []string
	for _, x := range p.Ranges {
		ranges = append(ranges, x.String())
	}
	fmt.Fprintf(&b, "| | |\n|---|---|\n")
	fmt.Fprintf(&b, "| source | %s, config.json SHA-256 %s |\n", name, r.source.Config.Hash())
	fmt.Fprintf(&b, "| dropped | %s: %s |\n", strings.Join(ranges, ", "), strings.Trim(fmt.Sprint(p.Drop), "[]"))
	fmt.Fprintf(&b, "| strategy | %s |\n", p.Strategy)
	if p.Distance != nil {
		fmt.Fprintf(&b, "| angular distance across the block | %.4f |\n", *p.Distance)
	}
	for _, note := range r.result.Config {
		fmt.Fprintf(&b, "| config.json | %s |\n", note)
	}
	fmt.Fprintf(&b, "| weights | %d tensors, %d bytes, SHA-256 over their hashes %s |\n", r.result.Tensors, r.result.Bytes, r.result.Hash)
	if r.result.Proof != nil {
		fmt.Fprintf(&b, "| proved | %s |\n", r.result.Proof)
	} else {
		fmt.Fprintf(&b, "| **not proved** | %s |\n", r.result.Reason)
	}
	fmt.Fprintf(&b, "\nThe layers were cut out and nothing was trained since: expect it to need healing.\n")
	return b.String()
}
