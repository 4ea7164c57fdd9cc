#!/usr/bin/env python3
"""GPTQ as the paper writes it (arXiv 2210.17323, algorithm 1): inverse, Cholesky factor of the inverse, every column's error
spread over all columns to its right. A second implementation for tests/unit/gptq_rounding_test.cpp.

Usage: gptq_reference.py DIRECTORY BITS GROUP ACT_ORDER(0|1) DAMP
Reads weights.npy (N, K) and moment.npy (K, K) there, writes codes.npy (int8) and scales.npy (float32).
"""
import sys
from pathlib import Path

import numpy as np


def scales_of(columns, bits):
    largest = np.abs(columns).max(axis=1)
    return np.where(largest == 0, 1, largest / (2 ** (bits - 1) - 1)).astype(np.float32)


def gptq(weights, moment, bits, group, act_order, damp):
    num_rows, num_cols = weights.shape
    width = group or num_cols
    moment = moment + damp * np.mean(np.diag(moment)) * np.eye(num_cols)
    order = np.argsort(-np.diag(moment), kind="stable") if act_order else np.arange(num_cols)
    scales = np.stack([scales_of(weights[:, g : g + width], bits) for g in range(0, num_cols, width)], axis=1)
    w = weights[:, order].copy()
    factor = np.linalg.cholesky(np.linalg.inv(moment[np.ix_(order, order)])).T  # upper
    codes = np.zeros(weights.shape, dtype=np.int8)
    for k in range(num_cols):
        column = order[k]
        if group and not act_order and k % group == 0:
            scales[:, k // group] = scales_of(w[:, k : k + group], bits)
        scale = scales[:, column // width].astype(np.float64)
        code = np.clip(np.rint(w[:, k] / scale), -(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
        codes[:, column] = code
        error = (w[:, k] - code * scale) / factor[k, k]
        w[:, k:] -= np.outer(error, factor[k, k:])
    return codes, scales


def main():
    directory = Path(sys.argv[1])
    codes, scales = gptq(np.load(directory / "weights.npy"), np.load(directory / "moment.npy"), int(sys.argv[2]),
                         int(sys.argv[3]), sys.argv[4] == "1", float(sys.argv[5]))
    np.save(directory / "codes.npy", codes)
    np.save(directory / "scales.npy", scales)


if __name__ == "__main__":
    main()
