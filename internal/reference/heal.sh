#!/usr/bin/env bash
# QLoRA by PEFT with bitsandbytes and by shallow in turn: NF4 base, rank 64 on the feed-forward matrices, one row of 512 random tokens
# a step. Prints, for each round, tokens per second of the steps behind the first and the peak resident memory of both; PEFT's
# without gradient checkpointing (its fastest) and, once, the memory of the run with it (its smallest).
#
#   heal.sh SHALLOW PYTHON PEER_DIR MODEL [ROUNDS] [STEPS]
set -euo pipefail
shallow=$1 python=$2 peers=$3 model=$4 rounds=${5:-3} steps=${6:-4}
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
"$python" - "$steps" > "$out/ids.jsonl" <<'PY'
import json, random, sys
random.seed(0)
for _ in range(int(sys.argv[1])):
    print(json.dumps({"ids": [random.randrange(3, 32000) for _ in range(512)]}))
PY
peer() { "$python" "$peers/heal.py" "$model" --length 512 --steps "$steps" --checkpointing "$1" 2>/dev/null; }
for round in $(seq "$rounds"); do
  theirs=$(peer 0)
  "$shallow" heal "$model" --corpus "$out/ids.jsonl" --base nf4 --rank 64 --length 512 --accumulate 1 --steps "$steps" --no-shuffle \
    --preset default -o "$out/run$round" --json --quiet > "$out/result.json"
  "$python" - "$round" "$theirs" "$out/result.json" "$out/run$round" <<'PY'
import json, sys
theirs, ours = json.loads(sys.argv[2]), json.load(open(sys.argv[3]))
log = [json.loads(line) for line in open(sys.argv[4] + "/log.jsonl")]
rate = ours["tokens"] / ours["seconds"]
print(f"round {sys.argv[1]}: PEFT {theirs}; shallow {rate:.1f} tokens/s, {ours['peak_memory'] / 1e9:.2f} GB, ratio {rate / theirs['tokens_per_s']:.2f}", flush=True)
PY
done
echo "PEFT with gradient checkpointing: $(peer 1)"
