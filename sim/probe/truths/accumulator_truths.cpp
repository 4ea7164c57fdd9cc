/// What accumulators do to sums: stalling, overflow by topology, published tensor cores, random rounding.
#include <cmath>
#include <limits>

#include "models/arith/presets.h"
#include "models/kernels/gemm.h"
#include "models/numerics/check.h"
#include "models/units/arithmetic.h"
#include "models/units/matrix_unit.h"
#include "models/units/norm_unit.h"
#include "sim/probe/truths/truth_rows.h"
#include "sim/probe/truths/truths.h"

namespace guardbit::sim {
namespace {

using arith::AccumulationSpec;
using arith::Reduce;
using numerics::Event;
using numerics::EventCounts;
using numerics::Matrix;

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr std::size_t kNumAddends = 4096;

struct Sum {
  double value = 0;
  EventCounts inner;
};

/// Sum of values[k] * values[k] by the vector kernel, which must be the reference's, bits and events.
Sum sum_of_squares(const std::vector<float>& values, const AccumulationSpec& spec) {
  const Matrix<float> row(1, values.size(), values);
  Matrix<float> c(1, 1);
  arith::AccumulationEvents events;
  kernels::gemm(row.view(), row.view().transposed(), {}, spec, {}, {}, c.view(), events);
  arith::AccumulationEvents reference_events;
  const float reference = arith::dot_reference(values, values, spec, {}, {}, {}, reference_events);
  GUARDBIT_CHECK(c(0, 0) == reference && events == reference_events, "kernel and reference agree");
  return {static_cast<double>(c(0, 0)), events.inner};
}

Sum sum_of_fours(const AccumulationSpec& spec) { return sum_of_squares(std::vector<float>(kNumAddends, 4.0F), spec); }

numerics::FloatSpec spec_of(std::string_view format) { return units::conversion_spec(format); }

std::vector<TruthRow> topology_rows(const std::string& what, const Sum& sum, double value, double overflows,
                                    double swamped) {
  return {exactly(what + ": sum", sum.value, value),
          exactly(what + ": overflows", static_cast<double>(sum.inner[Event::kOverflow]), overflows),
          exactly(what + ": swamped addends", static_cast<double>(sum.inner[Event::kSwamped]), swamped)};
}

}  // namespace

std::vector<TruthRow> measure_topology() {
  const AccumulationSpec sequential{.inner = spec_of("fp16")};
  AccumulationSpec tree = sequential;
  tree.reduce = Reduce::kTree;
  tree.width = 16;
  AccumulationSpec promoted = sequential;
  promoted.promote_every = 128;
  promoted.outer = spec_of("fp32");
  std::vector<TruthRow> rows = topology_rows("sequential", sum_of_fours(sequential), 32768, 0, 2048);
  const auto add = [&rows](std::vector<TruthRow> more) { rows.insert(rows.end(), more.begin(), more.end()); };
  add(topology_rows("tree of 16", sum_of_fours(tree), kInfinity, 1, 0));
  add(topology_rows("sequential, every 128 into fp32", sum_of_fours(promoted), 65536, 0, 0));
  return rows;
}

std::vector<TruthRow> measure_stall() {
  std::vector<TruthRow> rows;
  const std::vector<float> ones(kNumAddends, 1.0F);
  for (const auto* const format : {"fp16", "e6m9", "bf16", "fp8_e4m3", "fp8_e5m2", "fp32"}) {
    const numerics::FloatSpec inner = spec_of(format);
    const double limit = std::min(std::ldexp(1.0, inner.format.trailing_bits + 1), static_cast<double>(kNumAddends));
    const Sum sum = sum_of_squares(ones, {.inner = inner});
    rows.push_back(exactly(std::string(format) + ": sum", sum.value, limit));
    rows.push_back(exactly(std::string(format) + ": swamped addends", static_cast<double>(sum.inner[Event::kSwamped]),
                           static_cast<double>(kNumAddends) - limit));
  }
  return rows;
}

std::vector<TruthRow> measure_stochastic() {
  std::vector<float> values(kNumAddends + 1, 0x1p-6F);
  values[0] = 1;
  const Sum nearest = sum_of_squares(values, {.inner = spec_of("fp16")});

  numerics::FloatSpec stochastic = spec_of("fp16");
  stochastic.rounding = numerics::RoundingMode::kStochastic;
  constexpr std::size_t kSide = 32;
  Matrix<float> operand(kSide, values.size());
  for (std::size_t row = 0; row < kSide; ++row) std::copy(values.begin(), values.end(), operand.row(row));
  Matrix<float> c(kSide, kSide);
  arith::AccumulationEvents events;
  kernels::GemmOptions options;
  options.stream.seed = 1;
  kernels::gemm(operand.view(), operand.view().transposed(), {}, {.inner = stochastic}, {}, options, c.view(), events);
  double mean = 0;
  for (const float value : c.data()) mean += static_cast<double>(value) / static_cast<double>(c.data().size());
  return {exactly("ties to even: sum", nearest.value, 1),
          exactly("ties to even: swamped addends", static_cast<double>(nearest.inner[Event::kSwamped]), kNumAddends),
          within("stochastic, 16 bits: mean of 1,024 sums", mean, 1.995, 2.005)};
}

std::vector<TruthRow> measure_tensor_core() {
  constexpr std::size_t kSide = 32;
  const auto held = [](std::uint32_t unit) {
    units::MatrixMode mode;
    mode.activation = mode.weight = numerics::kFp8E4M3;
    numerics::EventLedger ignored;
    return units::quantize_operand(normal_matrix(kSide, kNumAddends, unit).view(), mode, false, ignored).values;
  };
  const Matrix<float> a = held(0);
  const Matrix<float> b = held(1);
  const Matrix<double> exact = product_in_binary64(a, b);  // multiples of 2^-18 below 2^30: exact
  const auto relative_rms = [&](std::string_view preset) {
    const arith::Preset* const row = arith::find_preset(preset);
    Matrix<float> c(kSide, kSide);
    arith::AccumulationEvents events;
    kernels::gemm(a.view(), b.view().transposed(), {row->a, row->b}, row->spec, {}, {}, c.view(), events);
    double squared_error = 0;
    double squared_exact = 0;
    for (std::size_t i = 0; i < c.data().size(); ++i) {
      const double error = static_cast<double>(c.data()[i]) - exact.data()[i];
      squared_error += error * error;
      squared_exact += exact.data()[i] * exact.data()[i];
    }
    return std::sqrt(squared_error / squared_exact);
  };
  return {within("hopper_fp8: rms error", relative_rms("hopper_fp8"), 1.4e-3 / 1.5, 1.4e-3 * 1.5),
          within("hopper_fp8_promote128: rms error", relative_rms("hopper_fp8_promote128"), 1.2e-4 / 1.5, 1.2e-4 * 1.5),
          at_most("kulisch_fp8 (one rounding to fp32): rms error", relative_rms("kulisch_fp8"), 0x1p-24)};
}

std::vector<TruthRow> measure_integer_groups() {
  const std::vector<std::int8_t> lowest(128, -8);
  const auto sum_in = [&lowest](int bits) {
    arith::AccumulationEvents events;
    const arith::IntAccumulationSpec spec{.inner = numerics::IntFormat{bits},
                                          .overflow = numerics::IntOverflow::kSaturate};
    const float sum = arith::dot_reference(lowest, lowest, spec, {}, {}, {}, events);
    return Sum{static_cast<double>(sum), events.inner};
  };
  const Sum narrow = sum_in(14);
  const Sum wide = sum_in(15);
  return {exactly("int15: sum", wide.value, 8192),
          exactly("int15: saturated", static_cast<double>(wide.inner[Event::kSaturated]), 0),
          exactly("int14: sum", narrow.value, 8191),
          exactly("int14: saturated", static_cast<double>(narrow.inner[Event::kSaturated]), 1)};
}

}  // namespace guardbit::sim
