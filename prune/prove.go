package prune

import (
	"context"

	"shallow/checkpoint"
	"shallow/compute"
)

// Prove runs two checkpoints, the second of which was made from the first without the dropped layers, and makes the proof
// that Prune makes of what it writes: for packages that write other formats. progress may be nil.
func Prove(ctx context.Context, dev compute.Device, source, pruned *checkpoint.Checkpoint, drop []int, progress func(stage string, done, total int64)) (*Proof, error) {
	return prove(ctx, dev, source, pruned, drop, progress)
}
