#!/usr/bin/env python3
"""Shows that the tests of the arithmetic can fail: breaks one rule at a time in a copy of the sources and expects the
named test to notice. Exit code 1 if a mutation survives or does not apply.

Usage: tests/support/mutation_check.py [--only WORD]     (minutes; needs cmake, ninja and a compiler, ccache if there is)
"""
import argparse
import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
ROUNDING = "models/numerics/rounding.cpp"
ALIGNED = "models/arith/accumulators/aligned.cpp"
FIXED = "models/arith/accumulators/fixed.cpp"
BLOCK = "models/numerics/block_format.cpp"
PRESETS = "models/arith/presets.cpp"
GEMM_PLAN = "models/kernels/float_gemm_plan.cpp"
GEMM_MODES = "models/kernels/float_gemm_modes-inl.h"
NARROW = "models/kernels/float_gemm_narrow.cpp"
PROMISING = "sim/sweep/promising.cpp"
REGRESS = "regress_verb_test --gtest_filter=RegressTest.CommittedGoldensHold"

# (what is broken, file, text, replacement, test program that must fail, with arguments)
MUTATIONS = [
    ("ties go up instead of to even", ROUNDING, "(tail_sticky || is_odd)", "(tail_sticky || true)", "rounding_test"),
    ("sticky bit ignored", ROUNDING, "(tail_sticky || is_odd)", "(is_odd)", "rounding_exhaustive_test"),
    ("tail below the round bit ignored", ROUNDING, "round_bit || tail_sticky;", "round_bit;", "rounding_test"),
    ("stochastic compares with > instead of >=", ROUNDING, "(random & mask) > mask", "(random & mask) > mask + 1",
     "rounding_test"),
    ("overflow limit one code late", ROUNDING, "magnitude_code > format.max_finite_code()",
     "magnitude_code > format.max_finite_code() + 1", "rounding_exhaustive_test"),
    ("rtz overflows to infinity", ROUNDING, "case RoundingMode::kTowardZero:\n    case RoundingMode::kToOdd: return true;",
     "case RoundingMode::kTowardZero:\n    case RoundingMode::kToOdd: return false;", "rounding_exhaustive_test"),
    ("subnormal quantum half as large", ROUNDING, "format.trailing_bits, format.quantum_exponent())",
     "format.trailing_bits, format.quantum_exponent() - 1)", "rounding_exhaustive_test"),
    ("tininess always before rounding", ROUNDING, "return kept >> format.precision_bits() == 0;", "return true;",
     "rounding_test"),
    ("saturation delivered where the policy is infinity", ROUNDING, "spec.overflow == OverflowPolicy::kSaturate ||",
     "spec.overflow == OverflowPolicy::kInfinity ||", "rounding_exhaustive_test"),
    ("0 * inf is zero", "models/arith/float_ops.cpp", "? invalid_operation(invalid) : infinity(negative)",
     "? zero(negative) : infinity(negative)", "float_ops_exhaustive_test"),
    ("exact zero sums are -0", "models/arith/float_ops.cpp", "return zero(rounding == numerics::RoundingMode::kTowardNegative);",
     "return zero(true);", "float_ops_exhaustive_test"),
    ("subnormal operands normalised in alignment", ALIGNED, "std::max(emin, value", "std::max(-1000, value", "presets_test"),
    ("alignment losses are no inexact", ALIGNED, "if (inexact) raised.add(Event::kInexact);", "",
     "accumulator_rational_test"),
    ("cancelling products count as swamped", ALIGNED, " && !cancels(products)", "", "accumulator_rational_test"),
    ("fixed point one bit too wide", FIXED, "if (!sum.fits(bits))", "if (!sum.fits(bits + 1))",
     "accumulator_rational_test"),
    ("hopper_fp8 with F = 14", PRESETS, "32, 13, kTruncatedE8M13)},", "32, 14, kTruncatedE8M13)},", "presets_test"),
    ("volta_fp16 with F = 24", PRESETS, "tensor_core(kFp16, 4, 23, kTr", "tensor_core(kFp16, 4, 24, kTr", "presets_test"),
    ("ampere_fp16 with 16 terms", PRESETS, "tensor_core(kFp16, 8, 24", "tensor_core(kFp16, 16, 24", "presets_test"),
    ("MX shared exponent without emax", BLOCK, " - format.element_max_exponent()", "", "block_format_test"),
    ("MXINT8 uses -128", BLOCK, "if (code < -kInt8Max)", "if (code < -kInt8Max - 1)", "block_format_test"),
    ("infinities move the scale", BLOCK, "std::isfinite(value)", "!std::isnan(value)", "block_format_test"),
    ("lanes: rup overflows to infinity on both sides", GEMM_PLAN,
     "const Direction direction = direction_of(spec.rounding, negative);\n  const bool stays_finite",
     "const Direction direction = direction_of(spec.rounding, false);\n  const bool stays_finite", "float_gemm_modes_test"),
    ("lanes: rup has one limit of tininess", GEMM_PLAN, "std::nextafter(min_normal - ulp, min_normal)",
     "min_normal - ulp / 2", "float_gemm_modes_test"),
    ("lanes: rna ties to even", GEMM_MODES, "hn::Sub(magnitude, nearest), half)", "hn::Sub(magnitude, nearest), magic)",
     "float_gemm_modes_test"),
    ("lanes: exact zero sums are +0 under rdn", GEMM_MODES, "kMode == numerics::RoundingMode::kTowardNegative;\n  const DoubleTag",
     "false;\n  const DoubleTag", "float_gemm_modes_test"),
    ("lanes: stochastic compares with > instead of >=", GEMM_MODES, "hn::Ge(hn::Sub(magnitude, truncated)",
     "hn::Gt(hn::Sub(magnitude, truncated)", "float_gemm_modes_test"),
    ("lanes: the narrow kernel rounds up in magnitude", "models/kernels/float_gemm_drop-inl.h",
     "kMode == Mode::kUp ? hn::AndNot(negative, ones)", "kMode == Mode::kUp ? ones", "float_gemm_test"),
    ("lanes: merges take the promotion's random step", "models/kernels/float_gemm_tile.cpp",
     "kFirstMergeStep + static_cast<std::uint32_t>(begin + i)", "static_cast<std::uint32_t>(chunk)",
     "float_gemm_modes_test"),
    ("lanes: zero products count as swamped", NARROW,
     "if constexpr (V::kCountsUnchanged) counts.swamped -= zero_products(range, length);", "", "float_gemm_narrow_test"),
    ("lanes: clamped steps are not counted", "models/kernels/float_gemm_narrow-inl.h",
     "n.overflow = counted(n.overflow, hn::Ne(clamped, r));", "", "float_gemm_narrow_test"),
    ("lanes: every first-level sum of a tree is rounded twice", "models/kernels/float_gemm_tree.cpp",
     "return product_bits <= plan.spec", "return product_bits <= 22 + plan.spec", "float_gemm_tree_test"),
    ("lanes: cancelling products swamp an aligned accumulator", "models/kernels/float_gemm_aligned_steps.cpp",
     "candidates[i] != 0 && differs[i] != 0", "candidates[i] != 0", "float_gemm_aligned_test"),
    ("lanes: fixed-point sums may reach twice the range", "models/kernels/float_gemm_fixed.cpp",
     "bound < std::min(constants_.range_limit, kMaxSum)", "bound < std::min(2 * constants_.range_limit, kMaxSum)",
     "float_gemm_fixed_test"),
    ("regress: ties go away from zero in the units", "models/kernels/scalar_rounder.cpp",
     "kTiesToEven: return (all_ones >> 1) + is_odd;", "kTiesToEven: return (all_ones >> 1) + 1;", REGRESS),
    ("regress: clamped steps are not counted", "models/kernels/float_gemm_narrow-inl.h",
     "n.overflow = counted(n.overflow, hn::Ne(clamped, r));", "", REGRESS),
    ("regress: hopper_fp8 with F = 14", PRESETS, "32, 13, kTruncatedE8M13)},", "32, 14, kTruncatedE8M13)},", REGRESS),
    ("sweep: a point's key leaves the seed out", "sim/sweep/design_space.cpp", "append_object(json, settings_text_);",
     "auto kept = settings_text_;\n  kept.erase(\"replay.seed\");\n  append_object(json, kept);", "sweep_plan_test"),
    ("sweep: the checksum of a stored point is not compared", "sim/sweep/point_file.cpp",
     "if (render(key, file.point, file.result, file.provenance, file.result_sha256) != text) {",
     "if (render(key, file.point, file.result, file.provenance, file.result_sha256).empty()) {", "sweep_store_test"),
    ("sweep: a second result of equal length is taken for the same", "sim/sweep/store.cpp",
     "if (second.result == first.result) return", "if (second.result.size() == first.result.size()) return",
     "sweep_store_test"),
    ("sweep: counts of a result begin one number late", "sim/sweep/stored_result.h", "subspan(counts.begin,",
     "subspan(counts.begin + 1,", "sweep_store_test"),
    ("sweep search: the largest margins go on", PROMISING, "if (standings[index] <= last)", "if (standings[index] >= last)",
     "search_decision_test"),
    ("sweep search: higher costs do not matter", PROMISING, "if (!costs_no_more(other, candidate)) continue;", "",
     "search_decision_test"),
    ("sweep search: errors of other tokens are subtracted", PROMISING, "if (!same_tokens || a",
     "(void)same_tokens;\n  if (a", "search_decision_test"),
    ("sweep search: what was replayed counts as open", PROMISING, " * std::sqrt(1 - promise.replayed)", "",
     "search_decision_test"),
    ("sweep search: losses are not relative to the reference", "sim/sweep/token_errors.cpp",
     "loss(logits) - loss(reference)", "loss(logits)", "search_decision_test"),
]


def run(command, log):
    return subprocess.run(command, stdout=log, stderr=subprocess.STDOUT, check=False).returncode


def check(mutation, source, build, log):
    """One of: killed, SURVIVED, and reasons why it could not be tried."""
    _, name, text, replacement, test = mutation
    path = source / name
    original = path.read_text()
    if original.count(text) != 1:
        return f"NOT APPLICABLE ({original.count(text)} matches)"
    path.write_text(original.replace(text, replacement))
    try:
        program, *arguments = test.split()
        if run(["ninja", "-C", str(build), program], log) != 0:
            return "DOES NOT COMPILE"
        return "killed" if run([str(build / "tests" / program), *arguments], log) != 0 else "SURVIVED"
    finally:
        path.write_text(original)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", default="", help="mutations whose description or test contains this word")
    word = parser.parse_args().only
    chosen = [m for m in MUTATIONS if word in m[0] or word in m[4]]
    with tempfile.TemporaryDirectory(prefix="guardbit-mutation-") as scratch:
        source, build = pathlib.Path(scratch) / "source", pathlib.Path(scratch) / "build"
        shutil.copytree(ROOT, source, ignore=shutil.ignore_patterns(".git", "build", "build-*"))
        launcher = ["-DCMAKE_CXX_COMPILER_LAUNCHER=ccache"] if shutil.which("ccache") else []
        with open(pathlib.Path(scratch) / "log", "w", encoding="utf-8") as log:
            configure = ["cmake", "-S", str(source), "-B", str(build), "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release"]
            if run(configure + launcher, log) != 0 or not chosen:
                sys.exit("cannot configure the copy, or nothing to do")
            failures = 0
            for mutation in chosen:
                verdict = check(mutation, source, build, log)
                failures += verdict != "killed"
                print(f"{verdict:<10} {mutation[4]:<28} {mutation[0]}", flush=True)
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
