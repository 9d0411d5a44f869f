"""Hold rewritten configs against transformers: kept layer j must be what layer kept[j] of the original was.

    python surgery.py ../../prune/testdata

Builds the original and the cut model of every case without weights (on the meta device) and compares their layers one by one: the kinds of
their modules, the shapes of their parameters, and every plain attribute but the layer's number. Where a model cannot be built, the
lists of the configuration are compared. Prints a line a case; exits with 1 where one differs.
"""
import json
import os
import sys
import tempfile

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForImageTextToText, logging

logging.set_verbosity_error()
# A layer's number, and what counts layers as a whole.
NUMBERS = {"layer_idx", "layer_id", "layer_number", "num_hidden_layers", "_layer_idx", "training", "attention_layers"}
SMALL = {"vocab_size": 512}


def load(path):
    with tempfile.TemporaryDirectory() as d, open(path) as f:
        text = f.read()
        with open(os.path.join(d, "config.json"), "w") as g:
            g.write(text)
        return AutoConfig.from_pretrained(d, trust_remote_code=False)


def plain(v):
    return isinstance(v, (int, float, str, bool, type(None))) or isinstance(v, (list, tuple)) and all(plain(x) for x in v)


def describe(layer):
    """Everything about a layer that a reader would build from its config, by module."""
    lines = []
    for name, m in layer.named_modules():
        own = {k: v for k, v in vars(m).items() if not k.startswith("_") and k not in NUMBERS and plain(v)}
        shapes = {k: tuple(p.shape) for k, p in m.named_parameters(recurse=False)}
        lines.append((name, type(m).__name__, sorted(own.items(), key=str), sorted(shapes.items())))
    return lines


def layers(config, count):
    config.quantization_config = None
    del config.quantization_config
    text = config.get_text_config(decoder=True)
    for c in {id(config): config, id(text): text}.values():
        if getattr(c, "num_local_experts", 0) > 8 and not isinstance(c.num_local_experts, list):
            c.num_local_experts = 8
    auto = AutoModelForCausalLM if config is text else AutoModelForImageTextToText
    with torch.device("meta"):
        model = auto.from_config(config)
    lists = [m for n, m in model.named_modules() if isinstance(m, torch.nn.ModuleList) and len(m) == count
             and not any(w in n for w in ("vision", "visual", "audio"))]
    return [describe(layer) for layer in lists[0]]


LISTS = ["layer_types", "mlp_layer_types", "no_rope_layers", "layers_block_type", "indexer_types", "activation_sparsity_pattern", "attention_layers",
         "intermediate_size", "kv_sharing_modes", "layers_num_experts", "moe_topk"]


def attributes(config, count):
    text = config.get_text_config(decoder=True)
    found = {}
    for name in LISTS:
        v = getattr(text, name, None)
        if isinstance(v, (list, tuple)) and len(v) == count:
            found[name] = list(v)
    return found


def main(data):
    bad = 0
    with open(os.path.join(data, "cuts.json")) as f:
        cases = json.load(f)
    for case in cases:
        if "refused" in case:
            continue
        name, drop = case["name"], case["drop"]
        try:
            old = load(os.path.join(data, "configs", name + ".json"))
            new = load(os.path.join(data, "cut", name + ".json"))
        except Exception as e:
            print(f"{name}: transformers does not read this: {str(e).strip().splitlines()[0][:90]}")
            continue
        text = old.get_text_config(decoder=True)
        count = getattr(text, "num_layers", None) if old.model_type == "longcat_flash" else text.num_hidden_layers
        kept = [i for i in range(count) if i not in drop]
        a, b = attributes(old, count), attributes(new, len(kept))
        wrong = [k for k in a if k not in b or [a[k][i] for i in kept] != b[k]]
        how = f"lists {', '.join(a) or '-'}"
        try:
            x, y = layers(old, count), layers(new, len(kept))
            differ = [j for j, l in enumerate(kept) if x[l] != y[j]]
            wrong += [f"layer {kept[j]}" for j in differ[:3]]
            how += f"; {len(kept)} layers built, {len({str(l) for l in x})} kinds"
        except Exception as e:
            how += f"; not built: {type(e).__name__} {str(e).strip().splitlines()[0][:80] if str(e) else ''}"
        print(f"{name}: {'DIFFERS ' + str(wrong) if wrong else 'same'} ({how})", flush=True)
        bad += bool(wrong)
    return bad


if __name__ == "__main__":
    sys.exit(1 if main(sys.argv[1]) else 0)
