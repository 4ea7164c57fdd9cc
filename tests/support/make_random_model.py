#!/usr/bin/env python3
"""Writes a random Hugging Face directory of GPT-2's size (124 million parameters) and token ids, to measure import and
the fp32 reference with. Needs numpy.

    tests/support/make_random_model.py DIR [--tokens 1024] [--layers 12] [--dtype F32|F16]
    guardbit capture DIR --tokens DIR/tokens.npy -o OUT
"""
import argparse
import json
import pathlib
import struct
import sys

import numpy


def write_safetensors(path, tensors, dtype):
    header, end = {}, 0
    for name, shape in tensors:
        size = int(numpy.prod(shape)) * numpy.dtype(dtype).itemsize
        header[name] = {"dtype": "F32" if dtype == "float32" else "F16", "shape": list(shape),
                        "data_offsets": [end, end + size]}
        end += size
    text = json.dumps(header).encode()
    rng = numpy.random.default_rng(20261126)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for name, shape in tensors:  # one tensor at a time
            values = rng.standard_normal(shape, dtype=numpy.float32) * 0.02
            if ".ln_" in name:
                values = values * 0 + (1 if name.endswith("weight") else 0)
            file.write(values.astype(dtype).tobytes())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=pathlib.Path)
    parser.add_argument("--tokens", type=int, default=1024)
    parser.add_argument("--layers", type=int, default=12)
    parser.add_argument("--hidden", type=int, default=768)
    parser.add_argument("--heads", type=int, default=12)
    parser.add_argument("--dtype", choices=["F32", "F16"], default="F32")
    arguments = parser.parse_args()
    vocabulary, context, d = 50257, 1024, arguments.hidden
    tensors = [("wte.weight", (vocabulary, d)), ("wpe.weight", (context, d))]
    for layer in range(arguments.layers):
        prefix = f"h.{layer}."
        tensors += [(prefix + name, shape) for name, shape in [
            ("ln_1.weight", (d,)), ("ln_1.bias", (d,)), ("attn.c_attn.weight", (d, 3 * d)),
            ("attn.c_attn.bias", (3 * d,)), ("attn.c_proj.weight", (d, d)), ("attn.c_proj.bias", (d,)),
            ("ln_2.weight", (d,)), ("ln_2.bias", (d,)), ("mlp.c_fc.weight", (d, 4 * d)), ("mlp.c_fc.bias", (4 * d,)),
            ("mlp.c_proj.weight", (4 * d, d)), ("mlp.c_proj.bias", (d,))]]
    tensors += [("ln_f.weight", (d,)), ("ln_f.bias", (d,))]
    arguments.directory.mkdir(parents=True, exist_ok=True)
    config = {"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"], "n_embd": d, "n_layer": arguments.layers,
              "n_head": arguments.heads, "n_positions": context, "vocab_size": vocabulary}
    (arguments.directory / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    write_safetensors(arguments.directory / "model.safetensors", tensors,
                      "float32" if arguments.dtype == "F32" else "float16")
    ids = numpy.random.default_rng(7).integers(0, vocabulary, arguments.tokens + 1)
    numpy.save(arguments.directory / "tokens.npy", ids)
    return 0


if __name__ == "__main__":
    sys.exit(main())
