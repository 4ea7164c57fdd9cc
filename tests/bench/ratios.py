#!/usr/bin/python3
"""Markdown table of rates and ratios from a Google Benchmark JSON file.

    build/release/guardbit_bench --benchmark_repetitions=3 --benchmark_out=bench.json --benchmark_out_format=json
    tests/bench/ratios.py bench.json

Every Gemm/... row is compared with Sgemm/512 and with its own Reference/<accumulator>/<inputs> row of the same run.
With repetitions, the medians are used.
"""
import json
import statistics
import sys


def median_rates(path):
    """Benchmark name -> median GMAC/s over its repetitions."""
    with open(path, encoding="utf-8") as file:
        report = json.load(file)
    rates = {}
    for row in report["benchmarks"]:
        if row.get("run_type") == "aggregate" or "GMAC/s" not in row:
            continue
        rates.setdefault(row.get("run_name", row["name"]), []).append(row["GMAC/s"])
    return {name: statistics.median(values) for name, values in rates.items()}


def ratio(rate, base, digits):
    return f"{rate / base:.{digits}f}" if base else "-"


def main():
    if len(sys.argv) != 2:
        sys.exit(f"usage: {sys.argv[0]} <benchmark_out.json>")
    rates = median_rates(sys.argv[1])
    sgemm = rates.get("Sgemm/512")
    references = {}  # accumulator/inputs -> rate
    for name, rate in rates.items():
        parts = name.split("/")
        if parts[0] == "Reference":
            references["/".join(parts[1:3])] = rate
    print("| benchmark | GMAC/s | x Sgemm/512 | x scalar reference |")
    print("|---|---|---|---|")
    for name, rate in rates.items():
        reference = references.get("/".join(name.split("/")[1:3]))
        print(f"| {name} | {rate:.4g} | {ratio(rate, sgemm, 3)} | {ratio(rate, reference, 0)} |")


if __name__ == "__main__":
    main()
