"""Trains byte-level BPE with Hugging Face's tokenizers, for the tests of package tokenizer/bpetrain and demo/world.

    python3 internal/reference/train_bpe.py [WORLD]

writes tokenizer/bpetrain/testdata/learned.json from texts.json beside it: the merges that are learned and the ids of the texts and of
some odd ones. With a folder of `shallow demo --write-world` it also writes demo/world/testdata/ids.json, the ids of some of its texts.
Needs tokenizers (0.23 made the files that are kept).
"""
import hashlib
import json
import pathlib
import sys

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

ROOT = pathlib.Path(__file__).resolve().parents[2]
ODD = ["", "  two  blanks\n\ttab and\r\nline", "déjà vu, 漢字 🙂 it's we'll I'd", "<s>begin</s> end", "1,234.5 + 67", "\u00a0\u3000x", "\x00\x7f"]


def train():
    here = ROOT / "tokenizer/bpetrain/testdata"
    texts = json.loads((here / "texts.json").read_text())
    sizes = {}
    for size in (258, 300, 2000):
        t = Tokenizer(models.BPE())
        t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        t.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(vocab_size=size, min_frequency=0, show_progress=False, special_tokens=["<s>", "</s>"],
                                      initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
        t.train_from_iterator(texts, trainer)
        t.post_processor = processors.TemplateProcessing(single="<s> $A", pair="<s> $A $B:1", special_tokens=[("<s>", 0)])
        model = json.loads(t.to_str())["model"]
        sizes[size] = {"pieces": len(model["vocab"]), "merges": model["merges"], "ids": [t.encode(x).ids for x in texts + ODD]}
    (here / "learned.json").write_text(json.dumps({"odd": ODD, "sizes": sizes}, ensure_ascii=False, separators=(",", ":")) + "\n")


def world(folder):
    data = (folder / "model/tokenizer.json").read_bytes()
    t = Tokenizer.from_str(data.decode())
    texts = list(ODD)
    for stage in (1, 2):
        for line in (folder / f"train-{stage}.jsonl").read_text().splitlines()[:40]:
            d = json.loads(line)
            texts.append(d.get("text") or d["prompt"] + d["completion"])
    out = {"sha256": hashlib.sha256(data).hexdigest(), "texts": texts, "ids": [t.encode(x).ids for x in texts]}
    (ROOT / "demo/world/testdata/ids.json").write_text(json.dumps(out, ensure_ascii=False, separators=(",", ":")) + "\n")


train()
if len(sys.argv) > 1:
    world(pathlib.Path(sys.argv[1]))
