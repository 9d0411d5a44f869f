"""Put `shallow serve` under load: one client, then 32 at once, on the same server.

    python serve_load.py SHALLOW MODEL [--seconds 300] [--clients 32] [--tokens 128] [--alone 60] [-- FLAGS OF serve]

Every client sends completions one after another: a prompt of its own, --tokens tokens, half of them as streams. First one client for
--alone seconds, then all of them for --seconds. One line of JSON says the tokens a second of both, the times of requests, to the first
token and between tokens (50th and 99th percentile), what went wrong, how many rows a step of the engine had, and the server's memory
at the begin, in the middle and at the end of the load. Exits with 1 where a request failed.
"""
import argparse
import http.client
import json
import random
import signal
import subprocess
import sys
import threading
import time
from urllib.parse import urlparse

WORDS = "the river old bridge stone water light town over under slowly quickly children birds carry letters from every morning evening seven two north".split()


class Client:
    """Sends requests until the time is over, and remembers what it saw."""

    def __init__(self, url, seed, tokens, end):
        self.host, self.random, self.tokens, self.end = urlparse(url).netloc, random.Random(seed), tokens, end
        self.times, self.first, self.between, self.errors, self.generated = [], [], [], [], 0

    def run(self):
        connection = http.client.HTTPConnection(self.host, timeout=600)
        n = 0
        while time.monotonic() < self.end:
            n += 1
            try:
                self.ask(connection, stream=n % 2 == 0)
            except Exception as e:  # whatever it is, it is counted
                self.errors.append(f"{type(e).__name__}: {e}")
                connection.close()
        connection.close()

    def ask(self, connection, stream):
        prompt = " ".join(self.random.choice(WORDS) for _ in range(self.random.randint(8, 40)))
        body = {"prompt": prompt, "max_tokens": self.tokens, "temperature": 0.8, "seed": self.random.randint(0, 2**31), "ignore_eos": True, "stream": stream}
        begin = time.monotonic()
        connection.request("POST", "/v1/completions", json.dumps(body), {"Content-Type": "application/json"})
        reply = connection.getresponse()
        if reply.status != 200:
            raise RuntimeError(f"{reply.status} {reply.read()[:200]}")
        if stream:
            self.read_stream(reply, begin)
        else:
            got = json.loads(reply.read())["usage"]["completion_tokens"]
            if got != self.tokens:
                raise RuntimeError(f"{got} tokens")
        self.times.append(time.monotonic() - begin)
        self.generated += self.tokens

    def read_stream(self, reply, begin):
        last, finish = None, None
        for line in reply:
            if not line.startswith(b"data: {"):
                continue
            now = time.monotonic()
            (self.first if last is None else self.between).append(now - (last or begin))
            last = now
            event = json.loads(line[6:])
            if "error" in event:
                raise RuntimeError(event["error"]["message"])
            finish = event["choices"][0]["finish_reason"] or finish
        if finish != "length":
            raise RuntimeError(f"a stream ended with {finish}")


def percentile(values, p):
    values = sorted(values)
    return round(values[min(len(values) - 1, int(p / 100 * len(values)))], 4) if values else None


def memory(pid):
    """The server's memory in MB without the mapped file of the weights, and with it."""
    status = dict(line.split(":", 1) for line in open(f"/proc/{pid}/status"))
    return {name: int(status[name].split()[0]) // 1024 for name in ("RssAnon", "VmRSS")}


def counters(url):
    connection = http.client.HTTPConnection(urlparse(url).netloc, timeout=60)
    connection.request("GET", "/metrics")
    lines = connection.getresponse().read().decode().splitlines()
    connection.close()
    return {k: float(v) for k, v in (l.rsplit(" ", 1) for l in lines if l.startswith("shallow_") and "{" not in l)}


def load(url, pid, clients, tokens, seconds):
    before, begin = counters(url), time.monotonic()
    them = [Client(url, i, tokens, begin + seconds) for i in range(clients)]
    threads = [threading.Thread(target=c.run) for c in them]
    for t in threads:
        t.start()
    rss = []
    for part in (0.1, 0.5, 0.95):
        time.sleep(max(0, begin + part * seconds - time.monotonic()))
        rss.append(memory(pid))
    for t in threads:
        t.join()
    took, after = time.monotonic() - begin, counters(url)
    times, first, between = ([x for c in them for x in getattr(c, name)] for name in ("times", "first", "between"))
    errors = [e for c in them for e in c.errors]
    steps = after["shallow_steps_total"] - before["shallow_steps_total"]
    return {"clients": clients, "seconds": round(took, 1), "requests": len(times), "tokens_per_s": round(sum(c.generated for c in them) / took, 2),
            "request_s": [percentile(times, 50), percentile(times, 99)], "first_token_s": [percentile(first, 50), percentile(first, 99)],
            "between_tokens_s": [percentile(between, 50), percentile(between, 99)], "errors": len(errors), "error": errors[:3],
            "steps_per_s": round(steps / took, 2), "rows_per_step": round((after["shallow_step_rows_total"] - before["shallow_step_rows_total"]) / max(steps, 1), 2), "memory_mb": rss}


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("shallow")
    p.add_argument("model")
    p.add_argument("--seconds", type=float, default=300)
    p.add_argument("--alone", type=float, default=60)
    p.add_argument("--clients", type=int, default=32)
    p.add_argument("--tokens", type=int, default=128)
    ours, _, flags = " ".join(sys.argv[1:]).partition(" -- ")
    a = p.parse_args(ours.split())
    server = subprocess.Popen([a.shallow, "serve", a.model, "--port", "0", *flags.split()], stdout=subprocess.PIPE, text=True)
    try:
        url = server.stdout.readline().strip().split(" at ")[1]
        one = load(url, server.pid, 1, a.tokens, a.alone)
        many = load(url, server.pid, a.clients, a.tokens, a.seconds)
        left = counters(url)
    finally:
        server.send_signal(signal.SIGTERM)
        code = server.wait(timeout=120)
    print(json.dumps({"one": one, "many": many, "times_one": round(many["tokens_per_s"] / one["tokens_per_s"], 2),
                      "left_running": left["shallow_sequences_live"] + left["shallow_sequences_waiting"], "exit": code}))
    return 1 if one["errors"] or many["errors"] or code or left["shallow_sequences_live"] else 0


if __name__ == "__main__":
    sys.exit(main())
