"""Hold `shallow serve` against the clients that people have: OpenAI's Python client, and lm-evaluation-harness.

    python serve_clients.py SHALLOW [--model DIR] [--rows DIR] [--limit N]

SHALLOW is the program. Without --model a tiny random Llama with a tokenizer and a chat template of its own is made; without --rows, so
are rows for the tasks. --rows is a folder of openbookqa-test.jsonl, gsm8k-train.jsonl, gsm8k-test.jsonl and c4-validation.jsonl, whose
documents fit the model's context: the client cuts longer ones at other places than HFLM.
1. The OpenAI client: models, completions of texts, lists and ids, streams, chats, log-probabilities, stop strings, errors.
2. The harness's local-completions, in every way that it sends requests (ids, texts, batches, 8 at once, its own tokenizer, ours by
   /tokenize), against the harness's own HFLM on the same checkpoint in float32: every log-likelihood within 1e-3 (or a millionth, as
   HFLM adds in float32), every text equal; and `shallow eval` has the same totals. local-chat-completions gives the texts of HFLM with
   the chat template.
Everything goes to 127.0.0.1; nothing is downloaded.
"""
import argparse
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

os.environ.update(HF_HUB_OFFLINE="1", HF_DATASETS_OFFLINE="1", TOKENIZERS_PARALLELISM="false", OPENAI_API_KEY="none", TQDM_DISABLE="1",
                  OMP_NUM_THREADS="1")  # the models are tiny: threads would wait for each other
warnings.filterwarnings("ignore")
TOLERANCE = 1e-3

TEMPLATE = ("{{ bos_token }}{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] }}<|end|>{% endfor %}"
            "{% if add_generation_prompt %}<|assistant|>{% endif %}")
WORDS = "the a river bridge stone old town light water runs over under slowly quickly children birds carry letters to from every morning evening seven two".split()


def sentence(r, n):
    return " ".join(r.choice(WORDS) for _ in range(n)).capitalize()


def write_rows(folder):
    """Rows with the fields of the hub's data sets."""
    r = random.Random(7)
    rows = {"openbookqa-test": [], "gsm8k-train": [], "gsm8k-test": [], "c4-validation": []}
    for i in range(24):
        choices = [sentence(r, r.randint(1, 4)).lower() for _ in range(4)]
        rows["openbookqa-test"].append({"id": str(i), "question_stem": sentence(r, 9), "choices": {"text": choices, "label": list("ABCD")}, "answerKey": r.choice("ABCD")})
    for split, n in (("gsm8k-train", 12), ("gsm8k-test", 6)):
        for _ in range(n):
            a, b = r.randint(2, 60), r.randint(2, 60)
            rows[split].append({"question": f"{sentence(r, 8)}. {a} and {b} make how many?", "answer": f"{a}+{b} = <<{a}+{b}={a + b}>>{a + b}\n#### {a + b}"})
    for n in (40, 90, 200, 5, 60):
        rows["c4-validation"].append({"text": ". ".join(sentence(r, 12) for _ in range(n // 12 + 1)) + ".\n"})
    for name, table in rows.items():
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(x) + "\n" for x in table), encoding="utf-8")


def write_model(folder, rows):
    """A random Llama with a byte-level tokenizer that was trained on the rows and begins texts with BOS."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import LlamaConfig, LlamaForCausalLM
    # BOS is not id 0, which the harness's remote tokenizer takes for none.
    special = ["<unk>", "<s>", "</s>", "<|user|>", "<|assistant|>", "<|system|>", "<|end|>"]
    t = Tokenizer(models.BPE())
    t.pre_tokenizer, t.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    texts = [line for f in sorted(rows.glob("*.jsonl")) for line in f.read_text(encoding="utf-8").splitlines()]
    t.train_from_iterator(texts, trainers.BpeTrainer(vocab_size=900, special_tokens=special, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
    t.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    t.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<s>", "eos_token": "</s>", "pad_token": "</s>",
                                                              "clean_up_tokenization_spaces": False, "chat_template": TEMPLATE}))
    torch.manual_seed(3)
    m = LlamaForCausalLM(LlamaConfig(vocab_size=t.get_vocab_size(), hidden_size=48, intermediate_size=96, num_hidden_layers=4, num_attention_heads=4,
                                     num_key_value_heads=2, max_position_embeddings=2048, bos_token_id=1, eos_token_id=2, tie_word_embeddings=False))
    with torch.no_grad():  # far from uniform, so that the best token is not a matter of rounding
        for p in m.parameters():
            p.mul_(3 if p.ndim > 1 else 1)
    m.save_pretrained(folder)
    generation = json.loads((folder / "generation_config.json").read_text())
    (folder / "generation_config.json").write_text(json.dumps({**generation, "eos_token_id": [2, special.index("<|end|>")]}))


@contextlib.contextmanager
def serving(shallow, model, *flags):
    p = subprocess.Popen([shallow, "serve", str(model), "--port", "0", "--precision", "float32", *flags], stdout=subprocess.PIPE, text=True)
    try:
        line = p.stdout.readline()
        assert " at http://127.0.0.1:" in line, line
        yield line.strip().split(" at ")[1]
    finally:
        p.send_signal(signal.SIGTERM)
        code = p.wait(timeout=60)
    assert code == 0, f"the server ended with {code}"


def openai_client(url, chat):
    import openai
    client = openai.OpenAI(base_url=url + "/v1", api_key="none", max_retries=0)
    name = client.models.list().data[0].id
    assert client.models.retrieve(name).id == name
    ask = dict(model=name, prompt="The old bridge", max_tokens=24, temperature=0)
    whole = client.completions.create(**ask)
    assert whole.choices[0].finish_reason in ("length", "stop") and whole.usage.completion_tokens <= 24, whole
    parts = list(client.completions.create(**ask, stream=True, stream_options={"include_usage": True}))
    assert "".join(c.text for p in parts for c in p.choices) == whole.choices[0].text
    assert parts[-1].usage == whole.usage, (parts[-1].usage, whole.usage)
    many = client.completions.create(**{**ask, "prompt": ["The old bridge", "Water", "The old bridge"], "n": 2})
    assert [c.index for c in many.choices] == list(range(6)) and {many.choices[i].text for i in (0, 1, 4, 5)} == {whole.choices[0].text}
    drawn = [client.completions.create(**{**ask, "temperature": 1.0, "seed": s, "top_p": 0.9}).choices[0].text for s in (5, 5, 6)]
    assert drawn[0] == drawn[1] != drawn[2], drawn
    scored = client.completions.create(**{**ask, "max_tokens": 0, "echo": True, "logprobs": 3})
    l = scored.choices[0].logprobs
    assert scored.choices[0].text == ask["prompt"] and l.token_logprobs[0] is None and all(x <= 0 for x in l.token_logprobs[1:]) and len(l.top_logprobs[1]) == 3
    text = whole.choices[0].text
    stop = text[len(text) // 2 : len(text) // 2 + 3]
    cut = client.completions.create(**ask, stop=[stop])
    assert cut.choices[0].text == text[: text.index(stop)] and cut.choices[0].finish_reason == "stop"
    assert "".join(p.choices[0].text for p in client.completions.create(**ask, stop=[stop], stream=True)) == cut.choices[0].text
    for bad, kind, param in (({"max_tokens": 10**6}, openai.BadRequestError, "max_tokens"), ({"prompt": [[10**9]]}, openai.BadRequestError, "prompt"),
                             ({"logit_bias": {"5": 3}}, openai.BadRequestError, "logit_bias"), ({"temperature": -1}, openai.BadRequestError, "temperature")):
        try:
            client.completions.create(**{**ask, **bad})
            raise SystemExit(f"{bad} was accepted")
        except kind as e:
            assert e.body["param"] == param and e.body["message"], e.body
    try:
        client.models.retrieve("other")
        raise SystemExit("another model was found")
    except openai.NotFoundError:
        pass
    if chat:
        openai_chat(client, name)


def openai_chat(client, name):
    ask = dict(model=name, messages=[{"role": "system", "content": "Be brief."}, {"role": "user", "content": "What runs under the bridge?"}], max_tokens=24, temperature=0)
    whole = client.chat.completions.create(**ask, logprobs=True, top_logprobs=2)
    choice = whole.choices[0]
    assert choice.message.role == "assistant" and len(choice.logprobs.content) == whole.usage.completion_tokens and len(choice.logprobs.content[0].top_logprobs) == 2
    parts = list(client.chat.completions.create(**ask, stream=True, stream_options={"include_usage": True}))
    assert "".join(c.delta.content or "" for p in parts for c in p.choices) == choice.message.content and parts[-1].usage == whole.usage
    assert parts[0].choices[0].delta.role == "assistant"
    as_parts = [{"role": m["role"], "content": [{"type": "text", "text": m["content"]}]} for m in ask["messages"]]
    assert client.chat.completions.create(**{**ask, "messages": as_parts}).choices[0].message.content == choice.message.content
    try:
        client.chat.completions.create(**{**ask, "messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]})
        raise SystemExit("an image was accepted")
    except Exception as e:
        assert e.body["param"] == "messages", e


# ---------------------------------------------------------------- the harness

def task_over(name, rows):
    """The harness's own task with its data in local files."""
    from lm_eval.tasks import TaskManager
    from lm_eval.tasks._yaml_loader import load_yaml
    global MANAGER
    MANAGER = globals().get("MANAGER") or TaskManager()
    config = load_yaml(MANAGER.task_index[name].yaml_path, resolve_func=True)
    config.pop("tag", None)
    files = {f.stem.removeprefix(name + "-"): str(f) for f in sorted(rows.glob(name + "-*.jsonl"))}
    config.update(dataset_path="json", dataset_name=None, dataset_kwargs={"data_files": files})
    for split in ("training", "validation", "test"):
        if {"training": "train"}.get(split, split) not in files:
            config[split + "_split"] = None
    return config


def harness(model, args, names, rows, limit, **kw):
    import lm_eval
    r = lm_eval.simple_evaluate(model=model, model_args=args, tasks=[task_over(n, rows) for n in names], limit=limit, bootstrap_iters=0, log_samples=True, **kw)
    resps = {n: [[x for y in s["resps"] for x in y] for s in sorted(r["samples"][n], key=lambda s: (s["doc_id"], s.get("filter", "")))] for n in names}
    scores = {n: {k: v for k, v in r["results"][n].items() if "," in k and "stderr" not in k} for n in names}
    return resps, scores


def same(what, got, want):
    """Compares responses; gives the largest difference of two log-likelihoods."""
    worst = 0.0
    for name in want[0]:
        assert len(got[0][name]) == len(want[0][name]), (what, name)
        for i, (a, b) in enumerate(zip(got[0][name], want[0][name])):
            for x, y in zip(a, b, strict=True):
                if isinstance(y, str):
                    assert x == y, f"{what}: {name} {i}: {x!r}, want {y!r}"
                    continue
                x, y = (x, y) if isinstance(y, (tuple, list)) else ((x,), (y,))
                worst = max(worst, abs(x[0] - y[0]))
                assert list(x[1:]) == list(y[1:]), f"{what}: {name} {i}: {x}, want {y}"
                assert abs(x[0] - y[0]) < max(TOLERANCE, 1e-6 * abs(y[0])), f"{what}: {name} {i}: {x}, want {y}"
    close(what, got[1], want[1])
    return worst


def close(what, got, want):
    for name, metrics in want.items():
        for metric, value in metrics.items():
            have = got[name][metric]
            assert abs(have - value) <= 1e-3 * max(1, abs(value)), f"{what}: {name} {metric}: {have}, want {value}"


def shallow_eval(shallow, model, names, rows, limit):
    with tempfile.TemporaryDirectory() as out:
        command = [shallow, "eval", str(model), "--tasks", ",".join(names), "--data", str(rows), "--precision", "float32", "--bootstrap-iters", "0", "--quiet", "-o", out]
        subprocess.run(command + (["--limit", str(limit)] if limit else []), check=True, stdout=subprocess.DEVNULL)
        return {n: {k: v for k, v in m.items() if "," in k and "stderr" not in k} for n, m in json.loads((Path(out) / "results.json").read_text())["results"].items()}


def against_harness(shallow, url, model, rows, limit, chat):
    names = ["openbookqa", "gsm8k", "c4"]
    hf = f"pretrained={model},dtype=float32"
    want = harness("hf", hf, names, rows, limit, device="cpu", batch_size=1)
    tokenizer = json.loads((model / "tokenizer_config.json").read_text())
    import transformers
    bos = transformers.AutoTokenizer.from_pretrained(model)("a")["input_ids"][0] == transformers.AutoTokenizer.from_pretrained(model).bos_token_id
    length = json.loads((model / "config.json").read_text())["max_position_embeddings"] + 1  # the client takes one off
    base = dict(model="m", base_url=url + "/v1/completions", max_length=length, max_retries=1, timeout=300)
    local = dict(base, tokenizer=str(model), tokenizer_backend="huggingface")
    ways = {"ids": (dict(local, add_bos_token=bos), 1), "ids, batches of 4": (dict(local, add_bos_token=bos), 4), "ids, 8 at once": (dict(local, add_bos_token=bos, num_concurrent=8), 1)}
    for what, (args, batch) in ways.items():
        print(f"local-completions, {what}: largest difference {same(what, harness('local-completions', args, names, rows, limit, batch_size=batch), want):.1e}", flush=True)
    # Without BOS the client's requests are those of its own tokenizer, whatever way they are sent. Rolling windows begin with BOS even so, and
    # not every tokenizer makes the same ids of a text that spells BOS.
    plain = harness("local-completions", local, names, rows, limit, batch_size=1)
    short = ["openbookqa", "gsm8k"] if length > 2048 else ["openbookqa"]  # texts are not cut to the context by the client
    part = tuple({n: x[n] for n in short} for x in plain)
    for what, args, names, want_now in (("texts", dict(local, tokenized_requests=False), short, part),
                                        ("/tokenize", dict(base, tokenizer_backend="remote"), names, plain),
                                        ("automatic", dict(base, tokenizer_backend="auto", num_concurrent=8), names, plain)):
        print(f"local-completions, {what}: largest difference {same(what, harness('local-completions', args, names, rows, limit, batch_size=1), want_now):.1e}", flush=True)
    close("shallow eval", shallow_eval(shallow, model, list(want[0]), rows, limit), want[1])
    print("shallow eval: the same totals", {n: {k: round(float(v), 6) for k, v in m.items()} for n, m in want[1].items()}, flush=True)
    if chat and tokenizer.get("chat_template"):
        want = harness("hf", hf, ["gsm8k"], rows, limit, device="cpu", batch_size=1, apply_chat_template=True)
        got = harness("local-chat-completions", dict(base, base_url=url + "/v1/chat/completions"), ["gsm8k"], rows, limit, batch_size=1, apply_chat_template=True)
        same("local-chat-completions", got, want)
        print("local-chat-completions: the same texts", flush=True)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("shallow")
    p.add_argument("--model", type=Path)
    p.add_argument("--rows", type=Path)
    p.add_argument("--limit", type=int, help="documents of each task")
    a = p.parse_args()
    import datasets
    import lm_eval.utils
    import transformers
    transformers.logging.set_verbosity_error()
    datasets.disable_progress_bars()
    lm_eval.utils.setup_logging("ERROR")
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        datasets.config.HF_DATASETS_CACHE = folder / "cache"
        rows, model = a.rows, a.model
        if rows is None:
            (rows := folder / "rows").mkdir()
            write_rows(rows)
        if model is None:
            (model := folder / "model").mkdir()
            write_model(model, rows)
        chat = "chat_template" in json.loads((model / "tokenizer_config.json").read_text()) or (model / "chat_template.jinja").exists()
        with serving(a.shallow, model.resolve()) as url:
            openai_client(url, chat)
            print("the OpenAI client: completions, streams, errors" + (", chats" if chat else ""), flush=True)
            against_harness(a.shallow, url, model.resolve(), rows.resolve(), a.limit, chat)
    print("ok")


if __name__ == "__main__":
    sys.exit(main())
