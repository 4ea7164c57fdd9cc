"""Bit-accurate arithmetic of a described transformer accelerator, on NumPy arrays.

Every function gives the bits and the event counts of the command line, whose options its arguments are named after.
docs/python.md describes shapes, element types, errors and deviations.
"""
import os

import numpy  # noqa: F401  without it nothing here works, and its own message says so

from guardbit import _arguments as check
from guardbit import _guardbit
from guardbit._replay import replay

__all__ = ["accumulators", "dequantize", "events", "exit_codes", "families", "formats", "gemm", "hadamard", "layer_norm",
           "methods", "quantize", "replay", "reports", "rms_norm", "units", "version"]
__version__ = _guardbit.version()["version"]


def quantize(x, format, *, rounding="rne", overflow="saturate", subnormals="keep", scale="none", axis=None, seed=0,
             x_format=None, carrier=False, threads=0):
    """x in a number format: ({"codes", and where there are "scale", "zero_point", "tensor_scale"}, report).

    With carrier=True {"values"}: what codes and scales stand for, in float32. The report is that of `guardbit quantize`.
    """
    parts, report = _guardbit.quantize(x, {
        "format": check.text("format", format),
        "rounding": check.text("rounding", rounding),
        "overflow": check.text("overflow", overflow),
        "subnormals": check.text("subnormals", subnormals),
        "scale": check.text("scale", scale),
        "axis": None if axis is None else check.integer("axis", axis, -8, 7),
        "seed": check.seed(seed),
        "x_format": check.optional_text("x_format", x_format),
        "carrier": check.flag("carrier", carrier),
        "threads": check.threads(threads)})
    return parts, report


def dequantize(codes, format, *, scale=None, zero_point=None, tensor_scale=None, axis=None, threads=0):
    """The values that codes stand for, rounded once to float32: dequantize(format=F, **quantize(x, F)[0])."""
    return _guardbit.dequantize(codes, scale, zero_point, tensor_scale, {
        "format": check.text("format", format),
        "axis": None if axis is None else check.integer("axis", axis, -8, 7),
        "threads": check.threads(threads)})


def gemm(a, b, *, a_format=None, b_format=None, transpose_b=False, accelerator=None, set=None, preset=None, events="all",
         seed=0, error=True, reference=False, codes=False, threads=0):
    """C = A B on the described array: (C, report). A is (M, K), B (K, N) or with transpose_b (N, K).

    The report is that of `guardbit gemm`: events, error, exponents, cycles.
    """
    c, report = _guardbit.gemm(a, b, {
        "a_format": check.optional_text("a_format", a_format),
        "b_format": check.optional_text("b_format", b_format),
        "transpose_b": check.flag("transpose_b", transpose_b),
        "accelerator": os.fsencode(check.path("accelerator", accelerator)),
        "set": check.overrides(set),
        "preset": "" if preset is None else check.text("preset", preset),
        "events": check.text("events", events),
        "seed": check.seed(seed),
        "error": check.flag("error", error),
        "reference": check.flag("reference", reference),
        "codes": check.flag("codes", codes),
        "threads": check.threads(threads)})
    return c, report


def _norm(layer_norm, x, gamma, beta, epsilon, input_scale, dynamic_scale, accelerator, set, x_format, codes, threads):
    y, format, events, rows = _guardbit.norm(x, gamma, beta, {
        "layer_norm": layer_norm,
        "epsilon": check.real("epsilon", epsilon),
        "input_scale": check.real("input_scale", input_scale),
        "dynamic_scale": check.flag("dynamic_scale", dynamic_scale),
        "accelerator": os.fsencode(check.path("accelerator", accelerator)),
        "set": check.overrides(set),
        "x_format": check.optional_text("x_format", x_format),
        "codes": check.flag("codes", codes),
        "threads": check.threads(threads)})
    return y, {"format": format, "events": events, "rows": rows}


def layer_norm(x, gamma=None, beta=None, *, epsilon=1e-5, input_scale=1.0, dynamic_scale=False, accelerator=None, set=None,
               x_format=None, codes=False, threads=0):
    """LayerNorm of the last axis as the norm unit computes it: (y, {"format", "events", "rows"})."""
    return _norm(True, x, gamma, beta, epsilon, input_scale, dynamic_scale, accelerator, set, x_format, codes, threads)


def rms_norm(x, gamma=None, *, epsilon=1e-5, input_scale=1.0, dynamic_scale=False, accelerator=None, set=None,
             x_format=None, codes=False, threads=0):
    """RMSNorm of the last axis as the norm unit computes it: (y, {"format", "events", "rows"})."""
    return _norm(False, x, gamma, None, epsilon, input_scale, dynamic_scale, accelerator, set, x_format, codes, threads)


def hadamard(x, *, format="fp16", size=None, stride=1, x_format=None, codes=False, threads=0):
    """Orthonormal Hadamard transform of the last axis as the rotate unit computes it: (y, {"format", "events"})."""
    y, events = _guardbit.hadamard(x, {
        "format": check.text("format", format),
        "size": None if size is None else check.integer("size", size, 1, 2**20),
        "stride": check.integer("stride", stride, 1, 2**20),
        "x_format": check.optional_text("x_format", x_format),
        "codes": check.flag("codes", codes),
        "threads": check.threads(threads)})
    return y, {"format": format, "events": events}


def formats():
    """Number formats: {"name", "summary", "kind": "float", "block" or "pattern", ...}, with the ranges of floats."""
    return _guardbit.listing("formats")


def accumulators():
    """Accumulators of a matrix unit: {"name", "summary", "kind"}; of kind "preset", for gemm(preset=...), "operands" and
    "source" as well."""
    return _guardbit.listing("accumulators")


def units():
    """Hardware units: {"name", "summary"}."""
    return _guardbit.listing("units")


def methods():
    """Calibration methods, the parts of replay's variants: {"name", "summary", "arguments"}."""
    return _guardbit.listing("methods")


def families():
    """Model families: {"name", "summary"}."""
    return _guardbit.listing("families")


def reports():
    """Reports of a replay: {"name", "summary"}."""
    return _guardbit.listing("reports")


def events():
    """What is counted at every op and stage: {"name", "summary"}."""
    return _guardbit.listing("events")


def exit_codes():
    """What the command line's exit status says: {"name", "summary"}."""
    return _guardbit.listing("exit_codes")


def version():
    """What this build is: version, commit, compiler, build type, numerics version, vector instructions."""
    return _guardbit.version()
