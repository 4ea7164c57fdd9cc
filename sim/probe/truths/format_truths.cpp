/// Where formats end, and what a second rounding does.
#include <cmath>
#include <limits>
#include <string>

#include "models/arith/float_ops.h"
#include "models/units/arithmetic.h"
#include "sim/probe/truths/truth_rows.h"
#include "sim/probe/truths/truths.h"

namespace guardbit::sim {
namespace {

using numerics::FloatSpec;
using numerics::kFp16;
using numerics::kFp32;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

double rounded(double value, const FloatSpec& spec) {
  numerics::EventSet ignored;
  return static_cast<double>(numerics::round_carrier(value, spec, ignored));
}

/// The last binary64 that still rounds to the largest finite value, and what the next one gives.
struct Limit {
  std::string format;
  std::string what;
  double last;
  double largest;
  std::string next_what;
  double beyond;
};

void add_limit(std::vector<TruthRow>& rows, const Limit& limit) {
  const FloatSpec spec{.format = *numerics::parse_float_format(limit.format)};
  rows.push_back(exactly(limit.format + ": " + limit.what, rounded(limit.last, spec), limit.largest));
  TruthRow row = exactly(limit.format + ": " + limit.next_what, rounded(std::nextafter(limit.last, kInfinity), spec),
                         limit.beyond);
  row.holds = row.measured == row.expected;  // NaN is not equal to itself
  rows.push_back(row);
}

std::uint32_t fp16_code(float value) {
  numerics::EventSet ignored;
  return numerics::from_carrier(numerics::round_carrier(static_cast<double>(value), {.format = kFp16}, ignored), kFp16);
}

/// Rounded into fp32 and from there into fp16.
template <class Operation>
std::uint32_t rounded_twice(const Operation& operation) {
  return arith::convert(operation(FloatSpec{.format = kFp32}).code, kFp32, {.format = kFp16}).code;
}

}  // namespace

std::vector<TruthRow> measure_format_limits() {
  std::vector<TruthRow> rows;
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const auto below = [](double value) { return std::nextafter(value, 0); };
  for (const Limit& limit : {Limit{"fp16", "just below 65,520", below(65520), 65504, "65,520", kInfinity},
                             Limit{"fp8_e5m2", "just below 61,440", below(61440), 57344, "61,440", kInfinity},
                             Limit{"fp8_e4m3", "464", 464, 448, "just above 464", nan},
                             Limit{"fp4_e2m1", "1,000", 1000, 6, "just above 1,000", 6}}) {
    add_limit(rows, limit);
  }
  return rows;
}

std::vector<TruthRow> measure_double_rounding() {
  // 1 + 2^-10 is odd; (1 + 2^-10)(1 - 2^-10) 2^-11 = 2^-11 - 2^-31 lies just below its tie, where binary32 puts it.
  const std::uint32_t a = fp16_code((1 + 0x1p-10F) * 0x1p-5F);
  const std::uint32_t b = fp16_code((1 - 0x1p-10F) * 0x1p-6F);
  const std::uint32_t c = fp16_code(1 + 0x1p-10F);
  const auto fused = [&](const FloatSpec& to) { return arith::multiply_add(a, b, kFp16, c, kFp16, to); };
  const auto value = [](std::uint32_t code) { return static_cast<double>(numerics::to_carrier(code, kFp16)); };

  constexpr std::size_t kNumCases = 1 << 17;
  constexpr float kSums = 64;  // an addend is small beside the sum it meets
  const numerics::Matrix<float> x = normal_matrix(3, kNumCases, 20);
  double different_products = 0;
  double different_sums = 0;
  double different_fused = 0;
  for (std::size_t i = 0; i < kNumCases; ++i) {
    const std::uint32_t p = fp16_code(x(0, i));
    const std::uint32_t q = fp16_code(x(1, i));
    const std::uint32_t r = fp16_code(kSums * x(2, i));
    const auto differs = [](const auto& operation) {
      return operation(FloatSpec{.format = kFp16}).code != rounded_twice(operation) ? 1 : 0;
    };
    different_products += differs([&](const FloatSpec& to) { return arith::multiply(p, q, kFp16, to); });
    different_sums += differs([&](const FloatSpec& to) { return arith::add(p, q, kFp16, to); });
    different_fused += differs([&](const FloatSpec& to) { return arith::multiply_add(p, q, kFp16, r, kFp16, to); });
  }
  return {exactly("1 + 2^-10 + (2^-11 - 2^-31), one rounding", value(fused({.format = kFp16}).code), 1 + 0x1p-10),
          exactly("the same by way of fp32", value(rounded_twice(fused)), 1 + 0x1p-9),
          exactly("products of 131,072 pairs that differ by way of fp32", different_products, 0),
          exactly("sums that differ", different_sums, 0),
          within("fused multiply-adds that differ", different_fused, 1, static_cast<double>(kNumCases) / 1024)};
}

}  // namespace guardbit::sim
