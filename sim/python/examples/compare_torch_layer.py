"""How far PyTorch layers in binary32 are from the same layers on described hardware.

Usage: compare_torch_layer.py (with the module guardbit in PYTHONPATH; docs/python.md)
"""
import sys

import numpy

import guardbit

try:
    import torch
except ImportError as error:
    print(f"skipped: {error}; install python3-torch")
    sys.exit(0)

LINEAR = {
    "fp16 x fp16 -> fp32": {"accumulator.format": "fp32"},
    "fp16 x fp16 -> fp16": {"accumulator.format": "fp16"},
    "bf16 x bf16 -> fp32": {"array.activation": "bf16", "array.weight": "bf16", "accumulator.format": "fp32"},
    "e4m3 x e4m3 -> fp16": {"array.activation": "fp8_e4m3", "array.weight": "fp8_e4m3", "accumulator.format": "fp16"},
    "e4m3 x e4m3 -> e5m10 saturating": {"array.activation": "fp8_e4m3", "array.weight": "fp8_e4m3",
                                        "accumulator.format": "e5m10", "accumulator.overflow": "saturate"},
}
NORM = {
    "fp32 statistics": {"norm.accumulator.format": "fp32"},
    "fp16 statistics": {"norm.accumulator.format": "fp16"},
    "bf16 statistics": {"norm.accumulator.format": "bf16"},
    "e5m2 statistics": {"norm.accumulator.format": "fp8_e5m2"},
}


def sqnr_db(reference, found):
    """Power of the reference over power of the difference, in dB."""
    if not numpy.isfinite(found).all():
        return float("nan")
    error = found.astype(numpy.float64) - reference
    return 10 * numpy.log10((reference.astype(numpy.float64) ** 2).sum() / max((error ** 2).sum(), 1e-300))


def events_of(stages):
    """"overflow 3, swamped 12", over all stages."""
    totals = {}
    for events in stages.values():
        for name in ("overflow", "underflow", "swamped"):
            totals[name] = totals.get(name, 0) + events.get(name, 0)
    return ", ".join(f"{name} {count:,}" for name, count in totals.items() if count) or "none"


def compare_linear(layer, x):
    """The product alone on the array; the bias is added in binary32, as PyTorch does."""
    expected = layer(x).numpy()
    weight, bias = layer.weight.numpy(), layer.bias.numpy()
    print(f"torch.nn.Linear({layer.in_features}, {layer.out_features}) of {x.shape[0]} rows")
    for name, keys in LINEAR.items():
        product, report = guardbit.gemm(x.numpy(), weight, transpose_b=True, set=keys, error=False)
        print(f"  {name:<34}{sqnr_db(expected, product + bias):6.1f} dB   events: {events_of(report['result']['events'])}")


def compare_norm(layer, x):
    expected = layer(x).numpy()
    print(f"torch.nn.LayerNorm({x.shape[1]}) of {x.shape[0]} rows of norm {torch.linalg.norm(x, dim=1).mean():.0f}")
    for scale in (1, 64):
        for name, keys in NORM.items():
            y, report = guardbit.layer_norm(x.numpy(), layer.weight.numpy(), layer.bias.numpy(), epsilon=layer.eps,
                                            input_scale=scale, set=keys)
            print(f"  {name + f', x / {scale}':<34}{sqnr_db(expected, y):6.1f} dB   events: {events_of(report['events'])}")


def main():
    torch.manual_seed(1)
    with torch.no_grad():
        compare_linear(torch.nn.Linear(512, 64), torch.randn(32, 512))
        compare_norm(torch.nn.LayerNorm(512), 32 * torch.randn(32, 512))


if __name__ == "__main__":
    main()
