"""Hold a pruned model with its renumbered adapter against the original with its adapter and layers taken out, by stock PEFT.

    shallow prune MODEL --layers A:B --adapter ADAPTER -o PRUNED
    python adapter.py MODEL ADAPTER PRUNED PRUNED/adapter A:B

Prints the largest difference of the logits as a share of the largest logit, and how much the adapter changes them; 0 is expected.
"""
import sys

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM

model, adapter, pruned, moved, cut = sys.argv[1:]
first, end = map(int, cut.split(":"))


def load(path):
    return AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32, attn_implementation="eager").eval()


def layer_list(m):
    inner = m.get_decoder() if hasattr(m, "get_decoder") else m.base_model
    return inner, next(n for n in ("layers", "h") if hasattr(inner, n))


base = load(model)
old = PeftModel.from_pretrained(base, adapter).eval()
holder, name = layer_list(base)
types = getattr(base.config, "layer_types", None)
keep = [l for i, l in enumerate(getattr(holder, name)) if not first <= i < end]
setattr(holder, name, torch.nn.ModuleList(keep))
base.config.num_hidden_layers = len(keep)
if types:
    base.config.layer_types = [t for i, t in enumerate(types) if not first <= i < end]

new = PeftModel.from_pretrained(load(pruned), moved).eval()
ids = torch.randint(3, base.config.vocab_size, (2, 24), generator=torch.Generator().manual_seed(1))
with torch.inference_mode():
    a = old(input_ids=ids, use_cache=False).logits
    b = new(input_ids=ids, use_cache=False).logits
    with new.disable_adapter():
        c = new(input_ids=ids, use_cache=False).logits
apart = float((a - b).abs().max() / a.abs().max())
print(f"{len(keep)} layers: {apart:.1e} apart; the adapter changes logits by {float((b - c).abs().max() / a.abs().max()):.1e}")
sys.exit(0 if apart <= 1e-6 else 1)
