#!/usr/bin/python3
"""The table of speeds of docs/speed.md, from a Google Benchmark JSON file.

    export OPENBLAS_CORETYPE=SkylakeX OPENBLAS_NUM_THREADS=1
    build/release/guardbit_bench --benchmark_filter="$(tests/bench/ratios.py --filter)" \\
      --benchmark_out=bench.json --benchmark_out_format=json
    tests/bench/ratios.py bench.json                        the machine and the table, as docs/speed.md carries them
    tests/bench/ratios.py bench.json --into docs/speed.md   put there, between the two marks
    tests/bench/ratios.py bench.json --all                  every benchmark of the file
    tests/bench/ratios.py --filter                          the benchmarks that the table needs

Rates are compared with Sgemm/512 of the same run; with repetitions, medians are. Counters are compared with the same
benchmark without them, two threads with one by the clock. Rows below what they must reach are named on stderr.
"""
import dataclasses
import json
import re
import statistics
import sys
import textwrap

SGEMM = "Sgemm/512"
SHAPE = "512x512x512"
SCALAR_REFERENCE = "Reference/fp16/fp8_e4m3/16x16x512"
BEGIN = "<!-- speed: written by tests/bench/ratios.py -->"
END = "<!-- end of speed -->"
LINE_WIDTH = 128

# case, benchmarks (accumulator/inputs), required and desired ratio to Sgemm/512
GEMM_ROWS = [
    ("fp16 from fp8 or int4", ["fp16/fp8_e4m3", "fp16/fp8_e5m2", "fp16/int4"], 0.30, 0.40),
    ("fp16 from fp16 or bf16", ["fp16/fp16", "fp16/bf16", "fp16_chunk128_fp32/fp16"], 0.16, 0.20),
    ("bf16 from fp8", ["bf16/fp8_e4m3"], 0.27, 0.33),
    ("bf16 from bf16", ["bf16/bf16"], 0.15, 0.19),
    ("e4m3 or generic, saturating",
     ["fp8_e4m3_saturate/fp8_e4m3", "e4m3_ieee_saturate/fp8_e4m3", "e4m6_saturate/fp8_e4m3"], 0.22, 0.29),
    ("e5m2 or generic with round-to-odd", ["fp8_e5m2_saturate/fp8_e5m2", "e5m6_saturate/fp8_e4m3"], 0.13, 0.18),
    ("rtz", ["fp16_rtz/fp16"], 0.45, 0.70),
    ("stochastic", ["fp16_stochastic8/fp16"], 0.30, 0.40),
    ("chunked 32..128 into fp32", ["fp16_chunk32_fp32/fp8_e4m3", "fp16_chunk128_fp32/fp8_e4m3"], 0.27, 0.38),
    ("tree W = 4..32",
     [f"fp16_tree{width}/{inputs}" for inputs in ("fp8_e4m3", "fp16") for width in (4, 8, 32)], 0.18, 0.30),
    ("aligned W = 8..32", ["aligned8_f24/fp16", "aligned16_f24/fp16", "aligned32_f13/fp8_e4m3"], 0.15, 0.25),
    ("fixed point (Kulisch), fp8", ["kulisch_q36.18/fp8_e4m3", "kulisch_q44.32/fp8_e5m2"], 0.35, 0.45),
    ("fixed point (Kulisch), fp16", ["kulisch_q44.48/fp16"], 0.12, 0.18),
    ("int4 -> int32, group-128 dequantized", ["int32_g128_fp32/int4"], 1.5, 3.0),
    ("int16 saturating, exact", ["int16_saturate/int8"], 1.0, 1.4),
]
# case, benchmark, required and desired GB/s
RATE_ROWS = [("Hadamard fp32, GB/s", "Hadamard/fp32/128x512", 20, 30),
             ("Hadamard fp16, GB/s", "Hadamard/fp16/128x512", 8, 11)]
# case, suffix of the counted benchmark, accumulator/inputs, required part of the uncounted rate
COUNTER_ROWS = [
    ("overflow, saturated, invalid where they cannot occur, to none", "/overflow", "bf16/fp8_e4m3", 0.95),
    ("swamped, to none", "/swamped", "bf16/fp8_e4m3", 0.55),
    ("swamped, to none", "/swamped", "fp8_e4m3_saturate/fp8_e4m3", 0.55),
    ("swamped, to none", "/swamped", "fp16/fp16", 0.55),
]
ALL_COUNTERS_REQUIRED = 0.06  # of Sgemm/512
TWO_THREADS = ["fp16/fp8_e4m3", "fp16/fp16"]
TWO_THREADS_REQUIRED = 1.8


@dataclasses.dataclass
class Row:
    case: str
    benchmark: str  # as the table shows it
    must: float
    aim: object     # a number or "-"
    names: list     # of the benchmarks that are measured; then the least counts
    base: str       # what they are divided by; "" for nothing

    def base_of(self, name):
        return name.rsplit("/", 1)[0] if self.base == "uncounted" else self.base

    def number(self, value):
        """A required or desired value as the table shows it."""
        return value if value == "-" else f"{value:.2f}" if self.base else str(value)


def rows():
    """Every row of the table, whether measured or not."""
    gemms = [name for _, names, _, _ in GEMM_ROWS for name in names]
    table = [Row(case, name, must, aim, [f"Gemm/{name}/{SHAPE}"], SGEMM)
             for case, names, must, aim in GEMM_ROWS for name in names]
    table += [Row(case, name, must, aim, [name], "") for case, name, must, aim in RATE_ROWS]
    table += [Row(case, name, must, "-", [f"Gemm/{name}/{SHAPE}{suffix}"], "uncounted")
              for case, suffix, name, must in COUNTER_ROWS]
    table.append(Row("all counters", "the slowest of all GEMMs above", ALL_COUNTERS_REQUIRED, "-",
                     [f"Gemm/{name}/{SHAPE}/all" for name in gemms], SGEMM))
    table += [Row("two threads to one, by the clock", name, TWO_THREADS_REQUIRED, "-",
                  [f"Gemm/{name}/{SHAPE}/wall/2threads"], f"Gemm/{name}/{SHAPE}/wall/1thread")
              for name in TWO_THREADS]
    return table


def benchmark_filter():
    """Google Benchmark's regular expression for what rows() and the machine line need."""
    names = {SGEMM, SCALAR_REFERENCE}
    for row in rows():
        for name in row.names:
            names.update({name, row.base_of(name) or name})  # Hadamard rates have no base
    return "^(" + "|".join(sorted(re.escape(name).replace("\\-", "-") for name in names)) + ")(/real_time)?$"


def median_rates(report):
    """Benchmark name -> median GMAC/s or GB/s over its repetitions."""
    rates = {}
    for row in report["benchmarks"]:
        rate = row.get("GMAC/s", row.get("GB/s"))
        if row.get("run_type") == "aggregate" or rate is None:
            continue
        rates.setdefault(row.get("run_name", row["name"]).removesuffix("/real_time"), []).append(rate)
    return {name: statistics.median(values) for name, values in rates.items()}


def measure(row, rates):
    """The row's value with the benchmark it is of, or nothing if one of them is missing."""
    values = []
    for name in row.names:
        base = row.base_of(name)
        if name not in rates or (base and base not in rates):
            return None
        values.append((rates[name] / rates[base] if base else rates[name], name))
    return min(values)


def machine_line(report, rates):
    context = report["context"]
    core = next((row["label"] for row in report["benchmarks"] if row["name"].startswith(SGEMM) and "label" in row), "?")
    text = (f"One thread of {context.get('cpu', 'an unnamed processor')} ({context['num_cpus']} processors, kernels for "
            f"{context.get('vector_target', '?')}), thread CPU time. OpenBLAS sgemm 512 x 512 x 512 (its kernel for {core}) "
            f"reaches {rates[SGEMM]:.3g} GMAC/s")
    if SCALAR_REFERENCE in rates:
        text += f", the scalar reference {rates[SCALAR_REFERENCE]:.2g} GMAC/s"
    return text + " in the same run."


def table_text(report, rates):
    lines = textwrap.wrap(machine_line(report, rates), LINE_WIDTH) + ["", "| case | benchmark | measured | must | aim |", "| --- | --- | --- | --- | --- |"]
    for row in rows():
        measured = measure(row, rates)
        text = "not measured"
        if measured is not None:
            text = f"{measured[0]:.3g}" + (f" (`{'/'.join(measured[1].split('/')[1:3])}`)" if len(row.names) > 1 else "")
        benchmark = f"`{row.benchmark}`" if "/" in row.benchmark else row.benchmark
        lines.append(f"| {row.case} | {benchmark} | {text} | {row.number(row.must)} | {row.number(row.aim)} |")
    return "\n".join(lines) + "\n"


def below_must(rates):
    """One line for each row that was measured and does not reach what it must."""
    lines = []
    for row in rows():
        measured = measure(row, rates)
        if measured is not None and measured[0] < row.must:
            lines.append(f"below {row.must}: {row.case}: {measured[1]}: {measured[0]:.3g}")
    return lines


def write_into(path, text):
    """Replaces what stands between the marks of a file."""
    with open(path, encoding="utf-8") as file:
        content = file.read()
    before, begin, rest = content.partition(BEGIN + "\n")
    _, end, after = rest.partition(END)
    if not begin or not end:
        sys.exit(f"{path}: has no place for the table; expected the lines {BEGIN} and {END}")
    with open(path, "w", encoding="utf-8") as file:
        file.write(before + begin + text + end + after)


def all_text(rates):
    references = {}  # accumulator/inputs -> rate
    for name, rate in rates.items():
        parts = name.split("/")
        if parts[0] == "Reference":
            references["/".join(parts[1:3])] = rate
    lines = [f"| benchmark | GMAC/s or GB/s | x {SGEMM} | x scalar reference |", "| --- | --- | --- | --- |"]
    for name, rate in rates.items():
        reference = references.get("/".join(name.split("/")[1:3]))
        times = f"{rate / reference:.0f}" if reference else "-"
        share = "-" if name.startswith("Hadamard") else f"{rate / rates[SGEMM]:.3f}"
        lines.append(f"| {name} | {rate:.4g} | {share} | {times} |")
    return "\n".join(lines) + "\n"


def main(arguments):
    if arguments == ["--filter"]:
        return print(benchmark_filter())
    into = len(arguments) == 3 and arguments[1] == "--into"
    if not into and not (len(arguments) == 1 or len(arguments) == 2 and arguments[1] == "--all"):
        sys.exit(__doc__)
    with open(arguments[0], encoding="utf-8") as file:
        report = json.load(file)
    rates = median_rates(report)
    if SGEMM not in rates:
        sys.exit(f"{arguments[0]}: the run has no {SGEMM}")
    print(*below_must(rates), sep="\n", file=sys.stderr)
    if into:
        return write_into(arguments[2], table_text(report, rates))
    return print(all_text(rates) if len(arguments) == 2 else table_text(report, rates), end="")


if __name__ == "__main__":
    main(sys.argv[1:])
