"""Prune tiny random checkpoints of many families with shallow and run what comes out with transformers.

    python families.py SHALLOW [FAMILY ...]

SHALLOW is the program. For each family: transformers writes a checkpoint, `shallow prune` cuts layers out of it and
transformers loads the result, with no key missing, unexpected or of another shape. Its logits, and those that
`shallow states` computes, must be those of the original with the same layers passed over, within 1e-4 of the largest.
"""
import json
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import torch
import transformers
from safetensors.torch import load_file
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForImageTextToText

warnings.filterwarnings("ignore")
transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()
torch.manual_seed(1)
TOLERANCE = 1e-4


def sizes(layers=6, kv=2, **more):
    return dict(vocab_size=200, hidden_size=48, num_hidden_layers=layers, num_attention_heads=4, num_key_value_heads=kv,
                intermediate_size=72, max_position_embeddings=128, **more)


EXPERTS = dict(moe_intermediate_size=24, num_experts=5, num_experts_per_tok=2)

# What transformers is asked to make: the settings that pruning has to carry over or rewrite. The layers cut are [a, b).
CASES = {
    "llama": (sizes(rope_parameters=dict(rope_type="llama3", rope_theta=1e4, factor=4.0, low_freq_factor=1.0, high_freq_factor=4.0,
                                         original_max_position_embeddings=32)), (2, 4)),
    "mistral": (sizes(head_dim=16, sliding_window=7), (1, 4)),
    "qwen2": (sizes(use_sliding_window=True, sliding_window=9, max_window_layers=3), (1, 3)),
    "qwen3": (sizes(head_dim=16, tie_word_embeddings=True), (3, 5)),
    "qwen2_moe": (sizes(decoder_sparse_step=2, mlp_only_layers=[3], shared_expert_intermediate_size=32, **EXPERTS), (2, 3)),
    "qwen3_moe": (sizes(head_dim=16, decoder_sparse_step=2, norm_topk_prob=True, **EXPERTS), (1, 2)),
    "mixtral": (sizes(num_local_experts=4, num_experts_per_tok=2), (0, 2)),
    "phi": (sizes(kv=4, qk_layernorm=True), (2, 4)),
    "phi3": (sizes(sliding_window=11, pad_token_id=0), (2, 4)),
    "gemma": (sizes(head_dim=16), (1, 3)),
    "gemma2": (sizes(head_dim=16, sliding_window=8, query_pre_attn_scalar=16, attn_logit_softcapping=5.0, final_logit_softcapping=3.0), (1, 2)),
    "gemma3_text": (sizes(layers=8, head_dim=16, sliding_window=8, query_pre_attn_scalar=16), (3, 5)),
    "olmo2": (sizes(), (2, 4)),
    "olmo3": (sizes(layers=8, sliding_window=8), (2, 5)),
    "smollm3": (sizes(no_rope_layer_interval=3, pad_token_id=0), (1, 3)),
    "granite": (sizes(embedding_multiplier=2.0, residual_multiplier=0.6, attention_multiplier=0.3, logits_scaling=3.0), (2, 4)),
    "glm4": (sizes(head_dim=16, pad_token_id=0, eos_token_id=1), (2, 4)),
    "glm": (sizes(head_dim=16, pad_token_id=0, eos_token_id=1), (2, 4)),
    "cohere": (sizes(logit_scale=0.5), (2, 4)),
    "cohere2": (sizes(layers=9, sliding_window=8, logit_scale=0.5), (2, 5)),
    "starcoder2": (sizes(sliding_window=9), (2, 4)),
    "stablelm": (sizes(use_qkv_bias=True, qk_layernorm=True, partial_rotary_factor=0.5), (2, 4)),
    "gpt2": (dict(vocab_size=200, n_embd=48, n_layer=6, n_head=4, n_positions=128), (2, 4)),
    "gpt_neox": (sizes(rotary_pct=0.5), (2, 4)),
    "gemma3": (dict(text_config=dict(model_type="gemma3_text", **sizes(layers=7, head_dim=16, sliding_window=8, sliding_window_pattern=3)),
                    vision_config=dict(model_type="siglip_vision_model", hidden_size=32, intermediate_size=48, num_hidden_layers=7,
                                       num_attention_heads=2, image_size=28, patch_size=14), mm_tokens_per_image=4), (1, 3)),
}


def layers_of(model):
    """The list of decoder layers, and the module and name that hold it."""
    for path in ("model.language_model", "model", "transformer", "gpt_neox"):
        try:
            holder = model.get_submodule(path)
        except AttributeError:
            continue
        for name in ("layers", "h"):
            if hasattr(holder, name):
                return getattr(holder, name)
    raise SystemExit(f"{type(model).__name__}: no list of layers")


class Passed(torch.nn.Module):
    def forward(self, hidden_states, *args, **kwargs):
        return hidden_states


def logits(model, sequences):
    with torch.inference_mode():
        return [model(input_ids=ids[None], use_cache=False).logits[0] for ids in sequences]


def apart(got, want):
    return max(float((g - w).abs().max() / w.abs().max()) for g, w in zip(got, want))


def check(shallow, family, folder):
    settings, (a, b) = CASES[family]
    config = AutoConfig.for_model(family, **settings)
    auto = AutoModelForImageTextToText if family == "gemma3" else AutoModelForCausalLM
    plain = dict(attn_implementation="eager", dtype=torch.float32)
    model = auto.from_config(config, **plain).eval()
    with torch.no_grad():
        for name, p in model.named_parameters():  # strong enough that every layer shows
            p.copy_(torch.randn_like(p) * (0.2 if p.ndim == 1 else 1.4 / p.shape[-1] ** 0.5) + (1.0 if "norm" in name and p.ndim == 1 and "gemma" not in family else 0))
    model.save_pretrained(folder / "original")
    vocabulary = config.get_text_config().vocab_size
    sequences = [torch.randint(0, vocabulary, (n,)) for n in (1, 9, 45)]
    (folder / "ids.jsonl").write_text("".join(json.dumps({"ids": ids.tolist()}) + "\n" for ids in sequences))

    subprocess.run([shallow, "prune", folder / "original", "--layers", f"{a}:{b}", "-o", folder / "pruned", "--quiet"],
                   check=True, stdout=subprocess.DEVNULL)
    subprocess.run([shallow, "states", folder / "pruned", "--corpus", folder / "ids.jsonl", "--precision", "float32", "--logits",
                    "-o", folder / "states.safetensors", "--quiet"], check=True, stdout=subprocess.DEVNULL)
    pruned, info = auto.from_pretrained(folder / "pruned", output_loading_info=True, **plain)
    for kind in ("missing_keys", "unexpected_keys", "mismatched_keys", "error_msgs"):
        if info.get(kind):
            raise SystemExit(f"{family}: {kind}: {info[kind]}")

    layers = layers_of(model)
    for i in range(a, b):
        layers[i] = Passed()
    want = logits(model, sequences)
    ours = load_file(folder / "states.safetensors")
    return apart(logits(pruned.eval(), sequences), want), apart([ours[f"logits.{s}"] for s in range(len(sequences))], want)


def main():
    shallow = str(Path(sys.argv[1]).resolve())
    worst = 0.0
    for family in sys.argv[2:] or CASES:
        with tempfile.TemporaryDirectory() as folder:
            loaded, ours = check(shallow, family, Path(folder))
        print(f"{family:12} without [{CASES[family][1][0]}, {CASES[family][1][1]}): transformers {loaded:.1e}, shallow {ours:.1e}", flush=True)
        worst = max(worst, loaded, ours)
    sys.exit(0 if worst <= TOLERANCE else 1)


main()
