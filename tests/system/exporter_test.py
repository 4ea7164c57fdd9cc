#!/usr/bin/env python3
"""Traces of traces/capture replay to the reference that they record. Exit 77 if Python lacks what a part needs.

Usage: exporter_test.py numpy|torch GUARDBIT
"""
import importlib.util
import json
import math
import pathlib
import subprocess
import sys
import tempfile

SOURCE = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(SOURCE / "traces/capture"))
SKIPPED = 77
GUARDBIT = ""


def replay(trace, variants="none"):
    """(exit code, parsed JSON or None, standard error)."""
    run = subprocess.run([GUARDBIT, "replay", str(trace), "--accelerator", str(SOURCE / "configs/accelerators/fp16.toml"),
                          "--variants", variants, "--format", "json"], capture_output=True, text=True)
    return run.returncode, json.loads(run.stdout) if run.returncode == 0 else None, run.stderr


def expect(condition, message):
    if not condition:
        raise AssertionError(message)


def expect_replays(trace, variants="none"):
    """The replay accepts the records and likelihoods, and fp16 hardware comes close to them."""
    code, result, error = replay(trace, variants)
    expect(code == 0, f"{trace}: exit {code}: {error}")
    document = json.loads((trace / "trace.json").read_text())
    windows = document["windows"]
    if "reference_nll" in windows[0]:
        mean = sum(w["reference_nll"] for w in windows) / sum(len(w["tokens"]) - 1 for w in windows)
        expect(abs(result["reference"]["perplexity"] / math.exp(mean) - 1) < 1e-4, f"{trace}: another perplexity")
    for variant in result["variants"]:
        expect(variant["sqnr_db"] > 40, f"{trace}: {variant['name']}: {variant['sqnr_db']} dB")
    return result


def expect_refused(trace, text):
    code, _, error = replay(trace)
    expect(code == 65 and text in error, f"{trace}: exit {code}: {error}; expected 65 and '{text}'")


def numpy_part(folder):
    """A bundle of NumPy arrays alone: one GPT-2-like layer, computed here."""
    import numpy
    from guardbit_capture import negative_log_likelihood, write_bundle

    rng = numpy.random.default_rng(1)
    d, inner, vocabulary, context = 16, 24, 11, 8
    shape = {"family": "gpt2", "hidden_size": d, "num_layers": 1, "num_heads": 2, "num_kv_heads": 2, "head_size": 8,
             "intermediate_size": inner, "vocabulary_size": vocabulary, "context_length": context, "norm_epsilon": 1e-5,
             "rope_theta": 10000, "activation": "relu", "tied_head": True}
    sizes = {"wte.weight": (vocabulary, d), "wpe.weight": (context, d), "h.0.ln_1.weight": (d,), "h.0.ln_1.bias": (d,),
             "h.0.attn.c_attn.weight": (d, 3 * d), "h.0.attn.c_attn.bias": (3 * d,), "h.0.attn.c_proj.weight": (d, d),
             "h.0.attn.c_proj.bias": (d,), "h.0.ln_2.weight": (d,), "h.0.ln_2.bias": (d,),
             "h.0.mlp.c_fc.weight": (d, inner), "h.0.mlp.c_fc.bias": (inner,), "h.0.mlp.c_proj.weight": (inner, d),
             "h.0.mlp.c_proj.bias": (d,), "ln_f.weight": (d,), "ln_f.bias": (d,)}
    w = {name: rng.normal(0, 0.4, size).astype(numpy.float16) for name, size in sizes.items()}
    f = {name: values.astype(numpy.float64) for name, values in w.items()}

    def norm(x, name):
        x = x - x.mean(-1, keepdims=True)
        return x / numpy.sqrt((x * x).mean(-1, keepdims=True) + 1e-5) * f[name + ".weight"] + f[name + ".bias"]

    tokens = [3, 1, 4, 1, 5, 9, 2, 6]
    x = f["wte.weight"][tokens[:-1]] + f["wpe.weight"][:len(tokens) - 1]
    normed = norm(x, "h.0.ln_1")
    qkv = normed @ f["h.0.attn.c_attn.weight"] + f["h.0.attn.c_attn.bias"]
    heads = []
    for h in range(2):
        q, k, v = (qkv[:, part * d + h * 8:part * d + h * 8 + 8] for part in range(3))
        scores = numpy.exp(q @ k.T / math.sqrt(8)) * numpy.tri(len(x))
        heads.append(scores / scores.sum(-1, keepdims=True) @ v)
    x = x + numpy.hstack(heads) @ f["h.0.attn.c_proj.weight"] + f["h.0.attn.c_proj.bias"]
    up = norm(x, "h.0.ln_2") @ f["h.0.mlp.c_fc.weight"] + f["h.0.mlp.c_fc.bias"]
    x = x + numpy.maximum(up, 0) @ f["h.0.mlp.c_proj.weight"] + f["h.0.mlp.c_proj.bias"]
    logits = norm(x, "ln_f") @ f["wte.weight"].T
    windows = [{"reference_nll": negative_log_likelihood(logits, tokens[1:]), "tokens": tokens}]
    records = {"layers.0.attn_norm": normed, "layers.0.mlp.up": up, "head": logits}
    write_bundle(folder / "right", shape, w, windows, records, "right", "made by exporter_test.py")
    expect_replays(folder / "right", "none,slanc,rrs")
    records["layers.0.mlp.up"] = up + numpy.eye(*up.shape) * 0.01
    write_bundle(folder / "record", shape, w, windows, records, "record", "made by exporter_test.py")
    expect_refused(folder / "record", "tensor '0/layers.0.mlp.up': got ")
    windows[0]["reference_nll"] *= 1.001
    write_bundle(folder / "nll", shape, w, windows, {}, "nll", "made by exporter_test.py")
    expect_refused(folder / "nll", "/windows/0/reference_nll: got ")
    try:
        write_bundle(folder / "nll", shape, w, windows, {}, "nll", "")
        raise AssertionError("an existing directory was overwritten")
    except FileExistsError:
        pass


def expect_captured_alike(exported, folder, config):
    """`guardbit capture` of the same weights and windows finds the same likelihoods as PyTorch."""
    trace = json.loads((exported / "trace.json").read_text())
    folder.mkdir()
    (folder / "model.safetensors").write_bytes((exported / "weights.safetensors").read_bytes())
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "windows.json").write_text(json.dumps({"windows": [window["tokens"] for window in trace["windows"]]}))
    run = subprocess.run([GUARDBIT, "capture", folder, "--tokens", folder / "windows.json", "-o", folder / "trace", "-q"],
                         capture_output=True, text=True)
    expect(run.returncode == 0, run.stderr)
    captured = json.loads((folder / "trace" / "trace.json").read_text())
    for ours, theirs in zip(captured["windows"], trace["windows"], strict=True):
        difference = abs(ours["reference_nll"] / theirs["reference_nll"] - 1)
        expect(difference < 1e-5, f"{folder}: got {ours['reference_nll']}; expected {theirs['reference_nll']}")


def torch_part(folder):
    import torch
    import example
    from guardbit_capture import export
    from torch import nn

    example.main(folder / "example")
    for name in ("gpt", "llama"):
        expect_replays(folder / "example" / name, "none,slanc,rrs")
        records = (folder / "example" / name / "activations.safetensors").read_bytes()
        expect(b'"0/layers.1.mlp.down"' in records, f"{name}: hooks recorded no mlp.down")

    sizes = {"vocab_size": example.VOCABULARY, "tie_word_embeddings": False}
    expect_captured_alike(folder / "example" / "gpt", folder / "hf-gpt", {
        **sizes, "model_type": "gpt2", "n_embd": example.HIDDEN, "n_layer": example.LAYERS, "n_head": example.HEADS,
        "n_inner": example.INNER, "n_positions": example.CONTEXT, "tie_word_embeddings": True})
    expect_captured_alike(folder / "example" / "llama", folder / "hf-llama", {
        **sizes, "model_type": "llama", "hidden_size": example.HIDDEN, "num_hidden_layers": example.LAYERS,
        "num_attention_heads": example.HEADS, "num_key_value_heads": example.KV_HEADS, "hidden_act": "silu",
        "intermediate_size": example.INNER, "max_position_embeddings": example.CONTEXT, "rms_norm_eps": 1e-6})

    swapped = dict(example.LLAMA_MODULES)
    swapped["layers.{i}.mlp.gate"], swapped["layers.{i}.mlp.up"] = "blocks.{i}.up", "blocks.{i}.gate"
    windows = [list(range(20))]
    torch.manual_seed(1)
    export(example.Llama(), example.LLAMA_SHAPE, swapped, windows, folder / "swapped")
    expect_refused(folder / "swapped", "as recomputed from the weights")
    export(example.Llama(), dict(example.LLAMA_SHAPE, rope_pairs="neighbours"), example.LLAMA_MODULES, windows,
           folder / "pairs")
    expect_refused(folder / "pairs", "as recomputed from the weights")
    export(example.Gpt(), example.GPT_SHAPE, example.GPT_MODULES, windows, folder / "half", dtype="float16")
    expect_replays(folder / "half")
    for changes, text in (({"layers.{i}.mlp.up": "blocks.{i}.none"}, "no parameter 'blocks.0.none.weight'"),
                          ({"layers.{i}.mlp.gate": "blocks.{i}.up"}, "got 'layers.{i}.mlp.gate'; expected ops")):
        try:
            export(example.Gpt(), example.GPT_SHAPE, dict(example.GPT_MODULES, **changes), windows, folder / "bad")
            raise AssertionError(f"accepted; expected '{text}'")
        except ValueError as error:
            expect(text in str(error), f"got '{error}'; expected '{text}'")
    expect(not (folder / "bad").exists(), "a refused export left something")

    class BertBlock(nn.Module):
        def __init__(self):
            super().__init__()
            self.q, self.k, self.v, self.o = (nn.Linear(16, 16) for _ in range(4))
            self.up, self.down = nn.Linear(16, 24), nn.Linear(24, 16)
            self.norm1, self.norm2 = nn.LayerNorm(16), nn.LayerNorm(16)

        def forward(self, x):
            q, k, v = (f(x).view(-1, 2, 8).transpose(0, 1) for f in (self.q, self.k, self.v))
            values = (q @ k.transpose(1, 2) / math.sqrt(8)).softmax(-1) @ v
            x = self.norm1(x + self.o(values.transpose(0, 1).flatten(1)))
            return self.norm2(x + self.down(nn.functional.gelu(self.up(x))))

    class Bert(nn.Module):
        def __init__(self):
            super().__init__()
            self.words, self.places, self.types = nn.Embedding(30, 16), nn.Embedding(12, 16), nn.Embedding(2, 16)
            self.norm, self.blocks = nn.LayerNorm(16), nn.ModuleList(BertBlock() for _ in range(2))

        def forward(self, ids):
            x = self.norm(self.words(ids[0]) + self.places.weight[:ids.shape[1]] + self.types.weight[0])
            for block in self.blocks:
                x = block(x)
            return x[None]

    shape = {"family": "bert", "hidden_size": 16, "num_layers": 2, "num_heads": 2, "num_kv_heads": 2, "head_size": 8,
             "intermediate_size": 24, "vocabulary_size": 30, "context_length": 12, "norm_epsilon": 1e-5,
             "rope_theta": 10000, "activation": "gelu", "tied_head": True, "has_head": False}
    modules = {"embed": "words", "positions": "places", "types": "types", "embed_norm": "norm",
               **{f"layers.{{i}}.{op}": f"blocks.{{i}}.{path}" for op, path in
                  {"attn.q": "q", "attn.k": "k", "attn.v": "v", "attn.o": "o", "attn_norm": "norm1", "mlp.up": "up",
                   "mlp.down": "down", "mlp_norm": "norm2"}.items()}}
    export(Bert(), shape, modules, [[5, 4, 3, 29], list(range(12))], folder / "bert")
    result = expect_replays(folder / "bert", "none,slanc")
    expect(result["variants"][0]["perplexity"] is None, "an encoder has no perplexity")


def main(part, guardbit):
    global GUARDBIT
    GUARDBIT = guardbit
    for module in {"numpy": ["numpy"], "torch": ["numpy", "torch"]}[part]:
        if importlib.util.find_spec(module) is None:
            print(f"skipped: {sys.executable} has no module {module} (Debian: python3-{module})")
            return SKIPPED
    with tempfile.TemporaryDirectory() as folder:
        {"numpy": numpy_part, "torch": torch_part}[part](pathlib.Path(folder))
    print(f"{part}: passed")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
