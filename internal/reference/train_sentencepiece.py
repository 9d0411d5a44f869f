#!/usr/bin/env python3
"""Trains small SentencePiece models and writes what the sentencepiece library makes of nasty texts.

    python internal/reference/train_sentencepiece.py CORPUS.json tokenizer/testdata/sentencepiece      (CORPUS: a list of {"text": …})

OUT/<name>.model and OUT/<name>.jsonl with text, ids, decoded; the tests of package tokenizer read them.
The library's own normalization rules fill 240 kB, so a dozen rules stand in for them; with "full" as a third argument
they do not.
"""
import io
import json
import os
import random
import sys

import sentencepiece as spm

FORMS = {
    "bpe": dict(model_type="bpe", normalization_rule_name="identity", remove_extra_whitespaces=False, byte_fallback=True,
                split_digits=True, allow_whitespace_only_pieces=True),
    "bpe-unknown": dict(model_type="bpe", normalization_rule_name="nmt_nfkc", user_defined_symbols=["<sep>", "▁the▁", "http", "\n"],
                        control_symbols=["<pad2>"]),
    "bpe-suffix": dict(model_type="bpe", normalization_rule_name="nfkc_cf", treat_whitespace_as_suffix=True),
    "unigram": dict(model_type="unigram", normalization_rule_name="nmt_nfkc"),
    "unigram-bytes": dict(model_type="unigram", normalization_rule_name="identity", byte_fallback=True,
                          user_defined_symbols=["<sep>", "abc", "▁▁"], add_dummy_prefix=False, remove_extra_whitespaces=False),
    "bpe-unused": dict(model_type="bpe", normalization_rule_name="identity", unused=True),
    "unigram-unused": dict(model_type="unigram", normalization_rule_name="identity", byte_fallback=True, unused=True),
    "unigram-cf": dict(model_type="unigram", normalization_rule_name="nmt_nfkc_cf", character_coverage=0.98),
}

RULES = [("\ufb01", "fi"), ("\u2460", "1"), ("\u3000", " "), ("\u00a0", " "), ("\t", " "), ("\n", " "), ("e\u0301", "\u00e9"), ("\u200b", ""),
         ("\ufeff", ""), ("\uff41", "a"), ("\u00bd", "1\u20442"), ("\u2026", "..."), ("\u33cd", " K K "), ("A", "a"), ("\u212b", "\u00c5"), ("ab", "ba")]

WORDS = ["Hello", "world", "the", "don't", "naïve", "ﬁn", "①②", "ｶﾞｷﾞ", "Å", "e\u0301", "漢字かな", "한국어", "ё", "İ", "ß", "Ǆ", "㍿",
         "http", "abc", "abcabc", "<sep>", "<pad2>", "<0x41>", "▁", "▁the", "😀", "👩\u200d👩\u200d👧", "12345", "3.14", "x²", "\u00a0",
         "\u3000", "\u2028", "\ufeff", "\u200b", "\t", "\n", "\r\n", "\x00", "\x01", "\x7f", "\x85", "ａｂｃ", "½", "™", "…", "ﷺ", "ก", "नमस्ते"]


def texts(r):
    yield from ["", " ", "  ", "   ", "a", " a", "a ", " a  b ", "\n", "\t", "▁", "▁▁", " ▁", "unknown 漢", "漢", "漢漢", " 漢"]
    for _ in range(90):
        parts = []
        for _ in range(r.randint(1, 8)):
            parts.append(r.choice(WORDS) if r.random() < 0.8 else chr(r.choice([r.randint(32, 0x2ff), r.randint(0x300, 0xd7ff), r.randint(0x1f300, 0x1faff)])))
            parts.append(r.choice(["", " ", " ", "  ", "   ", "\n"]))
        yield "".join(parts)


def vectors(path, processor, corpus):
    r = random.Random(1)
    with open(path, "w") as f:
        for text in list(texts(r)) + [c[i : i + 200] for i, c in enumerate(corpus[:8])]:
            ids = processor.encode(text)
            f.write(json.dumps({"text": text, "ids": ids, "decoded": processor.decode(ids)}) + "\n")


def without_some(model):
    """The model with one normal piece of seven unused; needs the protobuf package."""
    from sentencepiece import sentencepiece_model_pb2

    proto = sentencepiece_model_pb2.ModelProto.FromString(model)
    r = random.Random(3)
    for piece in proto.pieces:
        if piece.type == 1 and r.random() < 0.15:
            piece.type = 5
    return proto.SerializeToString()


def main():
    corpus = [d["text"] for d in json.load(open(sys.argv[1]))]
    out, full = sys.argv[2], sys.argv[3:] == ["full"]
    os.makedirs(out, exist_ok=True)
    # The model keeps the name of the file: it is to be the same everywhere.
    with open("rules-normalizer.tsv", "w") as rules:
        for old, new in RULES:
            rules.write(" ".join(f"{ord(c):X}" for c in old) + "\t" + " ".join(f"{ord(c):X}" for c in new) + "\n")
        rules.flush()
        for name, options in FORMS.items():
            if not full and options["normalization_rule_name"] != "identity":
                options = {k: v for k, v in options.items() if k != "normalization_rule_name"} | {"normalization_rule_tsv": rules.name}
            options, unused = {k: v for k, v in options.items() if k != "unused"}, "unused" in options
            buffer = io.BytesIO()
            spm.SentencePieceTrainer.train(sentence_iterator=iter(corpus[:100]), model_writer=buffer, vocab_size=700, minloglevel=2,
                                           hard_vocab_limit=False, max_sentence_length=20000, **options)
            model = without_some(buffer.getvalue()) if unused else buffer.getvalue()
            with open(f"{out}/{name}.model", "wb") as f:
                f.write(model)
            vectors(f"{out}/{name}.jsonl", spm.SentencePieceProcessor(model_proto=model), corpus)
    os.remove(rules.name)


main()
