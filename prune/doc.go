// Package prune cuts layers out of a checkpoint and proves the result.
//
// Tensors are copied as bytes, never decoded, under the names they have in a model with fewer layers. config.json is
// rewritten by the rules of a table: what is known to be a list per layer is sliced, lists of layer numbers are
// renumbered, thresholds shifted, and what cannot be expressed for the layers that stay is refused by name. Everything
// else in the directory comes along.
//
// What a family's readers work out from a layer's number alone is written out as the list that they take instead, or the
// cut is refused: docs/config-surgery.md and docs/refused.md have the tables. A PEFT adapter of the model can move along
// ([Options], [MoveAdapter]); quantised weights move as bytes, with the names of layers in their settings renumbered.
//
// Before the new directory gets its name, every tensor's bytes are hashed on both sides, and a [Proof] runs both
// checkpoints: the logits of the new one equal, bit for bit, those of the old one with the layers skipped.
package prune
