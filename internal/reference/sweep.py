"""Unhealed cuts of n = 1 … L/2 layers: `shallow sweep` in turn with `shallow eval` of each cut alone.

    python sweep.py SHALLOW MODEL --data .../eval --corpus texts.jsonl [--tasks boolq] [--limit 10] [--rounds 1]

Three grids: deepest, similarity, and similarity that starts in the second half. Times are those of whole processes, from start to
exit, but for the measurement, which is made before. Scores must be equal to the last bit. "by layers" is the same ratio counted in
layers that rows go through: for the cuts alone L - n each; together, each layer once for all cuts that agree up to it.
"""
import argparse, json, subprocess, sys, tempfile, time
from pathlib import Path

p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
p.add_argument("shallow")
p.add_argument("model")
p.add_argument("--data", required=True)
p.add_argument("--corpus", required=True, help="to measure on")
p.add_argument("--tasks", default="boolq")
p.add_argument("--limit", type=int, default=10)
p.add_argument("--samples", type=int, default=8)
p.add_argument("--rounds", type=int, default=1)
a = p.parse_args()
tasks = a.tasks.split(",")
layers = json.load(open(Path(a.model) / "config.json"))["num_hidden_layers"]


def run(*args):
    began = time.time()
    done = subprocess.run([a.shallow, *args], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"shallow {' '.join(args)}: {done.stderr}")
    return time.time() - began


def sweep(folder, strategy, start, drop):
    spec = {"models": [{"name": "m", "model": str(Path(a.model).resolve())}], "strategies": [strategy], "drop": drop, "from": start, "limit": a.limit,
            "corpus": {"files": str(Path(a.corpus).resolve()), "samples": a.samples, "length": 256}, "data": str(Path(a.data).resolve()), "tasks": tasks}
    (folder / "grid.yaml").write_text(json.dumps(spec))
    seconds = run("sweep", str(folder / "grid.yaml"), "-o", str(folder / "out"), "--quiet")
    return seconds, [c for c in json.load(open(folder / "out/sweep.json"))["cells"] if c["n"] > 0]


def together(drops):
    """Layers gone through once where cuts agree on everything up to them."""
    return len({(tuple(d for d in drop if d <= layer), layer) for drop in drops for layer in range(layers) if layer not in drop})


for strategy, start in (("deepest", 0), ("similarity", 0), ("similarity", 0.5)):
    for _ in range(a.rounds):
        with tempfile.TemporaryDirectory() as tmp:
            tmp = Path(tmp)
            sweep(tmp, strategy, start, "1")  # measures
            first = tmp / "out/cells"
            for f in first.iterdir():
                f.unlink()
            shared, cells = sweep(tmp, strategy, start, "1..L/2")
            drops = sorted({tuple(c["drop"]) for c in cells}, key=len)
            alone = 0
            for drop in [()] + drops:
                cut = ["--layers", f"{drop[0]}:{drop[-1] + 1}"] if drop else []
                alone += run("eval", a.model, "--tasks", a.tasks, "--data", a.data, "--limit", str(a.limit), *cut, "--quiet", "-o", str(tmp / "eval"))
                results = json.load(open(tmp / "eval/results.json"))["results"]
                for c in cells:
                    if tuple(c["drop"]) == drop:
                        for m in c["metrics"]:
                            if results[c["task"]][f"{m['metric']},{m['filter']}"] != m["value"]:
                                sys.exit(f"{c['task']} without {drop}: {m['value']} in the sweep, alone {results[c['task']]}")
                for f in (tmp / "eval").rglob("*"):
                    if f.is_file():
                        f.unlink()
        counted = sum(layers - len(d) for d in [()] + drops) / together([()] + drops)
        print(json.dumps({"strategy": strategy, "from": start, "starts": [d[0] for d in drops], "sweep_s": round(shared, 1), "alone_s": round(alone, 1),
                          "times": round(alone / shared, 2), "by_layers": round(counted, 2), "share": round(alone / shared / counted, 2)}), flush=True)
