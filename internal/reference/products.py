"""Matrix products of PyTorch and of shallow in turn, and the ratio of their medians.

    python products.py --shallow ./shallow --peer ../shared/reference/peers/products.py [--rounds 5]

Prints a Markdown table. Each round runs both programs once at every number of threads; a figure is the median over rounds of a
program's own medians.
"""
import argparse, json, math, statistics, subprocess, sys
from collections import defaultdict

SHAPES = "512x2048x5632,512x5632x2048,512x4096x14336,64x2048x5632"
p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
p.add_argument("--shallow", default="./shallow")
p.add_argument("--peer", required=True)
p.add_argument("--rounds", type=int, default=5)
p.add_argument("--shapes", default=SHAPES)
a = p.parse_args()

peer, ours = defaultdict(list), defaultdict(list)
for _ in range(a.rounds):
    for threads in ("1", "2"):
        out = subprocess.run([sys.executable, a.peer, "--threads", threads, "--shapes", a.shapes], check=True, capture_output=True, text=True)
        for line in out.stdout.splitlines():
            r = json.loads(line)
            peer[r["dtype"], r["shape"], r["threads"]].append(r["gflops"])
        out = subprocess.run([a.shallow, "bench", "--json", "--threads", threads, "--shapes", a.shapes], check=True, capture_output=True, text=True)
        for r in json.loads(out.stdout)["products"]:
            key = (r["weights"], r["multiplied"], r["packed"], f"{r['m']}x{r['k']}x{r['n']}", int(threads))
            ours[key].append(r["gflops"])

print("| M×K×N | threads | kind | PyTorch | shallow | ratio | NF4 weights | of bfloat16 |")
print("|---|---|---|---|---|---|---|---|")
logs = []
for (kind, shape, threads), rates in sorted(peer.items(), key=lambda kv: (kv[0][1], kv[0][2], kv[0][0])):
    own = statistics.median(ours[kind, kind, False, shape, threads])
    nf4 = statistics.median(ours["nf4", kind, False, shape, threads])
    theirs = statistics.median(rates)
    logs.append(math.log(own / theirs))
    print(f"| {shape} | {threads} | {kind} | {theirs:.1f} | {own:.1f} | {own / theirs:.2f} | {nf4:.1f} | {nf4 / own:.2f} |")
print(f"\nGeometric mean of the ratios {math.exp(statistics.mean(logs)):.3f}, smallest {math.exp(min(logs)):.3f}.")
