package main

import (
	"fmt"
	"path/filepath"

	"shallow/demo"
	"shallow/demo/world"
)

// worldFlags ask for the small world's texts instead of the demo.
type worldFlags struct {
	World     string `name:"write-world" help:"Write the small world's training texts, questions, tasks and tokenizer instead." placeholder:"DIR"`
	Documents int    `name:"world-documents" help:"Training documents of each of its two stages." default:"100000" placeholder:"N"`
	Items     int    `name:"world-items" help:"Items of each of its sets of questions." default:"600" placeholder:"N"`
}

// write writes the world and says what to do with it.
func (f *worldFlags) write(seed uint64) error {
	w := world.New(demo.WorldSeed)
	if err := w.Write(f.World, world.WriteOptions{Seed: seed, Documents: [world.Stages]int{f.Documents, f.Documents}, Items: f.Items}); err != nil {
		return err
	}
	in := func(name string) string { return filepath.Join(f.World, name) }
	fmt.Printf("The small world is in %s. To train a model on it, as the demo's was, and to ask what it knows:\n\n", f.World)
	fmt.Printf("  shallow heal %s --method full --from-scratch --base float32 \\\n"+
		"    --stage 40%%=%s --stage 60%%=%s --prompt-weight 1 --completion-weight 8 \\\n"+
		"    --batch 64 --accumulate 1 --length 160 --lr 2e-3 --warmup 200 --weight-decay 0.1 --beta2 0.95 --tokens 12M -o trained\n",
		in("model"), in("train-1.jsonl"), in("train-2.jsonl"))
	fmt.Printf("  shallow eval trained/model --include %s --data %s \\\n"+
		"    --tasks world_facts,world_told,world_reading,world_endings,world_sums,world_written,world_text\n", in("tasks"), in("data"))
	return nil
}
