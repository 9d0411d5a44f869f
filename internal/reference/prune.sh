#!/usr/bin/env bash
# Pruning and cp in turn, for the bytes that are kept. Prints, for each round, the seconds of cp and of shallow's copy, and those of
# its other stages.
#
#   prune.sh SHALLOW MODEL LAYERS SCRATCH_DIR [ROUNDS]
set -euo pipefail
shallow=$1 model=$2 layers=$3 scratch=$4 rounds=${5:-3}
out=$(mktemp -d -p "$scratch")
trap 'rm -rf "$out"' EXIT
"$shallow" prune "$model" --layers "$layers" -o "$out/kept" --quiet > /dev/null # its files are what cp copies
for round in $(seq "$rounds"); do
  cat "$out"/kept/*.safetensors > /dev/null
  begin=$(date +%s.%N)
  cp --reflink=never -r "$out/kept" "$out/copy"
  copied=$(date +%s.%N)
  sync "$out"/copy/*
  synced=$(date +%s.%N)
  rm -rf "$out/copy"
  cat "$model"/*.safetensors > /dev/null
  printf 'round %s: cp %.2f s (then sync %.2f s); shallow ' "$round" "$(echo "$copied - $begin" | bc)" "$(echo "$synced - $copied" | bc)"
  "$shallow" prune "$model" --layers "$layers" -o "$out/pruned" --quiet | tail -1
  rm -rf "$out/pruned"
done
