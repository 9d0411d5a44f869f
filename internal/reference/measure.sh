#!/usr/bin/env bash
# Measuring by transformers and by shallow in turn, on the same number of random sequences of 512 tokens. Prints, for each round,
# tokens per second of both: the peer's passes without loading, shallow's whole run from start to exit.
#
#   measure.sh SHALLOW PYTHON PEER_DIR MODEL [SEQUENCES] [ROUNDS] [PEER_BATCH]
set -euo pipefail
shallow=$1 python=$2 peers=$3 model=$4 sequences=${5:-8} rounds=${6:-3} batch=${7:-8}
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
"$python" - "$sequences" > "$out/ids.jsonl" <<'PY'
import json, random, sys
random.seed(0)
for _ in range(int(sys.argv[1])):
    print(json.dumps({"ids": [random.randrange(3, 32000) for _ in range(512)]}))
PY
for round in $(seq "$rounds"); do
  for kind in bfloat16 float32; do
    peer=$("$python" "$peers/measure.py" "$model" --dtype "$kind" --sequences "$sequences" --batch "$batch" 2>/dev/null |
      "$python" -c 'import json, sys; print(json.loads(sys.stdin.read())["tokens_per_s"])')
    begin=$(date +%s.%N)
    "$shallow" measure "$model" --corpus "$out/ids.jsonl" --precision "$kind" -o "$out/run" --quiet > /dev/null
    end=$(date +%s.%N)
    "$python" -c "o=$sequences*512/($end-$begin); print(f'round $round $kind: transformers $peer tokens/s, shallow {o:.1f}, ratio {o/$peer:.2f}', flush=True)"
  done
done
