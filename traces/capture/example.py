#!/usr/bin/env python3
"""Two modules written in plain PyTorch, exported as traces: a GPT-2-like one and a LLaMA-like one with random weights.

    python3 traces/capture/example.py out/example
    guardbit replay out/example/gpt   --accelerator configs/accelerators/edge.toml
    guardbit replay out/example/llama --accelerator configs/accelerators/edge.toml
"""
import math
import pathlib
import sys

import torch
from torch import nn

from guardbit_capture import export

VOCABULARY, CONTEXT, HIDDEN, LAYERS, HEADS, KV_HEADS, INNER = 61, 32, 32, 2, 4, 2, 48
HEAD = HIDDEN // HEADS


def attend(q, k, v):
    """q (T, heads, size), k and v (T, kv heads, size) -> (T, heads * size), causal."""
    k, v = (x.repeat_interleave(q.shape[1] // x.shape[1], dim=1) for x in (k, v))
    scores = torch.einsum("qhd,khd->hqk", q, k) / math.sqrt(q.shape[2])
    mask = torch.ones(q.shape[0], q.shape[0], dtype=torch.bool).triu(1)
    return torch.einsum("hqk,khd->qhd", scores.masked_fill(mask, -math.inf).softmax(-1), v).flatten(1)


class GptBlock(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(HIDDEN), nn.LayerNorm(HIDDEN)
        self.q, self.k, self.v, self.o = (nn.Linear(HIDDEN, HIDDEN) for _ in range(4))
        self.up, self.down = nn.Linear(HIDDEN, INNER), nn.Linear(INNER, HIDDEN)

    def forward(self, x):
        normed = self.norm1(x)
        x = x + self.o(attend(*(f(normed).view(-1, HEADS, HEAD) for f in (self.q, self.k, self.v))))
        return x + self.down(nn.functional.gelu(self.up(self.norm2(x)), approximate="tanh"))


class Gpt(nn.Module):
    def __init__(self):
        super().__init__()
        self.tokens, self.places = nn.Embedding(VOCABULARY, HIDDEN), nn.Embedding(CONTEXT, HIDDEN)
        self.blocks = nn.ModuleList(GptBlock() for _ in range(LAYERS))
        self.norm = nn.LayerNorm(HIDDEN)

    def forward(self, ids):
        x = self.tokens(ids[0]) + self.places.weight[:ids.shape[1]]
        for block in self.blocks:
            x = block(x)
        return (self.norm(x) @ self.tokens.weight.T)[None]


class RmsNorm(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))

    def forward(self, x):
        return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + 1e-6) * self.weight


def rotate(x):
    """Rotary positions, pairs (i, i + size / 2), of x (T, heads, size)."""
    half = x.shape[2] // 2
    angles = torch.arange(x.shape[0])[:, None] * 10000.0 ** (-torch.arange(half) / half)
    cos, sin = angles.cos()[:, None], angles.sin()[:, None]
    a, b = x[..., :half], x[..., half:]
    return torch.cat((a * cos - b * sin, a * sin + b * cos), -1)


class LlamaBlock(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm1, self.norm2 = RmsNorm(HIDDEN), RmsNorm(HIDDEN)
        self.q, self.o = nn.Linear(HIDDEN, HIDDEN, bias=False), nn.Linear(HIDDEN, HIDDEN, bias=False)
        self.k, self.v = (nn.Linear(HIDDEN, KV_HEADS * HEAD, bias=False) for _ in range(2))
        self.gate, self.up = (nn.Linear(HIDDEN, INNER, bias=False) for _ in range(2))
        self.down = nn.Linear(INNER, HIDDEN, bias=False)

    def forward(self, x):
        normed = self.norm1(x)
        q, k, v = (f(normed).view(len(x), -1, HEAD) for f in (self.q, self.k, self.v))
        x = x + self.o(attend(rotate(q), rotate(k), v))
        normed = self.norm2(x)
        return x + self.down(nn.functional.silu(self.gate(normed)) * self.up(normed))


class Llama(nn.Module):
    def __init__(self):
        super().__init__()
        self.tokens = nn.Embedding(VOCABULARY, HIDDEN)
        self.blocks = nn.ModuleList(LlamaBlock() for _ in range(LAYERS))
        self.norm, self.head = RmsNorm(HIDDEN), nn.Linear(HIDDEN, VOCABULARY, bias=False)

    def forward(self, ids):
        x = self.tokens(ids[0])
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))[None]


SHAPE = {"hidden_size": HIDDEN, "num_layers": LAYERS, "num_heads": HEADS, "head_size": HEAD,
         "intermediate_size": INNER, "vocabulary_size": VOCABULARY, "context_length": CONTEXT, "rope_theta": 10000}
GPT_SHAPE = dict(SHAPE, family="gpt2", num_kv_heads=HEADS, norm_epsilon=1e-5, activation="gelu_tanh", tied_head=True)
LLAMA_SHAPE = dict(SHAPE, family="llama", num_kv_heads=KV_HEADS, norm_epsilon=1e-6, activation="silu",
                   tied_head=False, rope_pairs="halves")
GPT_MODULES = {"embed": "tokens", "positions": "places", "final_norm": "norm",
               **{f"layers.{{i}}.{op}": f"blocks.{{i}}.{path}" for op, path in
                  {"attn_norm": "norm1", "attn.q": "q", "attn.k": "k", "attn.v": "v", "attn.o": "o",
                   "mlp_norm": "norm2", "mlp.up": "up", "mlp.down": "down"}.items()}}
LLAMA_MODULES = {"embed": "tokens", "final_norm": "norm", "head": "head",
                 **{f"layers.{{i}}.{op}": f"blocks.{{i}}.{path}" for op, path in
                    {"attn_norm": "norm1", "attn.q": "q", "attn.k": "k", "attn.v": "v", "attn.o": "o",
                     "mlp_norm": "norm2", "mlp.gate": "gate", "mlp.up": "up", "mlp.down": "down"}.items()}}


def main(output):
    torch.manual_seed(20261126)
    windows = torch.randint(0, VOCABULARY, (2, CONTEXT + 1)).tolist()
    for name, model, shape, modules in (("gpt", Gpt(), GPT_SHAPE, GPT_MODULES),
                                        ("llama", Llama(), LLAMA_SHAPE, LLAMA_MODULES)):
        nn.init.normal_(model.tokens.weight, std=0.2)
        for parameter in model.parameters():  # norms that are not all ones
            if parameter.ndim == 1:
                nn.init.normal_(parameter, mean=float(parameter.mean().round()), std=0.2)
        export(model, shape, modules, windows, pathlib.Path(output) / name,
               origin="random weights, made by traces/capture/example.py")
        print(f"{name}: {output}/{name}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else "out/example"))
