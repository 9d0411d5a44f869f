"""Load a pruned checkpoint with transformers and compare its logits with those that shallow wrote.

    shallow states PRUNED --corpus ids.jsonl --precision float32 --logits -o states.safetensors
    python load_pruned.py PRUNED states.safetensors

Prints the largest difference of each sequence's logits as a share of the largest logit.
"""
import sys
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

model = AutoModelForCausalLM.from_pretrained(sys.argv[1], dtype=torch.float32).eval()
tensors = load_file(sys.argv[2])
worst = 0.0
s = 0
while f"ids.{s}" in tensors:
    with torch.inference_mode():
        want = model(tensors[f"ids.{s}"][None], use_cache=False).logits[0]
    apart = float((tensors[f"logits.{s}"] - want).abs().max() / want.abs().max())
    print(f"sequence {s}: {len(want)} tokens, {apart:.1e}")
    worst = max(worst, apart)
    s += 1
sys.exit(0 if s and worst <= 1e-4 else 1)
