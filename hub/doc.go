// Package hub turns model and data set ids, such as Qwen/Qwen3-0.6B or allenai/c4, into local files: it downloads what is
// missing into the cache that Hugging Face's Python libraries use, and finds there what they have downloaded.
//
//	h, err := hub.FromEnvironment()            // HF_ENDPOINT, HF_TOKEN, HF_HOME, HF_HUB_CACHE, HF_HUB_OFFLINE, …
//	repo, err := hub.ParseModel("Qwen/Qwen3-0.6B@main")
//	dir, err := h.Model(ctx, repo)             // …/hub/models--Qwen--Qwen3-0.6B/snapshots/<commit>
//
// # The cache
//
// A repository is a folder models--owner--name or datasets--owner--name. blobs holds contents, each under its ETag: the
// SHA-256 of a large file, the git hash of a small one. snapshots/<commit> holds a relative link for each file,
// refs/<revision> the commit of a branch or tag, .no_exist/<commit> an empty file for each well-known name that the
// commit lacks. A download grows in blobs/<etag>.incomplete under the lock .locks/<repository>/<etag>.lock and gets its
// name when size and checksum are right; what is broken off is gone on with the next time. A ref is written when all
// files are there, so that a commit which is found without network is whole.
//
// # The hub's answers
//
// Files are listed by /api/…/tree, in pages and with size and hash of each, and not by the siblings of /api/…/revision,
// which come in one answer without bound. They are read from /resolve over plain HTTP. The hub redirects to where a
// large file lies, Xet storage included, so that its chunk protocol is not needed. The token goes to the endpoint and to
// no other host. Names from a listing are checked before they become paths.
//
// # Why not a library
//
// github.com/gomlx/go-huggingface v0.4.3, the last for Go 1.26, knows the cache's layout, but it verifies no checksum,
// removes what was broken off instead of going on with it, retries nothing, has neither HF_HUB_OFFLINE, HF_HOME nor token
// files, does not tell a gated repository from an absent one, and cleans ".." out of names instead of refusing them.
package hub
