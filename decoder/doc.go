// Package decoder runs decoder-only transformers: one layer, a stack of them, and the family of a checkpoint as data.
//
// A [Spec] is what config.json says, read by a table of families. A [Model] is a checkpoint on a device. There are two
// ways to run one:
//
//   - Layer by layer, for analysis. [Model.Start] embeds a group of sequences; [Model.Layers] loads one layer after
//     another; [Group.Forward] takes all rows of the group through it. Only one layer's weights are in memory.
//   - Token by token, for generation. [Model.Resident] loads all layers, [Stack.NewSession] makes room for keys and
//     values, [Session.Feed] takes tokens and gives logits, [Session.Predict] those behind several tokens and
//     log-probabilities; [Session.Fork] begins a sequence where another one stands.
//
// Both go through the same forward pass and give the same bits. Letters are those of package compute: N rows, D hidden
// size, H heads, K key-value heads, F feed-forward size, V vocabulary, L layers, S sequences.
//
// Errors of the device surface in the iteration of [Model.Layers] and wherever results come back to the host.
package decoder
