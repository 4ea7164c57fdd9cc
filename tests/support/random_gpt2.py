#!/usr/bin/env python3
"""Writes a random GPT-2 as a Hugging Face directory, and one window of random tokens: a model of any size for
measurements of speed and memory. Needs only the standard library.

Usage: random_gpt2.py OUTPUT_DIR [--layers 12] [--hidden 768] [--heads 12] [--vocabulary 50257] [--context 1024]
                      [--tokens 128] [--seed 1]

Weights are normal with the initialization's deviations (0.02; projections into the residual stream 0.02 / sqrt(2 layers)),
drawn from one pool of 2^20 values that starts elsewhere in every tensor: speed does not depend on what they are.
"""
import argparse
import array
import json
import random
import struct
from pathlib import Path

POOL_SIZE = 1 << 20


def tensor_shapes(a):
    """(name, shape, deviation or constant)"""
    d = a.hidden
    yield "transformer.wte.weight", (a.vocabulary, d), 0.02
    yield "transformer.wpe.weight", (a.context, d), 0.01
    out = 0.02 / (2 * a.layers) ** 0.5
    for layer in range(a.layers):
        p = f"transformer.h.{layer}."
        yield p + "ln_1.weight", (d,), "one"
        yield p + "ln_1.bias", (d,), 0.01
        yield p + "attn.c_attn.weight", (d, 3 * d), 0.02
        yield p + "attn.c_attn.bias", (3 * d,), 0.01
        yield p + "attn.c_proj.weight", (d, d), out
        yield p + "attn.c_proj.bias", (d,), 0.01
        yield p + "ln_2.weight", (d,), "one"
        yield p + "ln_2.bias", (d,), 0.01
        yield p + "mlp.c_fc.weight", (d, 4 * d), 0.02
        yield p + "mlp.c_fc.bias", (4 * d,), 0.01
        yield p + "mlp.c_proj.weight", (4 * d, d), out
        yield p + "mlp.c_proj.bias", (d,), 0.01
    yield "transformer.ln_f.weight", (d,), "one"
    yield "transformer.ln_f.bias", (d,), 0.01


def count(shape):
    product = 1
    for size in shape:
        product *= size
    return product


def write_values(file, pool, num_values, value, start):
    if value == "one":
        array.array("f", [1.0] * num_values).tofile(file)
        return
    scaled = array.array("f", (x * value for x in pool))
    written = 0
    while written < num_values:
        piece = scaled[start : start + num_values - written]
        piece.tofile(file)
        written += len(piece)
        start = 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("output", type=Path)
    for name, default in (("layers", 12), ("hidden", 768), ("heads", 12), ("vocabulary", 50257), ("context", 1024),
                          ("tokens", 128), ("seed", 1)):
        parser.add_argument(f"--{name}", type=int, default=default)
    a = parser.parse_args()
    rng = random.Random(a.seed)
    a.output.mkdir(parents=True, exist_ok=True)
    config = {"model_type": "gpt2", "n_embd": a.hidden, "n_layer": a.layers, "n_head": a.heads, "n_positions": a.context,
              "vocab_size": a.vocabulary, "n_inner": None, "layer_norm_epsilon": 1e-5, "activation_function": "gelu_new"}
    (a.output / "config.json").write_text(json.dumps(config) + "\n")
    tokens = [rng.randrange(a.vocabulary) for _ in range(a.tokens + 1)]
    (a.output / "tokens.json").write_text(json.dumps({"windows": [tokens]}) + "\n")

    pool = [rng.gauss(0, 1) for _ in range(POOL_SIZE)]
    header, offset = {}, 0
    shapes = list(tensor_shapes(a))
    for name, shape, _ in shapes:
        size = 4 * count(shape)
        header[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(a.output / "model.safetensors", "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for _, shape, value in shapes:
            write_values(file, pool, count(shape), value, rng.randrange(POOL_SIZE))


if __name__ == "__main__":
    main()
