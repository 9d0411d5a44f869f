// Package demo tells the paper's story in miniature: a trained model that comes with the program is measured, pruned at every
// depth, healed and scored.
//
// The model, demo/model, is a Llama of sixteen layers that was trained from scratch on the invented world of package demo/world;
// its README.md says how. The grid is sweep.yaml, which [Run] writes out and runs as any other. Healing all of it takes longer
// than a demo should, so that most healed cells are recorded, in recorded.jsonl; [Run] with Record makes that file.
package demo
