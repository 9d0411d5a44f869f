"""MMLU 5-shot: `shallow eval` in turn with the peer's script, and the predictions of both, question by question.

    python eval_mmlu.py SHALLOW MODEL --peer .../peers/eval_mmlu.py --data .../eval [--rounds 3] [--agreement float32]

The peer's seconds leave loading and imports out; ours are those of the whole process, from start to exit. With
--agreement the harness itself runs once more in that precision, its samples kept, and our predictions in both are compared with them.
"""
import argparse, csv, json, os, resource, statistics, subprocess, sys, tempfile, time
from pathlib import Path

p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
p.add_argument("shallow")
p.add_argument("model")
p.add_argument("--peer", required=True)
p.add_argument("--data", required=True, help="the folder that holds mmlu/")
p.add_argument("--subjects", default="anatomy,college_physics,marketing")
p.add_argument("--limit", type=int, default=20)
p.add_argument("--batch", default="4", help="of the peer; several are tried in the first round and the fastest is kept, as 4,8")
p.add_argument("--threads", type=int, default=2)
p.add_argument("--rounds", type=int, default=3)
p.add_argument("--agreement", default="")
a = p.parse_args()
os.environ.update(HF_HUB_OFFLINE="1", HF_DATASETS_OFFLINE="1")
tasks = ",".join("mmlu_" + s for s in a.subjects.split(","))


def ours(precision, out):
    before = time.time()
    child = subprocess.Popen([a.shallow, "eval", a.model, "--tasks", tasks, "--data", a.data, "--limit", str(a.limit), "--num-fewshot", "5", "--threads", str(a.threads),
                              "--precision", precision, "--quiet", "-o", out], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    if status:
        sys.exit(f"shallow failed with {status}")
    seconds = time.time() - before
    n = sum(v["effective"] for v in json.load(open(Path(out) / "results.json"))["n-samples"].values())
    return {"seconds": round(seconds, 2), "questions_per_s": round(n / seconds, 3), "peak_rss_gb": round(usage.ru_maxrss / 2**20, 2)}


def peer(batch):
    out = subprocess.run([sys.executable, a.peer, a.model, "--data", str(Path(a.data) / "mmlu"), "--subjects", a.subjects, "--limit", str(a.limit),
                          "--threads", str(a.threads), "--batch", str(batch)], capture_output=True, text=True)
    if out.returncode:
        sys.exit(out.stderr)
    return json.loads(out.stdout.strip().splitlines()[-1])


def harness(dtype):
    """The predictions of lm-evaluation-harness over transformers: (task, document) -> choice."""
    import torch
    from lm_eval import simple_evaluate
    from lm_eval.models.huggingface import HFLM
    from lm_eval.tasks import TaskManager
    torch.set_num_threads(a.threads)
    folder = Path(tempfile.mkdtemp())
    for s in a.subjects.split(","):
        files = {}
        for split in ("dev", "test"):
            rows = [{"question": r[0], "choices": r[1:5], "answer": "ABCD".index(r[5])}
                    for r in csv.reader(open(Path(a.data) / f"mmlu/{split}/{s}_{split}.csv", newline="", encoding="utf-8"))]
            files[split] = str(folder / f"{s}-{split}.jsonl")
            Path(files[split]).write_text("".join(json.dumps(r) + "\n" for r in rows))
        (folder / f"{s}.yaml").write_text(json.dumps({
            "task": "local_" + s, "dataset_path": "json", "dataset_kwargs": {"data_files": files}, "test_split": "test", "fewshot_split": "dev",
            "fewshot_config": {"sampler": "first_n"}, "num_fewshot": 5, "output_type": "multiple_choice",
            "description": f"The following are multiple choice questions (with answers) about {s.replace('_', ' ')}.\n\n",
            "doc_to_text": "{{question.strip()}}\nA. {{choices[0]}}\nB. {{choices[1]}}\nC. {{choices[2]}}\nD. {{choices[3]}}\nAnswer:",
            "doc_to_choice": ["A", "B", "C", "D"], "doc_to_target": "answer",
            "metric_list": [{"metric": "acc", "aggregation": "mean", "higher_is_better": True}]}))
    r = simple_evaluate(model=HFLM(pretrained=a.model, device="cpu", dtype=dtype, batch_size=int(a.batch.split(",")[0])),
                        tasks=["local_" + s for s in a.subjects.split(",")], limit=a.limit, log_samples=True, bootstrap_iters=0,
                        task_manager=TaskManager(include_path=str(folder)))
    return {(t.removeprefix("local_"), s["doc_id"]): [x[0] for x in s["filtered_resps"]] for t, ss in r["samples"].items() for s in ss}


def samples(out):
    return {(s, x["doc_id"]): [float(r[0]) for r in x["filtered_resps"]]
            for s in a.subjects.split(",") for x in map(json.loads, open(Path(out) / f"samples_mmlu_{s}.jsonl"))}


best = None
ratios = []
for i in range(a.rounds):
    if i == 0 and "," in a.batch:
        tried = {b: peer(b) for b in a.batch.split(",")}
        best = max(tried, key=lambda b: tried[b]["questions_per_s"])
        theirs = tried[best]
    else:
        theirs = peer(best or a.batch)
    with tempfile.TemporaryDirectory() as out:
        mine = ours("auto", out)
    ratios.append(mine["questions_per_s"] / theirs["questions_per_s"])
    print(json.dumps({"round": i + 1, "peer": theirs, "shallow": mine, "ratio": round(ratios[-1], 2)}), flush=True)
if ratios:
    print("median ratio", round(statistics.median(ratios), 2))
if a.agreement:
    want = harness(a.agreement)
    first = lambda x: max(range(len(x)), key=lambda i: (x[i], -i))
    for precision in ("float32", "bfloat16"):
        with tempfile.TemporaryDirectory() as out:
            mine = ours(precision, out)
            got = samples(out)
        same = sum(first(got[k]) == first(want[k]) for k in want)
        apart = max(abs(x - y) for k in want for x, y in zip(got[k], want[k]))
        print(json.dumps({"harness": a.agreement, "shallow": precision, "questions": len(want), "equal_predictions": same,
                          "largest_difference_nat": round(apart, 5), "seconds": mine["seconds"]}), flush=True)
