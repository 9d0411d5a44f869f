"""Holds shallow against llama.cpp and its converter. Run it by llamacpp.sh, which builds what it needs.

For each small checkpoint:

1. llama.cpp's converter makes a GGUF file of it (float32), with a small SentencePiece vocabulary beside it.
2. shallow prunes that file, and shallow prunes the checkpoint, which the converter then turns into a second file. Both must hold
   the same tensors, byte for byte, and the same metadata but for names and provenance.
3. llama.cpp loads both, and their logits and greedy continuations must be the same to the bit.
4. Where llama.cpp computes what transformers does, those logits must be transformers' for the cut, within 1e-4 of the
   largest (gemma: 2e-3).
   "quantised" does the same with files that llama.cpp quantises, and llama.cpp's own pruning (llama-quantize --prune-layers).
5. Where shallow runs the GGUF file, its logits must be llama.cpp's, and its distances those of the checkpoint within 1e-5.
"""
import argparse
import json
import os
import shutil
import subprocess
import sys

import check_gguf
import gguf
import numpy as np
import sentencepiece
from safetensors.numpy import load_file

# The cases: a checkpoint, what is cut (its first reference cut if not said), keys of config.json that are changed so that
# llama.cpp can compute what transformers does, and why it cannot all the same.
CASES = [
    ("llama-plain", None, {}, None),
    ("llama-gqa-tied", None, {}, None),
    ("llama-rope-llama3", None, {}, None),
    ("llama-rope-linear", None, {}, None),
    ("llama-rope-yarn", None, {"rope_parameters": {"attention_factor": None, "beta_fast": None, "beta_slow": None}}, None),
    ("mistral-nowindow", None, {}, None),
    ("mistral-window", None, {}, "llama.cpp has no window for it"),
    ("qwen2", None, {"use_sliding_window": False}, None),
    ("qwen3", None, {}, None),
    ("gemma2", "2:4", {"query_pre_attn_scalar": 16}, None),
    ("gemma2", "1:2", {"query_pre_attn_scalar": 16}, None),
    ("gemma3_text", "0:6", GEMMA3 := {"query_pre_attn_scalar": 16, "_sliding_window_pattern": None, "sliding_window_pattern": None, "layer_types": 5 * ["sliding_attention"] + ["full_attention", "sliding_attention"]}, None),
    ("gemma3_text", "1:3", GEMMA3, None),
    ("phi3", None, {"sliding_window": None}, None),
    ("olmo2", None, {}, None),
    ("olmo3", None, {"rope_parameters": {"full_attention": {
        "rope_type": "default", "factor": None, "attention_factor": None, "beta_fast": None, "beta_slow": None, "original_max_position_embeddings": None}}}, None),
    ("granite", None, {}, None),
    ("smollm3", None, {"no_rope_layers": [1, 1, 1, 0, 1, 1], "no_rope_layer_interval": 4}, None),
]
# llama.cpp looks the GELU of float16 numbers up in a table, and so do gemma's gates.
GELU = 2e-3
# What the converter does not write and shallow does: a cut that breaks the period of the windows.
WINDOWS = ("gemma2.attention.sliding_window_pattern", "gemma3.attention.sliding_window_pattern")
# What may differ between the two files: names, and what was pruned.
FREE = ("GGUF.kv_count", "general.name", "general.basename", "general.size_label", "general.finetune", "general.organization", "general.version", "shallow.plan")


def vocabulary(path, size):
    """A SentencePiece model of at most so many pieces, with a piece for each byte where there is room."""
    words = [f"{a}{b}{c}" for a in "bcdfgklmnprst" for b in "aeiou" for c in "lmnrst "]
    text = "\n".join(" ".join(words[i % len(words)] for i in range(k, k + 9)) for k in range(0, 4000, 3))
    corpus = path + ".txt"
    with open(corpus, "w") as f:
        f.write(text)
    sentencepiece.SentencePieceTrainer.train(
        input=corpus, model_prefix=path.removesuffix(".model"), vocab_size=size, model_type="bpe", byte_fallback=size > 270,
        hard_vocab_limit=False, minloglevel=2)


def run(*command, env=None):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, env=env)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}")
    return done.stdout


# Families of byte-level BPE are converted with the small SentencePiece vocabulary too.
CONVERT = """
import runpy, sys
from conversion import base
base.TextModel._set_vocab_gpt2 = base.TextModel._set_vocab_sentencepiece
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def convert(a, model, out):
    env = dict(os.environ, PYTHONPATH=os.pathsep.join([os.path.join(a.source, "gguf-py"), a.source]))
    script = os.path.join(a.source, "convert_hf_to_gguf.py")
    run(sys.executable, "-c", f"import sys; sys.argv = {[script, model, '--outfile', out, '--outtype', 'f32']!r}\n{CONVERT}", env=env)


def raw(field):
    return [t.name for t in field.types], b"".join(part.tobytes() for part in field.parts[2:])


def same_files(x, y):
    """The names of metadata that differ although they must not, and whether the tensors are the same."""
    x, y = gguf.GGUFReader(x), gguf.GGUFReader(y)
    keys = sorted(set(x.fields) | set(y.fields))
    differ = [k for k in keys if k not in FREE and (k not in x.fields or k not in y.fields or raw(x.fields[k]) != raw(y.fields[k]))]
    xs, ys = ({t.name: (t.tensor_type, tuple(t.shape), t.data.tobytes()) for t in r.tensors} for r in (x, y))
    return differ, xs == ys, len(ys)


def logits(a, model, ids, greedy=16):
    out = os.path.join(a.work, "logits.f32")
    text = run(os.path.join(a.work, "llamacpp_logits"), model, out, greedy, *ids)
    return np.fromfile(out, np.float32).reshape(len(ids), -1), text.split()


def relative(x, y):
    return float(np.abs(x - y).max() / np.abs(y).max())


def patch(config, keys):
    """Changes keys of a config; None takes one away."""
    for key, value in keys.items():
        if isinstance(value, dict):
            patch(config[key], value)
        elif value is None:
            config.pop(key, None)
        else:
            config[key] = value


def transformers_logits(model, ids):
    import torch
    import transformers
    net = transformers.AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32, attn_implementation="eager").eval()
    with torch.no_grad():
        return net(torch.tensor([ids])).logits[0].numpy()


def check(a, case, cut, keys, why_not):
    folder = os.path.join(a.work, "cases", case + (cut or "").replace(":", "-"))
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    model, at = os.path.join(folder, "model"), lambda name: os.path.join(folder, name)
    source = os.path.join(a.families, case)
    os.makedirs(model)
    for name in os.listdir(source):
        if not name.startswith("expected"):
            shutil.copyfile(os.path.join(source, name), os.path.join(model, name))
    config = json.load(open(os.path.join(model, "config.json")))
    expected = json.load(open(os.path.join(source, "expected.json")))
    values = load_file(os.path.join(source, "expected.safetensors"))
    patch(config, keys)
    json.dump(config, open(os.path.join(model, "config.json"), "w"), indent=1)
    vocabulary(os.path.join(model, "tokenizer.model"), min(config["vocab_size"], 290))
    first, last = expected["skips"][0]
    shallow, cut = os.path.join(a.work, "shallow"), cut or f"{first}:{last}"

    convert(a, model, at("full.gguf"))
    note = run(shallow, "prune", at("full.gguf"), "--layers", cut, "-o", at("direct.gguf"), "-q")
    run(shallow, "prune", model, "--layers", cut, "-o", at("pruned"), "-q", "--unproved")
    convert(a, at("pruned"), at("converted.gguf"))
    differ, tensors, n = same_files(at("direct.gguf"), at("converted.gguf"))
    line = [f"{case} {cut}: {n} tensors {'equal' if tensors else 'DIFFER'}"]
    failed = not tensors
    if differ:
        line.append("metadata differ: " + ", ".join(differ))

    ids = values["ids.1"].tolist()
    direct, tokens = logits(a, at("direct.gguf"), ids)
    converted, others = logits(a, at("converted.gguf"), ids)
    if np.array_equal(direct, converted) and tokens == others:
        line.append(f"{direct.size} logits and {len(tokens)} greedy tokens of llama.cpp equal")
    else:
        line.append(f"logits of llama.cpp differ by {relative(direct, converted):.1e}")
        failed = failed or not set(differ) & set(WINDOWS)
    failed = failed or not set(differ) <= set(WINDOWS)
    if keys:
        reference = transformers_logits(at("pruned"), ids)
    else:
        reference = values[f"skip.{first}-{last}.logits.1"]
    error = relative(direct, reference)
    line.append(f"{error:.1e} from transformers" + (f" ({why_not})" if why_not else ""))
    failed = failed or not why_not and error > (GELU if case.startswith("gemma") else 1e-4)

    full, _ = logits(a, at("full.gguf"), ids)
    with open(at("ids.jsonl"), "w") as f:
        for s in range(3):
            f.write(json.dumps({"ids": values[f"ids.{s}"].tolist()}) + "\n")
    if "proved:" in note:
        run(shallow, "states", at("full.gguf"), "--corpus", at("ids.jsonl"), "--logits", "-q", "--precision", "float32", "-o", at("states.safetensors"))
        ours = load_file(at("states.safetensors"))["logits.1"]
        error = relative(ours, full)
        line.append(f"shallow's logits of the file {error:.1e} from llama.cpp's")
        failed = failed or error > 1e-4
        for name, where in ("full.gguf", "gguf"), ("model", "hub"):
            run(shallow, "measure", at(name), "--corpus", at("ids.jsonl"), "-q", "--precision", "float32", "-o", at(where))
        x, y = (json.load(open(os.path.join(at(where), "distances.json")))["distances"] for where in ("gguf", "hub"))
        error = max(abs(p - q) for r, s in zip(x, y) for p, q in zip(r, s))
        line.append(f"distances {error:.1e} from the checkpoint's")
        failed = failed or not why_not and error > 1e-5
    print("; ".join(line) + (" FAILED" if failed else ""), flush=True)
    return not failed


# Kinds of llama.cpp's quantised files, by their numbers in enum llama_ftype; those of 1 and 2 bits want statistics of use.
FILES = {"F16": 1, "Q4_0": 2, "Q4_1": 3, "Q8_0": 7, "Q5_0": 8, "Q5_1": 9, "Q2_K": 10, "Q3_K_S": 11, "Q3_K_M": 12, "Q3_K_L": 13,
         "Q4_K_S": 14, "Q4_K_M": 15, "Q5_K_M": 17, "Q6_K": 18, "IQ3_S": 26, "IQ3_M": 27, "IQ4_NL": 25, "IQ4_XS": 30, "BF16": 32,
         "TQ1_0": 36, "TQ2_0": 37, "Q1_0": 40, "Q2_0": 41}


def check_files(a):
    """llama.cpp quantises a model; shallow and llama.cpp prune it: the same tensors, logits and greedy tokens."""
    folder, drop = os.path.join(a.work, "cases", "quantised"), (2, 3)
    os.makedirs(folder, exist_ok=True)
    at = lambda name: os.path.join(folder, name)
    check_gguf.model_file(at("f32.gguf"), "llama", gguf.GGMLQuantizationType.F32, layers=6, d=256, f=512, keys=check_gguf.bytes_vocabulary)
    quantize, ok = os.path.join(a.work, "llamacpp_quantize"), True
    for name, number in FILES.items():
        done = subprocess.run([quantize, at("f32.gguf"), at("q.gguf"), str(number)], capture_output=True, text=True)
        if done.returncode:
            print(f"{name}: llama.cpp does not make it: {done.stderr.strip()}")
            continue
        run(quantize, at("q.gguf"), at("theirs.gguf"), "prune", "llama.block_count", 4, *drop)
        if os.path.exists(at("ours.gguf")):
            os.remove(at("ours.gguf"))
        run(os.path.join(a.work, "shallow"), "prune", at("q.gguf"), "--layers", "2:4", "-o", at("ours.gguf"), "-q")
        differ, tensors, n = same_files(at("ours.gguf"), at("theirs.gguf"))
        x, y = (logits(a, at(f), [1, 5, 60, 33, 2, 17, 17, 40]) for f in ("ours.gguf", "theirs.gguf"))
        same = np.array_equal(x[0], y[0]) and x[1] == y[1] and np.isfinite(x[0]).all()
        kinds = sorted({t.tensor_type.name for t in gguf.GGUFReader(at("ours.gguf")).tensors})
        good = tensors and same and not differ
        print(f"{name} ({' '.join(kinds)}): {n} tensors, {x[0].size} logits and 16 greedy tokens {'equal' if good else f'DIFFER {differ}'}", flush=True)
        ok = ok and good
    return ok


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--source", required=True)
    parser.add_argument("--work", required=True)
    parser.add_argument("--families", required=True)
    parser.add_argument("cases", nargs="*")
    a = parser.parse_args()
    results = [check(a, *case) for case in CASES if not a.cases or case[0] in a.cases]
    if not a.cases or "quantised" in a.cases:
        results.append(check_files(a))
    sys.exit(not all(results))


if __name__ == "__main__":
    main()
