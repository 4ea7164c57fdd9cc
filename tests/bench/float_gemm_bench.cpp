/// Speed of the float GEMM kernels in multiply-accumulates per second, beside OpenBLAS sgemm and the scalar reference
/// in the same process. Names: Gemm/<accumulator>/<inputs>/<M>x<N>x<K>[/<counters>], one thread, CPU time; /wall/...:
/// by the clock. Run with OPENBLAS_CORETYPE=SkylakeX OPENBLAS_NUM_THREADS=1 (OpenBLAS 0.3.21 does not know newer
/// AVX-512 cores); tests/bench/ratios.py makes the table of docs/speed.md from --benchmark_out.
#include <benchmark/benchmark.h>
#include <cblas.h>

#include <functional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "models/arith/accumulator.h"
#include "models/kernels/gemm.h"
#include "models/numerics/codec.h"

namespace guardbit::kernels {
namespace {

using arith::AccumulationSpec;
using numerics::Event;
using numerics::EventSet;
using numerics::FloatFormat;
using numerics::FloatSpec;
using numerics::Matrix;
using numerics::OverflowPolicy;
using numerics::RoundingMode;

struct Shape {
  std::size_t m, n, k;
};

struct Counters {
  const char* suffix;  ///< of the benchmark's name
  EventSet wanted;
};

struct BenchCase {
  const char* accumulator;
  AccumulationSpec spec;
  const char* inputs;
  FloatFormat a, b;
  bool int4 = false;  ///< operands are the integers -8 .. 7, equally likely, instead of normal values
};

/// Standard normal values rounded to the format; the seed is fixed.
Matrix<float> normal_matrix(std::size_t rows, std::size_t cols, const FloatFormat& format) {
  std::mt19937 generator(1);
  std::normal_distribution<double> normal;
  numerics::EventSet ignored;
  Matrix<float> matrix(rows, cols);
  for (float& value : matrix.data()) value = numerics::round_carrier(normal(generator), {.format = format}, ignored);
  return matrix;
}

Matrix<float> int4_matrix(std::size_t rows, std::size_t cols) {
  std::mt19937 generator(1);
  Matrix<float> matrix(rows, cols);
  for (float& value : matrix.data()) value = static_cast<float>(generator() % 16) - 8;
  return matrix;
}

Matrix<float> operand_matrix(std::size_t rows, std::size_t cols, const FloatFormat& format, const BenchCase& c) {
  return c.int4 ? int4_matrix(rows, cols) : normal_matrix(rows, cols, format);
}

void report_rate(benchmark::State& state, const Shape& shape) {
  const double macs = static_cast<double>(shape.m * shape.n * shape.k) * static_cast<double>(state.iterations());
  state.counters["GMAC/s"] = benchmark::Counter(macs * 1e-9, benchmark::Counter::kIsRate);
}

void run_sgemm(benchmark::State& state, Shape shape) {
  openblas_set_num_threads(1);  // the kernels run on one thread, and thread CPU time would hide a second one
  const Matrix<float> a = normal_matrix(shape.m, shape.k, numerics::kFp32);
  const Matrix<float> b = normal_matrix(shape.k, shape.n, numerics::kFp32);
  Matrix<float> c(shape.m, shape.n);
  const auto m = static_cast<blasint>(shape.m), n = static_cast<blasint>(shape.n), k = static_cast<blasint>(shape.k);
  for ([[maybe_unused]] auto iteration : state) {
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, m, n, k, 1.0F, a.row(0), k, b.row(0), n, 0.0F, c.row(0), n);
    benchmark::ClobberMemory();
  }
  report_rate(state, shape);
  state.SetLabel(openblas_get_corename());
}

/// Two threads that take indices alternately.
void two_threads(std::size_t count, const std::function<void(std::size_t)>& body) {
  std::thread other([&] {
    for (std::size_t i = 1; i < count; i += 2) body(i);
  });
  for (std::size_t i = 0; i < count; i += 2) body(i);
  other.join();
}

void run_gemm(benchmark::State& state, BenchCase c, EventSet wanted, Shape shape, numerics::ParallelFor parallel_for) {
  const Matrix<float> a = operand_matrix(shape.m, shape.k, c.a, c);
  const Matrix<float> b = operand_matrix(shape.k, shape.n, c.b, c);
  Matrix<float> result(shape.m, shape.n);
  arith::AccumulationEvents events;
  for ([[maybe_unused]] auto iteration : state) {
    gemm(a.view(), b.view(), {c.a, c.b}, c.spec, {},
         {.wanted = wanted, .stream = {}, .first = {}, .parallel_for = parallel_for}, result.view(), events);
    benchmark::ClobberMemory();
  }
  report_rate(state, shape);
}

void run_reference(benchmark::State& state, BenchCase c, Shape shape) {
  const Matrix<float> a = operand_matrix(shape.m, shape.k, c.a, c);
  const Matrix<float> b = operand_matrix(shape.k, shape.n, c.b, c);
  Matrix<float> result(shape.m, shape.n);
  arith::AccumulationEvents events;
  for ([[maybe_unused]] auto iteration : state) {
    arith::gemm_reference(a.view(), b.view(), c.spec, {}, {}, {}, result.view(), events);
    benchmark::ClobberMemory();
  }
  report_rate(state, shape);
}

std::vector<BenchCase> bench_cases() {
  using numerics::kBf16, numerics::kFp16, numerics::kFp32, numerics::kFp8E4M3, numerics::kFp8E5M2;
  const auto sequential = [](FloatSpec inner) {
    AccumulationSpec spec;
    spec.inner = inner;
    return spec;
  };
  const FloatSpec fp16{.format = kFp16}, bf16{.format = kBf16}, fp32{.format = kFp32};
  const FloatSpec e4m3{.format = kFp8E4M3, .overflow = OverflowPolicy::kSaturate};
  const FloatSpec e5m2{.format = kFp8E5M2, .overflow = OverflowPolicy::kSaturate};
  const FloatSpec fp16_truncated{.format = kFp16, .rounding = RoundingMode::kTowardZero};
  const FloatSpec fp16_stochastic{.format = kFp16, .rounding = RoundingMode::kStochastic, .random_bits = 8};
  const auto generic = [](int exponent_bits, int trailing_bits) {
    const int bias = (1 << (exponent_bits - 1)) - 1;
    return FloatSpec{.format = {exponent_bits, trailing_bits, bias, numerics::SpecialCodes::kIeee},
                     .overflow = OverflowPolicy::kSaturate};
  };
  const FloatSpec fp16_up{.format = kFp16, .rounding = RoundingMode::kTowardPositive};
  const auto interleaved = [&](int accumulators) {
    AccumulationSpec spec = sequential(fp16);
    spec.interleave = accumulators;
    return spec;
  };
  const auto chunked = [&](int length) {
    AccumulationSpec spec = sequential(fp16);
    spec.promote_every = length;
    spec.outer = fp32;
    return spec;
  };
  const auto tree = [&](int width) {
    AccumulationSpec spec = sequential(fp16);
    spec.reduce = arith::Reduce::kTree;
    spec.width = width;
    return spec;
  };
  const auto aligned = [&](int width, int fraction_bits, const numerics::FloatFormat& operands) {
    AccumulationSpec spec = sequential({.format = kFp32, .rounding = RoundingMode::kTowardZero});
    spec.reduce = arith::Reduce::kAligned;
    spec.width = width;
    spec.alignment = {.fraction_bits = fraction_bits, .emin_a = operands.emin(), .emin_b = operands.emin()};
    return spec;
  };
  const auto kulisch = [&](int integer_bits, int fraction_bits) {
    AccumulationSpec spec = sequential(fp32);
    spec.reduce = arith::Reduce::kFixed;
    spec.fixed = {.format = {integer_bits, fraction_bits}, .overflow = numerics::IntOverflow::kSaturate};
    return spec;
  };
  return {
      {"fp16", sequential(fp16), "fp8_e4m3", kFp8E4M3, kFp8E4M3},
      {"fp16", sequential(fp16), "fp8_e5m2", kFp8E5M2, kFp8E5M2},
      {"fp16", sequential(fp16), "int4", kFp8E4M3, kFp8E4M3, /*int4=*/true},
      {"fp16", sequential(fp16), "fp16", kFp16, kFp16},
      {"fp16", sequential(fp16), "bf16", kBf16, kBf16},
      {"fp16_chunk32_fp32", chunked(32), "fp8_e4m3", kFp8E4M3, kFp8E4M3},
      {"fp16_chunk128_fp32", chunked(128), "fp8_e4m3", kFp8E4M3, kFp8E4M3},
      {"fp16_chunk128_fp32", chunked(128), "fp16", kFp16, kFp16},
      {"bf16", sequential(bf16), "fp8_e4m3", kFp8E4M3, kFp8E4M3},
      {"bf16", sequential(bf16), "bf16", kBf16, kBf16},
      {"fp8_e4m3_saturate", sequential(e4m3), "fp8_e4m3", kFp8E4M3, kFp8E4M3},
      {"fp8_e4m3_saturate", sequential(e4m3), "int4", kFp8E4M3, kFp8E4M3, /*int4=*/true},  // most outputs saturate
      {"e4m3_ieee_saturate", sequential(generic(4, 3)), "fp8_e4m3", kFp8E4M3, kFp8E4M3},
      {"e4m6_saturate", sequential(generic(4, 6)), "fp8_e4m3", kFp8E4M3, kFp8E4M3},
      {"e5m6_saturate", sequential(generic(5, 6)), "fp8_e4m3", kFp8E4M3, kFp8E4M3},
      {"fp8_e5m2_saturate", sequential(e5m2), "fp8_e5m2", kFp8E5M2, kFp8E5M2},
      {"fp32", sequential(fp32), "fp16", kFp16, kFp16},
      {"fp32", sequential(fp32), "fp8_e4m3", kFp8E4M3, kFp8E4M3},
      {"fp16_rtz", sequential(fp16_truncated), "fp16", kFp16, kFp16},
      {"fp16_stochastic8", sequential(fp16_stochastic), "fp16", kFp16, kFp16},
      {"fp16_rup", sequential(fp16_up), "fp8_e4m3", kFp8E4M3, kFp8E4M3},
      {"fp16_interleave4", interleaved(4), "fp8_e4m3", kFp8E4M3, kFp8E4M3},
      {"fp16_tree4", tree(4), "fp8_e4m3", kFp8E4M3, kFp8E4M3},
      {"fp16_tree8", tree(8), "fp8_e4m3", kFp8E4M3, kFp8E4M3},
      {"fp16_tree32", tree(32), "fp8_e4m3", kFp8E4M3, kFp8E4M3},
      {"fp16_tree4", tree(4), "fp16", kFp16, kFp16},
      {"fp16_tree8", tree(8), "fp16", kFp16, kFp16},
      {"fp16_tree32", tree(32), "fp16", kFp16, kFp16},
      {"aligned8_f24", aligned(8, 24, kFp16), "fp16", kFp16, kFp16},
      {"aligned16_f24", aligned(16, 24, kFp16), "fp16", kFp16, kFp16},
      {"aligned32_f13", aligned(32, 13, kFp8E4M3), "fp8_e4m3", kFp8E4M3, kFp8E4M3},
      {"kulisch_q36.18", kulisch(36, 18), "fp8_e4m3", kFp8E4M3, kFp8E4M3},
      {"kulisch_q44.32", kulisch(44, 32), "fp8_e5m2", kFp8E5M2, kFp8E5M2},
      {"kulisch_q44.48", kulisch(44, 48), "fp16", kFp16, kFp16},
      {"kulisch_q16.16", kulisch(16, 16), "fp16", kFp16, kFp16},
  };
}

std::string name_of(const Shape& shape) {
  return std::to_string(shape.m) + "x" + std::to_string(shape.n) + "x" + std::to_string(shape.k);
}

bool register_all() {
  const Shape square{512, 512, 512};
  const Shape tokens{128, 768, 768};
  const Shape small{16, 16, 512};
  const Counters counters[] = {{"", {}},
                               {"/overflow", {Event::kOverflow, Event::kSaturated, Event::kInvalid}},
                               {"/swamped", {Event::kSwamped}},
                               {"/all", EventSet::all()}};
  benchmark::RegisterBenchmark("Sgemm/512", run_sgemm, square);
  benchmark::RegisterBenchmark("Sgemm/128x768x768", run_sgemm, tokens);
  for (const BenchCase& c : bench_cases()) {
    const std::string path = std::string(c.accumulator) + "/" + c.inputs + "/";
    for (const Counters& kept : counters) {
      const std::string name = "Gemm/" + path + name_of(square) + kept.suffix;
      benchmark::RegisterBenchmark(name.c_str(), run_gemm, c, kept.wanted, square, nullptr);
    }
    const std::string name = "Reference/" + path + name_of(small);
    benchmark::RegisterBenchmark(name.c_str(), run_reference, c, small);
  }
  const BenchCase first = bench_cases().front();
  for (const Shape& shape : {tokens, Shape{1, 768, 768}, Shape{8, 768, 768}}) {
    const std::string name =
        std::string("Gemm/") + first.accumulator + "/" + first.inputs + "/" + name_of(shape) + "/all";
    benchmark::RegisterBenchmark(name.c_str(), run_gemm, first, EventSet::all(), shape, nullptr);
  }
  for (const BenchCase& c : bench_cases()) {
    if (c.spec.reduce != arith::Reduce::kSequential || c.spec.promote_every != 0) continue;
    const std::string path = std::string("Gemm/") + c.accumulator + "/" + c.inputs + "/" + name_of(square);
    for (const bool threads : {false, true}) {
      const std::string name = path + (threads ? "/wall/2threads" : "/wall/1thread");
      benchmark::RegisterBenchmark(name.c_str(), run_gemm, c, EventSet{}, square,
                                   threads ? numerics::ParallelFor(two_threads) : nullptr)
          ->UseRealTime();
    }
  }
  return true;
}

const bool registered = register_all();

}  // namespace
}  // namespace guardbit::kernels
