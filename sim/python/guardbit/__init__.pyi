from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any

from numpy import ndarray

__all__: list[str]
__version__: str

_Path = str | PathLike[str]
_Keys = Mapping[str, str | bool | int | float]
_Report = dict[str, Any]

def accumulators() -> list[dict[str, str]]: ...
def dequantize(codes: ndarray, format: str, *, scale: ndarray | None = None, zero_point: ndarray | None = None,
               tensor_scale: ndarray | None = None, axis: int | None = None, threads: int = 0) -> ndarray: ...
def formats() -> list[dict[str, Any]]: ...
def gemm(a: ndarray, b: ndarray, *, a_format: str | None = None, b_format: str | None = None, transpose_b: bool = False,
         accelerator: _Path | None = None, set: _Keys | None = None, preset: str | None = None, events: str = "all",
         seed: int = 0, error: bool = True, reference: bool = False, codes: bool = False,
         threads: int = 0) -> tuple[ndarray, _Report]: ...
def hadamard(x: ndarray, *, format: str = "fp16", size: int | None = None, stride: int = 1, x_format: str | None = None,
             codes: bool = False, threads: int = 0) -> tuple[ndarray, _Report]: ...
def layer_norm(x: ndarray, gamma: ndarray | None = None, beta: ndarray | None = None, *, epsilon: float = 1e-5,
               input_scale: float = 1.0, dynamic_scale: bool = False, accelerator: _Path | None = None,
               set: _Keys | None = None, x_format: str | None = None, codes: bool = False,
               threads: int = 0) -> tuple[ndarray, _Report]: ...
def methods() -> list[dict[str, str]]: ...
def presets() -> list[dict[str, str]]: ...
def quantize(x: ndarray, format: str, *, rounding: str = "rne", overflow: str = "saturate", subnormals: str = "keep",
             scale: str = "none", axis: int | None = None, seed: int = 0, x_format: str | None = None,
             carrier: bool = False, threads: int = 0) -> tuple[dict[str, ndarray], _Report]: ...
def replay(trace: _Path, accelerator: _Path, *, variants: str | Sequence[str] | None = None, set: _Keys | None = None,
           open_loop: bool = False, values: bool = True, residual_gain: float | None = None, channel_gain: float | None = None,
           channels: int | None = None, windows: int | None = None, tokens: int | None = None, decode: int | None = None,
           seed: int | None = None, stall_seed: int | None = None, fidelity: str | None = None,
           slanc_target: float | None = None, calibration: _Path | None = None, smooth_qkv: bool = False,
           threads: int | None = None, output: _Path | None = None, timeline: _Path | None = None) -> _Report: ...
def rms_norm(x: ndarray, gamma: ndarray | None = None, *, epsilon: float = 1e-5, input_scale: float = 1.0,
             dynamic_scale: bool = False, accelerator: _Path | None = None, set: _Keys | None = None,
             x_format: str | None = None, codes: bool = False, threads: int = 0) -> tuple[ndarray, _Report]: ...
def version() -> dict[str, str]: ...
