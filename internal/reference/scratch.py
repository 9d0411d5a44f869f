"""Trains a small Llama from random weights with PyTorch and says how many tokens a second it takes.

usage: scratch.py [--rows 32] [--length 256] [--steps 5] [--threads 2] [--bfloat16]

It is the model, the batch and the step of BenchmarkScratch in package heal: rows of random tokens, gradients clipped to 1, AdamW with
weight decay. The best of the steps after the first is what counts, so that another program on the machine harms it less.
"""

import argparse
import contextlib
import time

import torch
import transformers


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=32)
    parser.add_argument("--length", type=int, default=256)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--bfloat16", action="store_true", help="products in bfloat16, by autocast")
    options = parser.parse_args()

    torch.manual_seed(1)
    torch.set_num_threads(options.threads)
    config = transformers.LlamaConfig(
        hidden_size=128, intermediate_size=384, num_hidden_layers=16, num_attention_heads=4, num_key_value_heads=2, vocab_size=1024,
        max_position_embeddings=512, tie_word_embeddings=True, attn_implementation="sdpa", use_cache=False,
    )
    model = transformers.LlamaForCausalLM(config).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.95), weight_decay=0.1, fused=True)
    ids = torch.randint(0, config.vocab_size, (options.rows, options.length))
    products = torch.autocast("cpu", torch.bfloat16) if options.bfloat16 else contextlib.nullcontext()
    seconds = []
    for _ in range(options.steps + 1):
        begin = time.perf_counter()
        with products:
            loss = model(input_ids=ids, labels=ids).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        seconds.append(time.perf_counter() - begin)
    tokens = options.rows * options.length
    kind = "bfloat16" if options.bfloat16 else "float32"
    print(f"torch {torch.__version__} {kind} {options.rows}x{options.length}: {tokens / min(seconds[1:]):.0f} tokens/s at best, "
          f"{tokens * options.steps / sum(seconds[1:]):.0f} in the mean, loss {loss.item():.3f}")


if __name__ == "__main__":
    main()
