#!/usr/bin/env python3
"""Holds `shallow prune` of GGUF files against llama.cpp's own gguf package.

    pip install gguf
    python3 internal/reference/check_gguf.py                      # builds shallow, prunes small files, reads them back
    python3 internal/reference/check_gguf.py --fixtures gguf/testdata   # writes the files that Go's tests read

Each file is made with gguf.GGUFWriter, pruned with `shallow prune FILE --layers 1:3`, read with gguf.GGUFReader and
compared: every piece of metadata in its order and to the byte, every tensor's name, type, shape and bytes. The files in F16,
BF16 and Q8_0 must also give the logits that shallow computes from the float32 numbers that the gguf package unpacks.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile

import gguf
import numpy as np
from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType as T

L, DROP = 4, (1, 2)
# Types that no file holds: they are made for a product's other side. The package's size of Q8_1 has changed.
NOT_IN_FILES = {"Q8_1", "Q8_K"}


def types_file(path):
    """Every type in every layer, with bytes drawn at random, and metadata of every kind."""
    w = gguf.GGUFWriter(path, "llama")
    w.add_uint32("general.alignment", 64)
    w.data_alignment = 64
    w.add_name("types")
    w.add_block_count(L)
    w.add_feed_forward_length([16, 32, 48, 64])
    w.add_head_count([1, 2, 3, 4])
    w.add_head_count_kv([1, 1, 2, 2])
    w.add_array("llama.rope.dimension_sections", [1, 2, 3, 4])
    for kind in ("uint8", "int8", "uint16", "int16", "int32", "float32", "uint64", "int64", "float64"):
        getattr(w, "add_" + kind)("other." + kind, 7)
    w.add_bool("other.bool", True)
    w.add_string("other.text", "naïve — 表")
    w.add_array("other.texts", ["a", "", "ä"])
    w.add_array("other.floats", [0.5, -1.5])
    w.add_array("tokenizer.ggml.tokens", ["<unk>", "a", "b", "c"])
    w.add_array("tokenizer.ggml.scores", [0.0, -1.0, -2.0, -3.0])
    r = np.random.default_rng(1)
    w.add_tensor("token_embd.weight", r.standard_normal((4, 32), dtype=np.float32))
    for layer in range(L):
        for t in T:
            if t.name in NOT_IN_FILES or t not in GGML_QUANT_SIZES:
                continue
            block, size = GGML_QUANT_SIZES[t]
            row = max(block, 4)
            data = r.integers(0, 255, (3, row // block * size), dtype=np.uint8)
            w.add_tensor(f"blk.{layer}.{t.name.lower()}.weight", data, raw_dtype=t)
    w.add_tensor("output_norm.weight", r.standard_normal(32, dtype=np.float32))
    finish(w)


def model_file(path, arch, kind, layers=L, d=32, f=32, v=64, heads=4, kv=2, keys=lambda w: None, unpacked=False):
    """A small model of random weights that can be run; matrices in one kind, or unpacked from it, vectors in F32."""
    w = gguf.GGUFWriter(path, arch)
    w.add_name(f"random {arch}")
    w.add_context_length(128)
    w.add_embedding_length(d)
    w.add_block_count(layers)
    w.add_feed_forward_length(f)
    w.add_head_count(heads)
    w.add_head_count_kv(kv)
    w.add_layer_norm_rms_eps(1e-5)
    w.add_rope_freq_base(10000.0)
    w.add_vocab_size(v)
    keys(w)
    r = np.random.default_rng(2)
    vectors = np.float32

    def matrix(name, rows, cols):
        x = r.standard_normal((rows, cols), dtype=np.float32) / np.float32(cols) ** 0.5
        packed = gguf.quants.quantize(x, kind)
        if unpacked:
            w.add_tensor(name, gguf.quants.dequantize(packed, kind))
        elif kind == T.F32:
            w.add_tensor(name, x)
        else:
            w.add_tensor(name, packed, raw_dtype=kind)

    hd = d // heads
    matrix("token_embd.weight", v, d)
    for i in range(layers):
        b = f"blk.{i}."
        w.add_tensor(b + "attn_norm.weight", 1 + 0.1 * r.standard_normal(d).astype(vectors))
        matrix(b + "attn_q.weight", heads * hd, d)
        matrix(b + "attn_k.weight", kv * hd, d)
        matrix(b + "attn_v.weight", kv * hd, d)
        matrix(b + "attn_output.weight", d, heads * hd)
        if arch == "qwen2":
            for p, n in ("q", heads * hd), ("k", kv * hd), ("v", kv * hd):
                w.add_tensor(b + f"attn_{p}.bias", r.standard_normal(n).astype(vectors))
        if arch == "qwen3":
            for p in "qk":
                w.add_tensor(b + f"attn_{p}_norm.weight", 1 + 0.1 * r.standard_normal(hd).astype(vectors))
        w.add_tensor(b + "ffn_norm.weight", 1 + 0.1 * r.standard_normal(d).astype(vectors))
        matrix(b + "ffn_gate.weight", f, d)
        matrix(b + "ffn_up.weight", f, d)
        matrix(b + "ffn_down.weight", d, f)
    w.add_tensor("output_norm.weight", 1 + 0.1 * r.standard_normal(d).astype(vectors))
    finish(w)


def bytes_vocabulary(w):
    """A SentencePiece vocabulary of 64 pieces, without merges worth the name."""
    pieces = ["<unk>", "<s>", "</s>", "▁"] + [chr(c) for c in range(ord("a"), ord("z") + 1)] + ["▁" + chr(c) for c in range(ord("a"), ord("z") + 1)]
    pieces += [".", ",", "th", "he", "in", "er", "an", "on"]
    w.add_tokenizer_model("llama")
    w.add_tokenizer_pre("default")
    w.add_token_list(pieces)
    w.add_token_scores([0.0, 0.0, 0.0] + [-float(i) for i in range(len(pieces) - 3)])
    w.add_token_types([2, 3, 3] + [1] * (len(pieces) - 3))
    w.add_bos_token_id(1)
    w.add_eos_token_id(2)
    w.add_unk_token_id(0)


def finish(w):
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def raw(reader, name):
    """Kind and value of a piece of metadata, as bytes."""
    field = reader.fields[name]
    return [t.name for t in field.types], b"".join(part.tobytes() for part in field.parts[2:])


def layer_of(name):
    parts = name.split(".")
    return (int(parts[1]), ".".join(parts[2:])) if parts[0] == "blk" else (None, name)


def compare(source, pruned, lists=()):
    """Every piece of metadata and every tensor; returns how many were compared."""
    a, b = gguf.GGUFReader(source), gguf.GGUFReader(pruned)
    assert a.alignment == b.alignment
    arch = a.fields["general.architecture"].contents()
    count = arch + ".block_count"
    layers = a.fields[count].contents()
    keys = [k for k in b.fields if not k.startswith("shallow.")]
    assert keys == list(a.fields), (keys, list(a.fields))
    for key in keys:
        if key == "GGUF.tensor_count" or key == "GGUF.kv_count":
            continue
        if key == count:
            assert b.fields[key].contents() == layers - len(DROP) and b.fields[key].types == a.fields[key].types
        elif key in lists:
            x = a.fields[key].contents()
            assert b.fields[key].contents() == [x[i] for i in range(layers) if i not in DROP], key
            assert b.fields[key].types == a.fields[key].types
        else:
            assert raw(a, key) == raw(b, key), key
    want = []
    for t in a.tensors:
        layer, rest = layer_of(t.name)
        if layer is None:
            want.append((t.name, t))
        elif layer not in DROP:
            want.append((f"blk.{layer - sum(d < layer for d in DROP)}.{rest}", t))
    assert [n for n, _ in want] == [t.name for t in b.tensors]
    for (name, x), y in zip(want, b.tensors):
        assert x.tensor_type == y.tensor_type and list(x.shape) == list(y.shape), name
        assert x.data.tobytes() == y.data.tobytes(), name
        assert y.data_offset % b.alignment == 0, name
    plan = json.loads(b.fields["shallow.plan"].contents())
    assert plan["drop"] == list(DROP), plan
    return len(keys), len(want)


def logits(shallow, folder, model):
    """The logits that shallow computes for some ids, from a safetensors file."""
    ids, out = os.path.join(folder, "ids.jsonl"), os.path.join(folder, "states.safetensors")
    with open(ids, "w") as f:
        json.dump({"ids": [1, 5, 60, 33, 2, 17, 17, 40]}, f)
    subprocess.run([shallow, "states", model, "--corpus", ids, "--logits", "--precision", "float32", "-q", "-o", out], check=True, capture_output=True)
    data = open(out, "rb").read()
    length = int.from_bytes(data[:8], "little")
    t = json.loads(data[8:8 + length])["logits.0"]
    a, b = t["data_offsets"]
    return np.frombuffer(data[8 + length + a:8 + length + b], np.float32)


def unpacked(shallow, folder, model, arch, kind):
    """How far the logits are from those of the same numbers in float32, as a share of the largest."""
    twin = os.path.join(folder, "unpacked.gguf")
    model_file(twin, arch, kind, keys=bytes_vocabulary, unpacked=True)
    x, y = logits(shallow, folder, model), logits(shallow, folder, twin)
    return np.abs(x - y).max() / np.abs(y).max()


def check(shallow, folder):
    cases = [("types", types_file, ("llama.feed_forward_length", "llama.attention.head_count", "llama.attention.head_count_kv"))]
    for arch in "llama", "qwen2", "qwen3":
        for kind in T.F32, T.F16, T.BF16, T.Q8_0, T.Q4_0:
            cases.append((f"{arch}-{kind.name}", lambda p, a=arch, k=kind: model_file(p, a, k, keys=bytes_vocabulary), ()))
    for name, make, lists in cases:
        source, out = os.path.join(folder, name + ".gguf"), os.path.join(folder, name + "-pruned.gguf")
        make(source)
        run = subprocess.run([shallow, "prune", source, "--layers", "1:3", "-o", out, "--quiet"], capture_output=True, text=True)
        assert run.returncode == 0, run.stderr
        fields, tensors = compare(source, out, lists)
        proved = "proved" if "\nproved:" in run.stdout else "hashed"
        if proved == "proved" and not name.endswith("F32"):
            arch, kind = name.split("-")
            error = unpacked(shallow, folder, source, arch, T[kind])
            assert error < 1e-5, f"{name}: logits differ by {error}"
            proved += f", logits within {error:.0e} of the unpacked weights'"
        print(f"{name}: {fields} pieces of metadata and {tensors} tensors equal, {proved}")
    print(f"{len(GGML_QUANT_SIZES)} types known to gguf")


def fixtures(folder):
    types_file(os.path.join(folder, "types.gguf"))
    model_file(os.path.join(folder, "llama-f16.gguf"), "llama", T.F16, layers=6, keys=bytes_vocabulary)
    model_file(os.path.join(folder, "qwen3-q8_0.gguf"), "qwen3", T.Q8_0, layers=6)
    sizes = {t.name: [int(t), *GGML_QUANT_SIZES[t]] for t in GGML_QUANT_SIZES}
    with open(os.path.join(folder, "sizes.json"), "w") as f:
        json.dump(sizes, f, indent=0)
        f.write("\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fixtures", metavar="DIR", help="write the files that Go's tests read, and do nothing else")
    parser.add_argument("--shallow", help="the program; built from this checkout if not given")
    a = parser.parse_args()
    if a.fixtures:
        fixtures(a.fixtures)
        return
    with tempfile.TemporaryDirectory() as folder:
        shallow = a.shallow
        if not shallow:
            shallow = os.path.join(folder, "shallow")
            root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
            subprocess.run(["go", "build", "-o", shallow, "./cmd/shallow"], cwd=root, check=True)
        check(os.path.abspath(shallow), folder)


if __name__ == "__main__":
    sys.exit(main())
