#!/usr/bin/python3
"""Markdown tables of rates and ratios from a Google Benchmark JSON file.

    export OPENBLAS_CORETYPE=SkylakeX OPENBLAS_NUM_THREADS=1
    build/release/guardbit_bench --benchmark_repetitions=3 --benchmark_out=bench.json --benchmark_out_format=json
    tests/bench/ratios.py bench.json          the required speeds
    tests/bench/ratios.py bench.json --all    every benchmark

Rates are compared with Sgemm/512 of the same run; with repetitions, medians are. Counters are compared with the same
benchmark without them, two threads with one by the clock.
"""
import json
import statistics
import sys

SHAPE = "512x512x512"
# case, benchmarks (accumulator/inputs), required and desired ratio to Sgemm/512
GEMM_ROWS = [
    ("fp16 from fp8 or int4", ["fp16/fp8_e4m3", "fp16/fp8_e5m2", "fp16/int4"], 0.30, 0.40),
    ("fp16 from fp16 or bf16", ["fp16/fp16", "fp16/bf16"], 0.16, 0.20),
    ("bf16 from fp8", ["bf16/fp8_e4m3"], 0.27, 0.33),
    ("bf16 from bf16", ["bf16/bf16"], 0.15, 0.19),
    ("e4m3 or generic, saturating",
     ["fp8_e4m3_saturate/fp8_e4m3", "e4m3_ieee_saturate/fp8_e4m3", "e4m6_saturate/fp8_e4m3"], 0.22, 0.29),
    ("e5m2 or generic with round-to-odd", ["fp8_e5m2_saturate/fp8_e5m2", "e5m6_saturate/fp8_e4m3"], 0.13, 0.18),
    ("rtz", ["fp16_rtz/fp16"], 0.45, 0.70),
    ("stochastic", ["fp16_stochastic8/fp16"], 0.30, 0.40),
    ("chunked 32..128 into fp32",
     ["fp16_chunk32_fp32/fp8_e4m3", "fp16_chunk128_fp32/fp8_e4m3", "fp16_chunk128_fp32/fp16"], 0.27, 0.38),
    ("tree W = 4..32",
     [f"fp16_tree{width}/{inputs}" for inputs in ("fp8_e4m3", "fp16") for width in (4, 8, 32)], 0.18, 0.30),
    ("aligned W = 8..32", ["aligned8_f24/fp16", "aligned16_f24/fp16", "aligned32_f13/fp8_e4m3"], 0.15, 0.25),
    ("fixed point (Kulisch), fp8", ["kulisch_q36.18/fp8_e4m3", "kulisch_q44.32/fp8_e5m2"], 0.35, 0.45),
    ("fixed point (Kulisch), fp16", ["kulisch_q44.48/fp16"], 0.12, 0.18),
    ("int4 -> int32, group-128 dequantized", ["int32_g128_fp32/int4"], 1.5, 3.0),
    ("int16 saturating, exact", ["int16_saturate/int8"], 1.0, 1.4),
]
# case, benchmark, required and desired GB/s
RATE_ROWS = [("Hadamard fp32", "Hadamard/fp32/128x512", 20, 30), ("Hadamard fp16", "Hadamard/fp16/128x512", 8, 11)]
# case, suffix of the counted benchmark, accumulator/inputs, required part of the uncounted rate
COUNTER_ROWS = [
    ("overflow + saturated + invalid where they cannot occur", "/overflow", "bf16/fp8_e4m3", 0.95),
    ("swamped", "/swamped", "bf16/fp8_e4m3", 0.55),
    ("swamped", "/swamped", "fp8_e4m3_saturate/fp8_e4m3", 0.55),
    ("swamped", "/swamped", "fp16/fp16", 0.55),
]
ALL_COUNTERS_REQUIRED = 0.06  # of Sgemm/512
TWO_THREADS_REQUIRED = 1.8


def median_rates(path):
    """Benchmark name -> median GMAC/s or GB/s over its repetitions."""
    with open(path, encoding="utf-8") as file:
        report = json.load(file)
    rates = {}
    for row in report["benchmarks"]:
        rate = row.get("GMAC/s", row.get("GB/s"))
        if row.get("run_type") == "aggregate" or rate is None:
            continue
        rates.setdefault(row.get("run_name", row["name"]).removesuffix("/real_time"), []).append(rate)
    return {name: statistics.median(values) for name, values in rates.items()}


def print_row(case, name, value, required, desired):
    if value is None:
        print(f"| {case} | {name} | not measured | {required} | {desired} | - |")
        return
    verdict = "aim" if desired != "-" and value >= desired else "must" if value >= required else "below"
    print(f"| {case} | {name} | {value:.3g} | {required} | {desired} | {verdict} |")


def quotient(rates, name, base):
    return rates[name] / rates[base] if name in rates and base in rates else None


def print_required(rates):
    print(f"Sgemm/512: {rates['Sgemm/512']:.4g} GMAC/s\n")
    print("| case | benchmark | measured | must | aim | reached |\n|---|---|---|---|---|---|")
    for case, names, required, desired in GEMM_ROWS:
        for name in names:
            print_row(case, name, quotient(rates, f"Gemm/{name}/{SHAPE}", "Sgemm/512"), required, desired)
    for case, name, required, desired in RATE_ROWS:
        print_row(case, name, rates.get(name), required, desired)
    for case, suffix, name, required in COUNTER_ROWS:
        base = f"Gemm/{name}/{SHAPE}"
        print_row(case, name, quotient(rates, base + suffix, base), required, "-")
    for name in sorted({name for _, names, _, _ in GEMM_ROWS for name in names}):
        value = quotient(rates, f"Gemm/{name}/{SHAPE}/all", "Sgemm/512")
        print_row("all counters", name, value, ALL_COUNTERS_REQUIRED, "-")
    for base in sorted(name for name in rates if name.endswith("/wall/1thread")):
        value = quotient(rates, base.replace("1thread", "2threads"), base)
        print_row("two threads", "/".join(base.split("/")[1:3]), value, TWO_THREADS_REQUIRED, "-")


def print_all(rates):
    references = {}  # accumulator/inputs -> rate
    for name, rate in rates.items():
        parts = name.split("/")
        if parts[0] == "Reference":
            references["/".join(parts[1:3])] = rate
    print("| benchmark | GMAC/s or GB/s | x Sgemm/512 | x scalar reference |\n|---|---|---|---|")
    for name, rate in rates.items():
        reference = references.get("/".join(name.split("/")[1:3]))
        times = f"{rate / reference:.0f}" if reference else "-"
        share = "-" if name.startswith("Hadamard") else f"{rate / rates['Sgemm/512']:.3f}"
        print(f"| {name} | {rate:.4g} | {share} | {times} |")


def main():
    arguments = sys.argv[1:]
    print_table = print_all if "--all" in arguments else print_required
    files = [argument for argument in arguments if argument != "--all"]
    if len(files) != 1:
        sys.exit(f"usage: {sys.argv[0]} [--all] <benchmark_out.json>")
    rates = median_rates(files[0])
    if "Sgemm/512" not in rates:
        sys.exit("the run has no Sgemm/512")
    print_table(rates)


if __name__ == "__main__":
    main()
