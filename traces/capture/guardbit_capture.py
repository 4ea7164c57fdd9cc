"""Writes a Guardbit trace bundle (traces/README.md) from a PyTorch module.

    export(model, shape, modules, windows, "out/my-trace")

runs every window through the module, takes the weights of the layers that `modules` names, records their outputs by
forward hooks, and writes trace.json, weights.safetensors and activations.safetensors. `guardbit replay` recomputes the
records with its own fp32 forward and refuses the trace if they differ: a wrong description does not go unnoticed.

Needs torch; safetensors if it is installed, else NumPy writes the files. `write_bundle` needs NumPy alone.
"""
import hashlib
import json
import math
import os
import pathlib
import shutil
import struct
import tempfile

import numpy

SCHEMA = "guardbit-trace/1"

# Op of a layer -> name of its weights in the bundle. "T": stored as (in, out). An op in brackets may be missing.
FAMILIES = {
    "gpt2": {
        "embed": "transformer.wte", "positions": "transformer.wpe",
        "layers.{i}.attn_norm": "transformer.h.{i}.ln_1", "layers.{i}.attn.qkv": "transformer.h.{i}.attn.c_attn T",
        "layers.{i}.attn.o": "transformer.h.{i}.attn.c_proj T", "layers.{i}.mlp_norm": "transformer.h.{i}.ln_2",
        "layers.{i}.mlp.up": "transformer.h.{i}.mlp.c_fc T", "layers.{i}.mlp.down": "transformer.h.{i}.mlp.c_proj T",
        "final_norm": "transformer.ln_f", "[head]": "lm_head",
    },
    "llama": {
        "embed": "model.embed_tokens", "layers.{i}.attn_norm": "model.layers.{i}.input_layernorm",
        "layers.{i}.attn.q": "model.layers.{i}.self_attn.q_proj",
        "layers.{i}.attn.k": "model.layers.{i}.self_attn.k_proj",
        "layers.{i}.attn.v": "model.layers.{i}.self_attn.v_proj",
        "[layers.{i}.attn.q_norm]": "model.layers.{i}.self_attn.q_norm",
        "[layers.{i}.attn.k_norm]": "model.layers.{i}.self_attn.k_norm",
        "layers.{i}.attn.o": "model.layers.{i}.self_attn.o_proj",
        "layers.{i}.mlp_norm": "model.layers.{i}.post_attention_layernorm",
        "layers.{i}.mlp.gate": "model.layers.{i}.mlp.gate_proj", "layers.{i}.mlp.up": "model.layers.{i}.mlp.up_proj",
        "layers.{i}.mlp.down": "model.layers.{i}.mlp.down_proj", "final_norm": "model.norm", "[head]": "lm_head",
    },
    "bert": {
        "embed": "bert.embeddings.word_embeddings", "positions": "bert.embeddings.position_embeddings",
        "types": "bert.embeddings.token_type_embeddings", "embed_norm": "bert.embeddings.LayerNorm",
        "layers.{i}.attn.q": "bert.encoder.layer.{i}.attention.self.query",
        "layers.{i}.attn.k": "bert.encoder.layer.{i}.attention.self.key",
        "layers.{i}.attn.v": "bert.encoder.layer.{i}.attention.self.value",
        "layers.{i}.attn.o": "bert.encoder.layer.{i}.attention.output.dense",
        "layers.{i}.attn_norm": "bert.encoder.layer.{i}.attention.output.LayerNorm",
        "layers.{i}.mlp.up": "bert.encoder.layer.{i}.intermediate.dense",
        "layers.{i}.mlp.down": "bert.encoder.layer.{i}.output.dense",
        "layers.{i}.mlp_norm": "bert.encoder.layer.{i}.output.LayerNorm",
    },
}
NOT_OPS = ("positions", "types", "attn.qkv")  # weights without an op of their own in the bundle
CAUSAL = ("gpt2", "llama")


def expand(family, modules, num_layers):
    """[(op, stored name, path or list of paths, transposed)] of every layer that the family has.

    `modules`: op (with {i} for the layer) -> path of a module with weight and bias, or (weight, bias) paths of parameters;
    for gpt2, attn.q, attn.k and attn.v may stand for attn.qkv. Raises ValueError naming what is missing or unknown.
    """
    given = dict(modules)
    parts = ["layers.{i}.attn." + letter for letter in "qkv"]
    fused = "layers.{i}.attn.qkv"
    if family == "gpt2" and fused not in given and all(part in given for part in parts):
        given[fused] = [given.pop(part) for part in parts]
    rows = []
    for key, stored in FAMILIES[family].items():
        op = key.strip("[]")
        if op not in given:
            if key == op:
                raise ValueError(f"modules: no entry for '{op}'; the family {family} needs it")
            continue
        value = given.pop(op)
        name, transposed = (stored.split() + [""])[:2]
        for layer in range(num_layers) if "{i}" in op else [0]:
            fill = lambda item: _fill(item, layer)
            rows.append((fill(op), fill(name), fill(value), transposed == "T"))
    if given:
        raise ValueError(f"modules: got '{sorted(given)[0]}'; expected ops of the family {family}: "
                         + ", ".join(key.strip("[]") for key in FAMILIES[family]))
    return rows


def _fill(item, layer):
    if isinstance(item, str):
        return item.replace("{i}", str(layer))
    return None if item is None else type(item)(_fill(part, layer) for part in item)


def safetensors_bytes(tensors):
    """A safetensors file of NumPy arrays (float16 or float32), as pieces of bytes."""
    header, end = {}, 0
    for name, values in tensors.items():
        dtype = {"float32": "F32", "float16": "F16"}[values.dtype.name]
        header[name] = {"dtype": dtype, "shape": list(values.shape), "data_offsets": [end, end + values.nbytes]}
        end += values.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    yield struct.pack("<Q", len(text)) + text
    for values in tensors.values():
        yield numpy.ascontiguousarray(values).astype(values.dtype.newbyteorder("<"), copy=False).tobytes()


def write_safetensors(path, tensors):
    """By the safetensors package if it is there, else by NumPy. Wider elements first, so that all are aligned."""
    ordered = dict(sorted(tensors.items(), key=lambda item: -item[1].dtype.itemsize))
    try:
        from safetensors.numpy import save_file
    except ImportError:
        with open(path, "wb") as file:
            for piece in safetensors_bytes(ordered):
                file.write(piece)
    else:
        save_file({name: numpy.ascontiguousarray(values) for name, values in ordered.items()}, str(path))


def sha256(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for piece in iter(lambda: file.read(1 << 20), b""):
            digest.update(piece)
    return digest.hexdigest()


def write_bundle(output, shape, weights, windows, records, name, origin):
    """Writes the directory `output`, which must not exist; it appears whole or not at all.

    shape: the "model" object of trace.json. weights: stored name -> array. windows: [{"tokens", "reference_nll"}].
    records: op -> array (rows, width) of the first window.
    """
    output = pathlib.Path(output)
    if output.exists():
        raise FileExistsError(f"{output}: exists; expected a new directory")
    output.parent.mkdir(parents=True, exist_ok=True)
    making = pathlib.Path(tempfile.mkdtemp(prefix=output.name + ".", dir=output.parent))
    try:
        write_safetensors(making / "weights.safetensors", weights)
        document = {"schema": SCHEMA, "name": name, "origin": origin, "model": shape,
                    "weights": {"file": "weights.safetensors", "sha256": sha256(making / "weights.safetensors")}}
        if records:
            write_safetensors(making / "activations.safetensors",
                              {"0/" + op: values.astype(numpy.float32) for op, values in records.items()})
            document["activations"] = {"file": "activations.safetensors",
                                       "sha256": sha256(making / "activations.safetensors")}
        document["windows"] = windows
        (making / "trace.json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
        os.chmod(making, 0o755)
        os.rename(making, output)
    except BaseException:
        shutil.rmtree(making, ignore_errors=True)
        raise


def negative_log_likelihood(logits, targets):
    """Sum over rows, in binary64."""
    logits = logits.astype(numpy.float64)
    largest = logits.max(axis=-1, keepdims=True)
    log_sums = largest[:, 0] + numpy.log(numpy.exp(logits - largest).sum(axis=-1))
    return float((log_sums - logits[numpy.arange(len(targets)), targets]).sum())


def export(model, shape, modules, windows, output, name=None, origin="exported from PyTorch", dtype="float32"):
    """Writes the bundle of a torch module.

    model: called as model(ids) with ids (1, T); gives logits (1, T, vocabulary) (an encoder without a head: hidden
    states), as a tensor or as .logits / .last_hidden_state. shape: the "model" object of trace.json. modules: see
    expand(). windows: lists of token ids, for a decoder with one more than the inputs. dtype: of the stored weights; the
    module computes in float32 with the weights as stored. Raises ValueError naming what does not fit.
    """
    import torch

    model = model.eval().float()
    rows = expand(shape["family"], modules, shape["num_layers"])
    parameters = dict(model.named_parameters())
    parameters.update(model.named_buffers())
    by_path = dict(model.named_modules())
    weights = {}
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(parameter.to(getattr(torch, dtype)).float())
        for op, stored, source, transposed in rows:
            _take_weights(weights, stored, source, transposed, parameters, shape, dtype)
        records, hooks = {}, []

        def hook_of(op):
            def hook(_module, _inputs, result):
                values = result[0] if isinstance(result, tuple) else result
                records.setdefault(op, values.detach().float().reshape(-1, values.shape[-1]).numpy().copy())
            return hook

        ops = {op: source for op, _, source, _ in rows
               if isinstance(source, str) and not op.endswith(NOT_OPS) and op != "embed"}
        for op, path in ops.items():
            if path not in by_path:
                raise ValueError(f"modules: '{op}': the model has no module '{path}'")
            hooks.append(by_path[path].register_forward_hook(hook_of(op)))
        causal = shape["family"] in CAUSAL
        written = []
        for tokens in windows:
            tokens = [int(token) for token in tokens]
            result = model(torch.tensor([tokens[:-1] if causal else tokens]))
            result = getattr(result, "logits", getattr(result, "last_hidden_state", result))[0].float().numpy()
            while hooks:
                hooks.pop().remove()  # the first window is recorded
            window = {}
            if causal:
                window["reference_nll"] = negative_log_likelihood(result, tokens[1:])
                if not math.isfinite(window["reference_nll"]):
                    raise ValueError(f"window {len(written)}: the logits are not finite")
            window["tokens"] = tokens
            written.append(window)
    name = name or pathlib.Path(output).name
    write_bundle(output, shape, weights, written, records, name, origin)


def _take_weights(weights, stored, source, transposed, parameters, shape, dtype):
    def parameter(path):
        if path not in parameters:
            raise ValueError(f"modules: the model has no parameter '{path}'")
        return parameters[path].detach().numpy()

    def pair(item):
        """(weight, bias or None), weight as (out, in)."""
        if isinstance(item, tuple):
            return parameter(item[0]), None if item[1] is None else parameter(item[1])
        return parameter(item + ".weight"), parameters[item + ".bias"].detach().numpy() if item + ".bias" in parameters else None

    pairs = [pair(item) for item in (source if isinstance(source, list) else [source])]
    weight = numpy.concatenate([entry[0] for entry in pairs])
    bias = None if pairs[0][1] is None else numpy.concatenate([entry[1] for entry in pairs])
    if transposed:
        weight = weight.T
        if bias is None:  # the family has one
            bias = numpy.zeros(weight.shape[1], numpy.float32)
    if stored == "lm_head":
        if shape["tied_head"]:
            return
        if bias is not None:
            raise ValueError("modules: 'head': got a bias; expected none")
    weights[stored + ".weight"] = numpy.ascontiguousarray(weight).astype(dtype)
    if bias is not None:
        weights[stored + ".bias"] = bias.astype(dtype)
