"""Reads a cache that shallow wrote and writes one for shallow to read, with huggingface_hub.

    interop.py ENDPOINT COMMIT OURS THEIRS      prints ok, or fails
"""

import os
import sys

endpoint, commit, ours, theirs = sys.argv[1:]
os.environ.update(HF_ENDPOINT=endpoint, HF_HUB_DISABLE_XET="1", HF_HUB_DISABLE_PROGRESS_BARS="1", HF_HUB_DISABLE_TELEMETRY="1")

from huggingface_hub import hf_hub_download, scan_cache_dir, snapshot_download, try_to_load_from_cache
from huggingface_hub.file_download import _CACHED_NO_EXIST

snapshot = os.path.join(ours, "models--acme--tiny", "snapshots", commit)

# Ours, without the network: by the branch and by the commit; a file, one that the commit lacks, one nobody knows of.
assert snapshot_download("acme/tiny", cache_dir=ours, local_files_only=True) == snapshot
assert snapshot_download("acme/tiny", cache_dir=ours, local_files_only=True, revision=commit) == snapshot
assert try_to_load_from_cache("acme/tiny", "config.json", cache_dir=ours) == os.path.join(snapshot, "config.json")
assert try_to_load_from_cache("acme/tiny", "chat_template.jinja", cache_dir=ours) is _CACHED_NO_EXIST
assert try_to_load_from_cache("acme/tiny", "unheard-of", cache_dir=ours) is None
scan = scan_cache_dir(ours)
assert not scan.warnings, scan.warnings
(repo,) = scan.repos
(revision,) = repo.revisions
assert (repo.repo_id, repo.repo_type, revision.commit_hash, set(revision.refs)) == ("acme/tiny", "model", commit, {"main"})

# Theirs: a whole repository, and single files as transformers takes them.
snapshot_download("acme/whole", cache_dir=theirs)
for name in ["config.json", "tokenizer.json", "model.safetensors.index.json", "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]:
    hf_hub_download("acme/tiny", name, cache_dir=theirs)
print("ok")
