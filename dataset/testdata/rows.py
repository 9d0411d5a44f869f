"""Writes rows.json and nested.parquet: what evals.py, which made the evaluation fixtures, makes of the data sets.

    python rows.py ../../../shared      # evals.py needs torch, the second file pyarrow
"""
import hashlib, json, sys
from pathlib import Path

shared = Path(sys.argv[1])
sys.path.insert(0, str(shared / "reference/make"))
import evals

data = shared / "data"
e = data / "eval"


def entry(path, config, split, task, rows):
    lines = [json.dumps(r, ensure_ascii=False, sort_keys=True, separators=(",", ":")) for r in rows]
    out = {"path": path, "config": config, "split": split, "task": task, "rows": len(rows), "sha256": hashlib.sha256("".join(x + "\n" for x in lines).encode()).hexdigest()}
    return out if len(lines[0]) > 3000 else {**out, "first": rows[0]}  # of a page of WikiText the hash tells


out = []
for p in ("dev", "test"):
    for f in sorted((e / "mmlu" / p).glob("*.csv")):
        subject = f.name[: -len(f"_{p}.csv")]
        out.append(entry("cais/mmlu", subject, p, "mmlu_" + subject, evals.mmlu_rows(f)))
for i, x in enumerate(out):  # the first rows of a few subjects will do
    if i % 19:
        x.pop("first", None)
boolq = [{**r, "label": evals.boolq_label(r)} for r in evals.read_jsonl(e / "boolq/val.jsonl")]
out.append(entry("aps/super_glue", "boolq", "validation", "boolq", boolq))
out.append(entry("Rowan/hellaswag", "", "validation", "hellaswag", [{**r, "label": str(r["label"])} for r in evals.read_jsonl(e / "hellaswag/val-1000.jsonl")]))
for task, config in (("arc_challenge", "ARC-Challenge"), ("arc_easy", "ARC-Easy")):
    for split, name in (("test", "Test"), ("validation", "Dev")):
        out.append(entry("allenai/ai2_arc", config, split, task, evals.arc_rows(e / f"arc/{config}-{name}.jsonl")))
out.append(entry("baber/piqa", "", "validation", "piqa", evals.piqa_rows(e / "piqa/test-instruction-form.json")))
out.append(entry("allenai/winogrande", "winogrande_xl", "validation", "winogrande", evals.winogrande_rows(e / "winogrande/test-instruction-form.json")))
out.append(entry("allenai/openbookqa", "main", "test", "openbookqa", evals.openbookqa_rows(e / "openbookqa/test-instruction-form.json")))
for split in ("train", "test"):
    out.append(entry("openai/gsm8k", "main", split, "gsm8k", evals.read_jsonl(e / f"gsm8k/{split}.jsonl")))
for split, name in (("test", "test"), ("validation", "valid")):
    out.append(entry("EleutherAI/wikitext_document_level", "wikitext-2-raw-v1", split, "wikitext", evals.wikitext_pages(data / f"text/wikitext-2/{name}.txt", 0, 1 << 40)))
docs = json.loads((data / "text/c4/c4-300.json").read_text(encoding="utf-8"))
out.append(entry("allenai/c4", "en", "validation", "c4", docs))
Path("rows.json").write_text("[\n" + ",\n".join(json.dumps(x, separators=(",", ":")) for x in out) + "\n]\n")

import pyarrow as pa, pyarrow.parquet as pq

# The columns of cais/mmlu, allenai/ai2_arc and others in one file, with what lists may have: none, empty ones, nulls.
rows = [
    {"question": "q0", "subject": "s", "choices": ["a", "b", "", "d"], "answer": 3, "struct": {"text": ["x", "y"], "label": ["A", "B"]},
     "deep": [{"n": [1, 2], "s": "u"}, {"n": [], "s": None}], "label": 1, "score": 0.5, "flag": True, "map": [("k", 1), ("l", 2)], "half": 0.25},
    {"question": "q1 é", "subject": None, "choices": [], "answer": 0, "struct": {"text": [], "label": []}, "deep": [], "label": -1, "score": None, "flag": False, "map": [], "half": 1.5},
    {"question": "", "subject": "s", "choices": None, "answer": 2, "struct": None, "deep": None, "label": 0, "score": 2.0, "flag": None, "map": None, "half": None},
    {"question": "q3", "subject": "s", "choices": [None, "z"], "answer": 1, "struct": {"text": None, "label": ["A"]}, "deep": [None, {"n": None, "s": "v"}, {"n": [None, 3], "s": ""}],
     "label": 1, "score": -0.0, "flag": True, "map": [("m", None)], "half": 3.0},
]
schema = pa.schema([
    ("question", pa.string()), ("subject", pa.string()), ("choices", pa.list_(pa.string())), ("answer", pa.int64()),
    ("struct", pa.struct([("text", pa.list_(pa.string())), ("label", pa.list_(pa.string()))])),
    ("deep", pa.list_(pa.struct([("n", pa.list_(pa.int32())), ("s", pa.string())]))),
    ("label", pa.int8()), ("score", pa.float64()), ("flag", pa.bool_()), ("map", pa.map_(pa.string(), pa.int64())), ("half", pa.float32()),
])
pq.write_table(pa.Table.from_pylist(rows, schema), "nested.parquet", row_group_size=2, compression="zstd")
for r in rows:
    r["map"] = r["map"] if r["map"] is None else dict(r["map"])
Path("nested.json").write_text(json.dumps(rows, indent=1) + "\n")
