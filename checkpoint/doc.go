// Package checkpoint reads and writes Hugging Face model directories: config.json, safetensors shards and their index.
//
// Open checks everything that the files claim about themselves before it is used (header lengths, shapes, offsets, names in the
// index) and maps the shards read-only, so that a checkpoint of any size costs no memory until its tensors are read.
// Config keeps config.json as it was written: every key, its order, and the digits of its numbers. Layout finds the layers of
// an unknown architecture from its tensor names. Writer puts tensors into shards of a new directory by copying their bytes.
//
// A Tensor's bytes are the file's own and may change if the file does: nothing may write to a checkpoint while it is open.
// Files are never executed or unpickled, and a name in an index never leads out of the directory.
package checkpoint
