/// Speed of the integer GEMM and the Hadamard kernel. Ratios to OpenBLAS are taken in the same run (float_bench.cpp).
#include <benchmark/benchmark.h>

#include <bit>
#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "models/kernels/gemm.h"
#include "models/kernels/hadamard.h"
#include "models/kernels/int_quantize.h"
#include "models/kernels/scalar_rounder.h"

namespace guardbit::kernels {
namespace {

using numerics::Matrix;

constexpr std::uint64_t kSeed = 1;

Matrix<std::int8_t> random_codes(std::size_t rows, std::size_t cols, int bits) {
  std::mt19937_64 random(kSeed + rows);
  Matrix<std::int8_t> x(rows, cols);
  for (std::int8_t& value : x.data()) {
    value = static_cast<std::int8_t>(static_cast<int>(random() >> 32 & ((1u << bits) - 1)) - (1 << (bits - 1)));
  }
  return x;
}

Matrix<float> normal_matrix(std::size_t rows, std::size_t cols, const numerics::FloatFormat& format) {
  std::mt19937_64 random(kSeed);
  std::normal_distribution<double> normal;
  numerics::EventSet ignored;
  Matrix<float> x(rows, cols);
  for (float& value : x.data()) value = numerics::round_carrier(normal(random), {.format = format}, ignored);
  return x;
}

struct GemmCase {
  std::size_t rows, depth, cols;
  int operand_bits;
  arith::IntAccumulationSpec spec;
  bool counted;
  bool transposed;
};

void run_gemm(benchmark::State& state, const GemmCase& which) {
  const Matrix<std::int8_t> a = random_codes(which.rows, which.depth, which.operand_bits);
  const Matrix<std::int8_t> b = which.transposed ? random_codes(which.cols, which.depth, which.operand_bits)
                                                 : random_codes(which.depth, which.cols, which.operand_bits);
  const std::size_t chunk =
      which.spec.promote_every == 0 ? which.depth : static_cast<std::size_t>(which.spec.promote_every);
  std::vector<float> scales((which.depth + chunk - 1) / chunk, 0x1.3p-9F);
  Matrix<float> c(which.rows, which.cols);
  GemmOptions options;
  if (!which.counted) options.wanted = {};
  for (auto _ : state) {
    arith::AccumulationEvents events;
    gemm(a.view(), which.transposed ? b.view().transposed() : b.view(), which.operand_bits, which.spec, scales, options,
         c.view(), events);
    benchmark::DoNotOptimize(c.data().data());
    benchmark::DoNotOptimize(events);
  }
  const double macs = static_cast<double>(which.rows) * static_cast<double>(which.depth) *
                      static_cast<double>(which.cols) * static_cast<double>(state.iterations());
  state.counters["GMAC/s"] = benchmark::Counter(macs * 1e-9, benchmark::Counter::kIsRate);
}

void run_hadamard(benchmark::State& state, const numerics::FloatFormat& format, std::size_t rows, std::size_t cols,
                  numerics::EventSet wanted) {
  Matrix<float> x = normal_matrix(rows, cols, format);
  // Two transforms, scaled by powers of two whose product is 1 / cols, give the input back.
  const int exponent = std::countr_zero(cols);
  const float scales[] = {std::ldexp(1.0F, -exponent / 2), std::ldexp(1.0F, exponent / 2 - exponent)};
  std::size_t turn = 0;
  for (auto _ : state) {
    numerics::EventCounts events;
    hadamard_rows(x.view(), {.format = format}, scales[turn++ % 2], {}, events, wanted);
    benchmark::DoNotOptimize(events);
  }
  const double bytes = static_cast<double>(2 * sizeof(float) * rows * cols) * static_cast<double>(state.iterations());
  state.counters["GB/s"] = benchmark::Counter(bytes * 1e-9, benchmark::Counter::kIsRate);
}

void run_quantize(benchmark::State& state) {
  constexpr std::size_t kLength = 4096;
  const Matrix<float> x = normal_matrix(1, kLength, numerics::kFp16);
  std::vector<std::int8_t> q(kLength);
  for (auto _ : state) {
    numerics::EventCounts events;
    quantize_row({x.row(0), kLength}, 0.375F, 4, q, events);
    benchmark::DoNotOptimize(q.data());
    benchmark::DoNotOptimize(events);
  }
  state.counters["Gvalues/s"] =
      benchmark::Counter(1e-9 * kLength * static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
}

void run_scalar_rounder(benchmark::State& state, const FloatSpec& spec) {
  constexpr std::size_t kLength = 4096;
  const Matrix<float> x = normal_matrix(2, kLength, numerics::kFp32);
  const ScalarRounder rounder(spec);
  for (auto _ : state) {
    EventCounts events;
    for (std::size_t i = 0; i < kLength; ++i) {
      benchmark::DoNotOptimize(rounder(product_of(x(0, i), x(1, i)), events));
    }
    benchmark::DoNotOptimize(events);
  }
  state.counters["ns/rounding"] = benchmark::Counter(1e-9 * kLength * static_cast<double>(state.iterations()),
                                                     benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

void register_gemm(const std::string& accumulator, const std::string& inputs, const GemmCase& which) {
  const std::string name = "Gemm/" + accumulator + "/" + inputs + "/" + std::to_string(which.rows) + "x" +
                           std::to_string(which.cols) + "x" + std::to_string(which.depth) +
                           (which.transposed ? "/transposed" : "") + (which.counted ? "/all" : "");
  benchmark::RegisterBenchmark(name.c_str(), run_gemm, which);
}

const bool registered = [] {
  const numerics::FloatSpec fp32{.format = numerics::kFp32};
  const numerics::FloatSpec fp16{.format = numerics::kFp16};
  const numerics::FloatSpec bf16{.format = numerics::kBf16};
  for (const bool counted : {false, true}) {
    for (const auto& [name, outer] : {std::pair{"fp32", fp32}, {"fp16", fp16}, {"bf16", bf16}}) {
      const arith::IntAccumulationSpec grouped{.promote_every = 128, .outer = outer};
      register_gemm(std::string("int32_g128_") + name, "int4", {512, 512, 512, 4, grouped, counted, false});
      register_gemm(std::string("int32_g128_") + name, "int4", {128, 768, 768, 4, grouped, counted, false});
      register_gemm(std::string("int32_g128_") + name, "int8", {512, 512, 512, 8, grouped, counted, false});
    }
    register_gemm("int32", "int8", {512, 512, 512, 8, {.outer = fp32}, counted, false});
    register_gemm("int32", "int8", {512, 512, 512, 8, {.outer = fp32}, counted, true});
  }
  // Codes of 8 bits leave 16-bit sums at nearly every step, so that no block goes unchecked.
  for (const bool counted : {false, true}) {
    register_gemm("int16_saturate", "int8",
                  {512,
                   512,
                   512,
                   8,
                   {.inner = {16}, .overflow = numerics::IntOverflow::kSaturate, .outer = fp32},
                   counted,
                   false});
    register_gemm(
        "int16_wrap", "int8",
        {512, 512, 512, 8, {.inner = {16}, .overflow = numerics::IntOverflow::kWrap, .outer = fp32}, counted, false});
  }
  register_gemm(
      "int32_g128_fp16_stochastic", "int4",
      {64,
       512,
       512,
       4,
       {.promote_every = 128, .outer = {.format = numerics::kFp16, .rounding = numerics::RoundingMode::kStochastic}},
       true,
       false});
  for (const std::size_t cols : {128, 512, 4096}) {
    for (const auto& [name, format] :
         {std::pair{"fp32", numerics::kFp32}, {"fp16", numerics::kFp16}, {"bf16", numerics::kBf16}}) {
      const std::string shape = std::to_string(65536 / cols) + "x" + std::to_string(cols);
      for (const auto& [counters, wanted] :
           {std::pair{"", numerics::EventSet{}}, {"/all", numerics::EventSet::all()}}) {
        const std::string label = std::string("Hadamard/") + name + "/" + shape + counters;
        benchmark::RegisterBenchmark(label.c_str(), run_hadamard, format, 65536 / cols, cols, wanted);
      }
    }
  }
  benchmark::RegisterBenchmark("QuantizeRow/int4/4096", run_quantize);
  benchmark::RegisterBenchmark("ScalarRounder/fp16", run_scalar_rounder, fp16);
  benchmark::RegisterBenchmark("ScalarRounder/fp32", run_scalar_rounder, fp32);
  benchmark::RegisterBenchmark("ScalarRounder/fp16_stochastic", run_scalar_rounder,
                               FloatSpec{.format = numerics::kFp16, .rounding = numerics::RoundingMode::kStochastic});
  return true;
}();

}  // namespace
}  // namespace guardbit::kernels
