#!/usr/bin/env bash
# stories260K without layer 2, healed on TinyStories by every method and loss: validation loss, seconds, memory, as a table.
#
#   heal_stories.sh SHALLOW STORIES_MODEL STORIES.jsonl [STEPS]
set -euo pipefail
shallow=$1 model=$2 corpus=$3 steps=${4:-300}
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
head -c 2000000 "$corpus" | head -n -1 > "$out/stories.jsonl"
"$shallow" prune "$model" --layers 2:3 -o "$out/cut" --quiet > /dev/null
common=(--corpus "$out/stories.jsonl" --base float32 --steps "$steps" --batch 8 --accumulate 1 --length 256 --held 64 --quiet --json)
row() { # name, arguments
  local name=$1
  shift
  rm -rf "$out/run"
  "$shallow" heal "${common[@]}" -o "$out/run" "$@" 2> /dev/null |
    sed -n 's/.*"before": \([0-9.]*\).*/before \1/p; s/.*"after": \([0-9.]*\).*/after \1/p; s/.*"seconds": \([0-9.]*\).*/seconds \1/p; s/.*"peak_memory": \([0-9]*\).*/memory \1/p; s/.*"trained_parameters": \([0-9]*\).*/trained \1/p' |
    awk -v name="$name" '{v[$1] = $2} END {printf "| %s | %d | %.4f | %.4f | %.0f | %.0f |\n", name, v["trained"], v["before"], v["after"], v["seconds"], v["memory"] / 1e6}'
}
echo "| what is trained, and by which loss | parameters | validation loss before | after | s | MB |"
echo "|---|---|---|---|---|---|"
row "the whole model, one step at a rate of nothing" "$model" --method lora --rank 1 --lr 1e-30 --steps 1
lora=(--method lora --rank 8 --targets all --lr 3e-3)
row "lora" "$out/cut" "${lora[@]}"
row "lora, match" "$out/cut" "${lora[@]}" --loss match --teacher "$model"
row "lora, distill" "$out/cut" "${lora[@]}" --loss distill --teacher "$model"
row "full" "$out/cut" --method full --lr 1e-3
row "full, match" "$out/cut" --method full --lr 1e-3 --loss match --teacher "$model"
row "full, distill" "$out/cut" --method full --lr 1e-3 --loss distill --teacher "$model"
row "tail" "$out/cut" --method tail --lr 1e-3
row "tail, distill" "$out/cut" --method tail --lr 1e-3 --loss distill --teacher "$model"
row "join" "$out/cut" --method join --lr 1e-3
row "join, match" "$out/cut" --method join --lr 1e-3 --loss match --teacher "$model"
row "join, distill" "$out/cut" --method join --lr 1e-3 --loss distill --teacher "$model"
