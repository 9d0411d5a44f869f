"""Hold shallow's adapters against PEFT's, both ways, on a tiny model of its own.

    python lora.py SHALLOW [FAMILY ...]

SHALLOW is the program. For each family: transformers writes a checkpoint and PEFT an adapter with random numbers.
1. `shallow heal --init` with a learning rate too small to matter reads PEFT's adapter and writes it again: the numbers must be equal.
2. `shallow heal` trains a new adapter; stock PEFT loads it with no key missing or left over, and its loss on the training rows is the one that
   shallow logged; it is lower than that of the base.
3. `shallow merge` of that adapter, loaded by transformers, has the logits that PEFT computes, within 1e-4 of the largest.
"""
import json
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import torch
import transformers
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file
from transformers import AutoConfig, AutoModelForCausalLM

warnings.filterwarnings("ignore")
transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()
torch.manual_seed(1)
TOLERANCE = 1e-4

SIZES = dict(vocab_size=200, hidden_size=48, num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=2, intermediate_size=72,
             max_position_embeddings=128)
# The settings of the model, and PEFT's targets for all of its linear layers.
ALL = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
CASES = {
    "llama": (SIZES, ALL),
    "gemma2": (dict(SIZES, head_dim=16, sliding_window=8, query_pre_attn_scalar=16), ALL),
    "phi": (dict(SIZES, num_key_value_heads=4), ["q_proj", "k_proj", "v_proj", "dense", "fc1", "fc2"]),
    "phi3": (dict(SIZES, pad_token_id=0), ["qkv_proj", "o_proj", "gate_up_proj", "down_proj"]),
    "gpt2": (dict(vocab_size=200, n_embd=48, n_layer=3, n_head=4, n_positions=128), ["attn.c_attn", "attn.c_proj", "c_fc", "mlp.c_proj"]),
}
STEPS = 8


def load(path):
    return AutoModelForCausalLM.from_pretrained(path, attn_implementation="eager", dtype=torch.float32).eval()


def with_adapter(model, adapter):
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)  # PEFT warns of keys that are missing
        warnings.filterwarnings("ignore", message=".*fan_in_fan_out.*")
        return PeftModel.from_pretrained(load(model), adapter).eval()


def logits(model, sequences):
    with torch.inference_mode():
        return [model(input_ids=ids[None], use_cache=False).logits[0] for ids in sequences]


def loss(outputs, sequences):
    losses = [torch.nn.functional.cross_entropy(o[:-1], ids[1:], reduction="sum") for o, ids in zip(outputs, sequences)]
    return float(sum(losses) / sum(len(ids) - 1 for ids in sequences))


def apart(got, want):
    return max(float((g - w).abs().max() / w.abs().max()) for g, w in zip(got, want))


def heal(shallow, model, out, *flags):
    subprocess.run([shallow, "heal", model, "--corpus", model.parent / "ids.jsonl", "--no-shuffle", "--base", "float32", "--dropout", "0",
                    "--batch", "2", "--accumulate", "2", "-o", out, "--quiet", *flags], check=True, stdout=subprocess.DEVNULL)


def check(shallow, family, folder):
    settings, targets = CASES[family]
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(family, **settings), attn_implementation="eager", dtype=torch.float32)
    with torch.no_grad():
        for p in model.parameters():
            if p.ndim > 1:
                p.copy_(torch.randn_like(p) / p.shape[-1] ** 0.5)
    base = folder / "base"
    model.save_pretrained(base)
    sequences = [torch.randint(0, 200, (n,)) for n in (5, 12, 9, 17)]
    (folder / "ids.jsonl").write_text("".join(json.dumps({"ids": ids.tolist()}) + "\n" for ids in sequences))

    # PEFT's adapter, with a rank and an alpha of its own for one kind of module, read and written again.
    odd = targets[-1]
    theirs = get_peft_model(load(base), LoraConfig(r=4, lora_alpha=6, target_modules=targets, rank_pattern={odd: 2}, alpha_pattern={odd: 5},
                                                   use_rslora=True, task_type="CAUSAL_LM"))
    with torch.no_grad():
        for name, p in theirs.named_parameters():
            if "lora_B" in name:
                p.copy_(torch.randn_like(p) * 0.2)
    theirs.save_pretrained(folder / "theirs")
    heal(shallow, base, folder / "again", "--init", folder / "theirs", "--steps", "1", "--lr", "1e-12")
    want, got = load_file(folder / "theirs/adapter_model.safetensors"), load_file(folder / "again/adapter_model.safetensors")
    if want.keys() != got.keys() or not all(torch.equal(want[k], got[k]) for k in want):
        raise SystemExit(f"{family}: an adapter that PEFT wrote is not the same when it was read and written")
    reread = apart(logits(with_adapter(base, folder / "again"), sequences), logits(theirs.eval(), sequences))

    # An adapter of shallow's own.
    heal(shallow, base, folder / "ours", "--targets", "all", "--rank", "4", "--lr", "2e-2", "--warmup", "1", "--steps", str(STEPS))
    ours = with_adapter(base, folder / "ours")
    before, after = loss(logits(load(base), sequences), sequences), loss(logits(ours, sequences), sequences)
    # The last step's loss is logged before its update: the same step with a learning rate of nothing tells the final one.
    heal(shallow, base, folder / "final", "--init", folder / "ours", "--steps", "1", "--lr", "1e-12")
    logged = json.loads((folder / "final/log.jsonl").read_text().splitlines()[0])["loss"]
    if not after < before - 0.05:
        raise SystemExit(f"{family}: trained from {before} to {after}")
    told = abs(logged - after) / after

    subprocess.run([shallow, "merge", base, folder / "ours", "-o", folder / "merged", "--quiet"], check=True, stdout=subprocess.DEVNULL)
    merged = apart(logits(load(folder / "merged"), sequences), logits(ours, sequences))
    return reread, told, merged


def main():
    shallow = str(Path(sys.argv[1]).resolve())
    worst = 0.0
    for family in sys.argv[2:] or CASES:
        with tempfile.TemporaryDirectory() as folder:
            reread, told, merged = check(shallow, family, Path(folder))
        print(f"{family:8} PEFT's adapter read and written {reread:.1e}, loss of ours in PEFT {told:.1e}, merged {merged:.1e}", flush=True)
        worst = max(worst, reread, told, merged)
    sys.exit(0 if worst <= TOLERANCE else 1)


main()
