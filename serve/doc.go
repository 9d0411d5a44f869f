// Package serve answers the HTTP interface of OpenAI's completions, and the parts of vLLM's that evaluation tools use, with
// a model on this machine.
//
//	POST /v1/completions        a text or token ids go on; with echo and logprobs they are scored
//	POST /v1/chat/completions   a conversation, by the model's chat template
//	GET  /v1/models             the one model there is
//	POST /tokenize, /detokenize, GET /tokenizer_info   the model's tokenizer, for clients that have none
//	GET  /health, /metrics      for those who watch it
//
// A request goes through these stations:
//
//	body ─► fields (every one known, in bounds) ─► prompts (ids) ─► places ─► Engine ─► text (stops, whole characters) ─► reply or events
//
// What a client can ask for is bounded before anything is computed ([Limits]), and what it does not get is said: a field
// whose meaning would be ignored is refused by name. All requests share the [Engine], which takes every live sequence on by
// a token in one step; a sequence gives its place back when it ends, or when its client has gone away.
package serve
