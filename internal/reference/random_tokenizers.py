#!/usr/bin/env python3
"""Random tokenizer.json files, trained small, and what the tokenizers library makes of nasty texts with each.

    python internal/reference/random_tokenizers.py CORPUS.json COUNT SEED OUT.jsonl.gz [CHARSMAP]      (CORPUS: a list of {"text": …})

A line is {"file": the tokenizer.json, "cases": [{"text", "ids", "ids_special", "decoded"}, …]}. Package tokenizer's
TestRandomTokenizers reads tokenizer/testdata/random.jsonl.gz (100 files, seed 2), or the file in RANDOM_TOKENIZERS. CHARSMAP is
the precompiled_charsmap of a SentencePiece model in base64, without which there is no Precompiled normalizer.
"""
import base64
import gzip
import json
import random
import sys

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
EXPRESSIONS = [
    GPT2,
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+"
    r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+",
    r"[0-9][0-9][0-9]", r"\s", r"\s+$", r"^\s+", r"[\r\n]", r"\w+", r"\d{1,3}(?=(?:\d{3})*\b)", r"[一-龥ぁ-ヿ]+", r" ?[^(\s|[.,!?…。，、।۔،])]+",
    r"\p{P}", r"(?<=\p{L})(?=\p{Lu})", r".",
]
BEHAVIORS = ["removed", "isolated", "merged_with_previous", "merged_with_next", "contiguous"]
WORDS = ["Hello", "world", "the", "The", "don't", "It'S", "naïve", "ﬁn", "①②", "ｶﾞ", "Å", "e\u0301", "漢字かなカナー", "한국어", "ё", "İ", "ß", "ſ", "Ǆ", "ΣΑΣ",
         "abc", "<s>", "</s>", "<x>", "[SEP]", "<0x41>", "▁", "▁the", "😀", "👩\u200d👩", "12345", "3.14", "x²", "\u00a0", "\u3000", "\u2028", "\u200b", "\t", "\n",
         "\r\n", "\x01", "\x85", "ａｂｃ", "½", "…", "ก็", "नमस्ते", "$5", "a_b", "`q`", "(x|y)", "camelCase", "_", "-", "'", ".", ",", " .", " !", " n't", "\ufeff", "cafés", "أهلا"]


def text(r):
    parts = []
    for _ in range(r.randint(0, 7)):
        parts.append(r.choice(WORDS) if r.random() < 0.85 else chr(r.choice([r.randint(32, 0x24f), r.randint(0x250, 0xd7ff), r.randint(0x1f300, 0x1f6ff)])))
        parts.append(r.choice(["", "", " ", " ", "  ", "   ", "\n", "\n\n "]))
    return "".join(parts)


def pattern(r):
    if r.random() < 0.25:
        return r.choice([" ", "e", "▁", "th", "\n"])
    return Regex(r.choice(EXPRESSIONS))


def normalizer(r, depth=0):
    k = r.randint(0, 13 if depth == 0 else 11)
    if k <= 3:
        return [normalizers.NFC, normalizers.NFD, normalizers.NFKC, normalizers.NFKD][k]()
    if k == 4:
        return normalizers.Prepend(r.choice(["▁", "x ", " "]))
    if k == 5:
        return normalizers.Replace(r.choice([" ", "e", Regex(r" {2,}"), Regex(r"\s"), Regex(r"\p{N}+"), "''"]), r.choice(["▁", " ", "", "0", "ee"]))
    if k == 6:
        return normalizers.Strip(left=r.random() < 0.7, right=r.random() < 0.7)
    if k == 7:
        return normalizers.Lowercase()
    if k == 8:
        return normalizers.StripAccents()
    if k == 9:
        return normalizers.BertNormalizer(clean_text=r.random() < 0.7, handle_chinese_chars=r.random() < 0.7, strip_accents=r.choice([None, True, False]), lowercase=r.random() < 0.5)
    if k == 10:
        return normalizers.Nmt()
    if k == 11 and CHARSMAP:
        return normalizers.Precompiled(CHARSMAP)
    return normalizers.Sequence([normalizer(r, 1) for _ in range(r.randint(1, 3))])


def pre_tokenizer(r, depth=0):
    k = r.randint(0, 13 if depth == 0 else 10)
    if k == 0:
        return pre_tokenizers.Whitespace()
    if k == 1:
        return pre_tokenizers.WhitespaceSplit()
    if k == 2:
        return pre_tokenizers.Punctuation(r.choice(BEHAVIORS))
    if k == 3:
        return pre_tokenizers.Digits(individual_digits=r.random() < 0.5)
    if k in (4, 5, 6):
        return pre_tokenizers.Split(pattern(r), r.choice(BEHAVIORS), invert=r.random() < 0.3)
    if k == 7:
        return pre_tokenizers.ByteLevel(add_prefix_space=r.random() < 0.3, use_regex=r.random() < 0.6)
    if k == 8:
        return r.choice([pre_tokenizers.UnicodeScripts(), pre_tokenizers.BertPreTokenizer(), pre_tokenizers.CharDelimiterSplit(r.choice(" e-"))])
    if k in (9, 10):
        return pre_tokenizers.Metaspace(replacement=r.choice(["▁", "▁", "_"]), prepend_scheme=r.choice(["always", "first", "never"]), split=r.random() < 0.6)
    return pre_tokenizers.Sequence([pre_tokenizer(r, 1) for _ in range(r.randint(1, 3))])


def decoder(r, depth=0):
    k = r.randint(0, 11 if depth == 0 else 7)
    if k == 0:
        return decoders.ByteLevel()
    if k == 1:
        return decoders.Metaspace(replacement="▁", prepend_scheme=r.choice(["always", "first", "never"]))
    if k == 2:
        return decoders.WordPiece(prefix="##", cleanup=r.random() < 0.5)
    if k == 3:
        return decoders.BPEDecoder(suffix="</w>")
    if k == 4:
        return decoders.Fuse()
    if k == 5:
        return decoders.Strip(content=r.choice([" ", "▁", "e"]), left=r.randint(0, 2), right=r.randint(0, 2))
    if k == 6:
        return decoders.Replace(r.choice(["▁", "e", "Ġ"]), r.choice([" ", "", "x"]))
    if k == 7:
        return decoders.ByteFallback()
    return decoders.Sequence([decoder(r, 1) for _ in range(r.randint(1, 4))])


SPECIALS = ["<unk>", "<s>", "</s>"]
BYTES = [f"<0x{b:02X}>" for b in range(256)]


def model(r):
    """The empty model and a trainer for it."""
    k = r.random()
    size = r.randint(60, 200)
    if k < 0.6:
        affix = r.random()
        fallback = r.random() < 0.35
        options = dict(unk_token=r.choice(["<unk>", "<unk>", None]), fuse_unk=r.random() < 0.5, byte_fallback=fallback, ignore_merges=r.random() < 0.3)
        train = {}
        if affix < 0.15:
            options["continuing_subword_prefix"] = train["continuing_subword_prefix"] = "##"
        if affix > 0.85 or affix < 0.05:
            options["end_of_word_suffix"] = train["end_of_word_suffix"] = "</w>"
        specials = SPECIALS + (BYTES if fallback and r.random() < 0.8 else BYTES[:200] if fallback else [])
        alphabet = pre_tokenizers.ByteLevel.alphabet() if r.random() < 0.4 else []
        return models.BPE(**options), trainers.BpeTrainer(vocab_size=size + len(specials) + len(alphabet), special_tokens=specials, initial_alphabet=alphabet, show_progress=False, **train)
    if k < 0.8:
        return models.Unigram(), trainers.UnigramTrainer(vocab_size=size, special_tokens=SPECIALS, unk_token="<unk>", show_progress=False)
    if k < 0.93:
        return models.WordPiece(unk_token="<unk>", max_input_chars_per_word=r.choice([8, 100])), trainers.WordPieceTrainer(vocab_size=size, special_tokens=SPECIALS, show_progress=False)
    return models.WordLevel(unk_token="<unk>"), trainers.WordLevelTrainer(vocab_size=size, special_tokens=SPECIALS, show_progress=False)


def post_processor(r):
    template = processors.TemplateProcessing(single=r.choice(["<s> $A", "<s> $A </s>", "$A </s>", "<s> <s> $A"]), special_tokens=[("<s>", 1), ("</s>", 2)])
    return r.choice([template, template, processors.ByteLevel(trim_offsets=False), processors.BertProcessing(("</s>", 2), ("<s>", 1)),
                     processors.RobertaProcessing(("</s>", 2), ("<s>", 1)), processors.Sequence([processors.ByteLevel(), template])])


def build(r, corpus):
    m, trainer = model(r)
    t = Tokenizer(m)
    if r.random() < 0.5:
        t.normalizer = normalizer(r)
    if r.random() < 0.85:
        t.pre_tokenizer = pre_tokenizer(r)
    lines = [c[i : i + 120] for c in r.sample(corpus, 12) for i in range(0, 480, 120)] + [text(r) for _ in range(30)]
    t.train_from_iterator(lines, trainer)
    if r.random() < 0.7:
        t.decoder = decoder(r)
    if r.random() < 0.7:
        t.post_processor = post_processor(r)
    flag = lambda p=0.4: r.random() < p
    special = ["<s>", "</s>"] if flag(0.8) else []
    t.add_special_tokens([AddedToken(s, lstrip=flag(0.2), rstrip=flag(0.2), normalized=flag(0.2), special=True) for s in special])
    t.add_tokens([AddedToken(s, lstrip=flag(), rstrip=flag(), single_word=flag(), normalized=flag(0.5)) for s in r.sample(["<x>", "[SEP]", "é", "12", " the", "▁the", "ABC"], r.randint(0, 3))])
    return t


def main():
    global CHARSMAP
    corpus = [d["text"] for d in json.load(open(sys.argv[1]))]
    count, seed = int(sys.argv[2]), int(sys.argv[3])
    try:
        CHARSMAP = base64.b64decode(open(sys.argv[5]).read())
    except IndexError:
        CHARSMAP = None
    r = random.Random(seed)
    written = 0
    with gzip.GzipFile(sys.argv[4], "wb", mtime=0) as out:
        while written < count:
            try:
                t = build(r, corpus)
                file = json.loads(t.to_str())
                if file["model"]["type"] == "Unigram":
                    file["model"]["byte_fallback"] = False
                pre = json.dumps(file["pre_tokenizer"])
                if '"prepend_scheme": "first"' in pre and (file["normalizer"] or "ByteLevel" in pre):
                    continue  # goes by offsets in the text as it was given: refused where they can matter
                vocab = file["model"]["vocab"]
                pieces = [p for p, _ in vocab] if isinstance(vocab, list) else list(vocab)
                ids = dict(zip(pieces, range(len(pieces)))) if isinstance(vocab, list) else vocab
                taken = {i: p for p, i in ids.items()}
                if len(set(pieces)) < len(pieces) or any(taken.get(a["id"], a["content"]) != a["content"] for a in file["added_tokens"]):
                    continue  # two tokens with one id: refused
                cases = []
                for _ in range(12):
                    s = text(r)
                    ids = t.encode(s, add_special_tokens=False).ids
                    cases.append({"text": s, "ids": ids, "ids_special": t.encode(s).ids, "decoded": t.decode(ids, skip_special_tokens=False)})
            except BaseException as e:  # the library's own panics too
                if isinstance(e, KeyboardInterrupt):
                    raise
                continue
            out.write((json.dumps({"file": file, "cases": cases}) + "\n").encode())
            written += 1


main()
