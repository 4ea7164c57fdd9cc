// dot_reference() against the execution of accumulation_spec.h in exact rationals of dot_oracle.h: bits and every event
// counter, on random specs, lengths and operands with specials.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <random>

#include "models/arith/accumulator.h"
#include "models/numerics/codec.h"
#include "tests/support/dot_oracle.h"
#include "tests/support/spec_sweep.h"
#include "tests/support/trials.h"

namespace guardbit::tests {
namespace {

using arith::AccumulationEvents;
using arith::AccumulationSpec;
using arith::IntAccumulationSpec;

constexpr std::uint32_t kSeed = 99;
constexpr int kNumFloatCases = trials(6000);
constexpr int kNumIntCases = trials(3000);

class AccumulatorDifferentialTest : public testing::Test {
 protected:
  std::size_t below(std::size_t end) { return random_() % end; }
  template <class T>
  T one_of(std::initializer_list<T> values) {
    return values.begin()[below(values.size())];
  }
  FloatFormat format_named(std::initializer_list<const char*> names) {
    return numerics::parse_float_format(one_of(names)).value();
  }

  FloatSpec any_float_spec() {
    const std::vector<FloatSpec> specs = all_specs(
        format_named({"fp16", "fp16", "bf16", "fp32", "fp8_e5m2", "fp8_e4m3", "fp8_e4m3fnuz", "fp6_e3m2", "e6m9"}));
    FloatSpec spec = below(2) == 0 ? specs[below(4)] : specs[below(specs.size())];
    spec.random_bits = 1 + static_cast<int>(below(32));
    return spec;
  }

  RoundingMode alignment_rounding() {
    return one_of({RoundingMode::kTowardZero, RoundingMode::kTowardZero, RoundingMode::kTiesToEven,
                   RoundingMode::kTowardNegative, RoundingMode::kTowardPositive, RoundingMode::kTiesToAway,
                   RoundingMode::kToOdd});
  }

  AccumulationSpec any_accumulation() {
    AccumulationSpec spec;
    spec.reduce = one_of({arith::Reduce::kSequential, arith::Reduce::kTree, arith::Reduce::kAligned,
                          arith::Reduce::kAligned, arith::Reduce::kFixed, arith::Reduce::kFixed});
    if (spec.reduce == arith::Reduce::kTree) spec.width = one_of({2, 4, 8, 16, 64});
    if (spec.reduce == arith::Reduce::kAligned) spec.width = one_of({1, 2, 3, 4, 8, 16, 32});
    spec.alignment.fraction_bits = one_of({1, 2, 3, 5, 8, 13, 23, 24, 25, 40, 64});
    spec.alignment.rounding = alignment_rounding();
    spec.alignment.align_accumulator = below(3) != 0;
    spec.fixed.format = numerics::parse_fixed_format(
                            one_of({"q2.0", "q5.3", "q8.8", "q12.20", "q36.18", "q20.64", "q1.40", "q320.320"}))
                            .value();
    spec.fixed.rounding = alignment_rounding();
    spec.fixed.overflow = one_of({numerics::IntOverflow::kWrap, numerics::IntOverflow::kSaturate});
    spec.interleave = one_of({1, 1, 2, 3, 16});
    if (below(3) == 0) spec.product = any_float_spec();
    spec.inner = any_float_spec();
    spec.promote_every = one_of({0, 0, 1, 3, 8, 20});
    spec.outer = any_float_spec();
    return spec;
  }

  /// Values of `format` around 1, or any code at all, specials included or not; and every now and then a zero of either
  /// sign.
  std::vector<float> operands(std::size_t length, const FloatFormat& format, bool any_code, bool specials) {
    std::vector<float> values(length);
    for (float& value : values) {
      const auto random = static_cast<std::uint32_t>(random_());
      std::uint32_t code = random & (2 * format.sign_code() - 1);
      if (!any_code) {
        const auto biased = static_cast<std::uint32_t>(format.bias) - 1 + random_() % 4;
        code = (code & (format.sign_code() | ((1u << format.trailing_bits) - 1))) |
               static_cast<std::uint32_t>(biased << format.trailing_bits);
      }
      if (below(10) == 0) code &= format.sign_code();
      value = numerics::to_carrier(code, format);
      if (!specials && !std::isfinite(value)) value = 1.0F;
    }
    return values;
  }

  std::vector<float> any_scales(std::size_t count) {
    std::vector<float> scales(count);
    for (float& scale : scales) scale = one_of({1.0F, 0.5F, -0x1.8p-3F, 0x1.fffffep5F, 0x1.234568p-9F, 0.0F});
    return scales;
  }

  std::mt19937 random_{kSeed};
};

constexpr const char* kReduceNames[] = {"sequential", "tree", "aligned", "fixed"};

std::string describe(const AccumulationSpec& spec) {
  const arith::Alignment& alignment = spec.alignment;
  return std::string(kReduceNames[static_cast<std::size_t>(spec.reduce)]) + " " + std::to_string(spec.width) +
         " alignment F " + std::to_string(alignment.fraction_bits) + " " +
         std::string(numerics::name_of(alignment.rounding)) + (alignment.align_accumulator ? " with" : " without") +
         " accumulator, emin " + std::to_string(alignment.emin_a) + " " + std::to_string(alignment.emin_b) + " fixed " +
         numerics::name_of(spec.fixed.format) + " " + std::string(numerics::name_of(spec.fixed.rounding)) +
         (spec.fixed.overflow == numerics::IntOverflow::kWrap ? " wrap" : " saturate") + " interleave " +
         std::to_string(spec.interleave) + " product " + (spec.product ? to_string(*spec.product) : "exact") +
         " inner " + to_string(spec.inner) + " promote " + std::to_string(spec.promote_every) + " outer " +
         to_string(spec.outer);
}

void expect_same(float actual, const Exact<Rational>& expected, const AccumulationEvents& actual_events,
                 const AccumulationEvents& expected_events) {
  const auto bits = std::bit_cast<std::uint32_t>(actual);
  EXPECT_EQ(value_of<Rational>(bits, numerics::kFp32), expected) << std::hexfloat << actual;
  if (expected.kind == Kind::kNan) {
    EXPECT_EQ(bits, 0x7FC00000U);
  }
  EXPECT_EQ(actual_events.product.counts, expected_events.product.counts);
  EXPECT_EQ(actual_events.inner.counts, expected_events.inner.counts);
  EXPECT_EQ(actual_events.outer.counts, expected_events.outer.counts);
}

TEST_F(AccumulatorDifferentialTest, FloatSpecsMatchRationalExecution) {
  for (int i = 0; i < kNumFloatCases && !HasFailure(); ++i) {
    AccumulationSpec spec = any_accumulation();
    const std::size_t length = below(41);
    const FloatFormat format = format_named({"fp8_e4m3", "fp8_e5m2", "fp16", "bf16", "fp32"});
    const bool any_code = below(3) == 0;
    const bool specials = below(2) == 0;
    const std::vector<float> a = operands(length, format, any_code, specials);
    const std::vector<float> b = operands(length, format, any_code, specials);
    if (below(2) == 0) spec.alignment.emin_a = format.emin();
    if (below(2) == 0) spec.alignment.emin_b = format.emin();
    const auto promote_every = static_cast<std::size_t>(spec.promote_every);
    const std::vector<float> scales = promote_every != 0 && below(2) == 0
                                          ? any_scales((length + promote_every - 1) / promote_every)
                                          : std::vector<float>{};
    const numerics::RandomStream stream{.seed = random_(), .unit = 5};
    const arith::OutputIndex index{static_cast<std::uint32_t>(below(100)), static_cast<std::uint32_t>(below(100))};

    DotOracle oracle(spec, stream, index);
    const Exact<Rational> expected = oracle(a, b, scales);
    AccumulationEvents events;
    const float actual = arith::dot_reference(a, b, spec, scales, stream, index, events);
    SCOPED_TRACE("case " + std::to_string(i) + " of seed " + std::to_string(kSeed) + ": " + describe(spec) + " K " +
                 std::to_string(length) + " operands " + numerics::name_of(format));
    expect_same(actual, expected, events, oracle.events);
  }
}

/// The integer accumulator in unbounded integers, brought into range by division.
Exact<Rational> int_oracle(const std::vector<std::int8_t>& a, const std::vector<std::int8_t>& b,
                           const IntAccumulationSpec& spec, const std::vector<float>& scales,
                           AccumulationEvents& events) {
  const Rational max = scaled(1, spec.inner.bits - 1, Rational(0)) - 1;
  const Rational modulus = scaled(1, spec.inner.bits, Rational(0));
  const std::size_t per_chunk = spec.promote_every == 0 ? a.size() : static_cast<std::size_t>(spec.promote_every);
  const auto oracle = rational_oracle(spec.outer.format);
  Exact<Rational> outer;
  for (std::size_t begin = 0, chunk = 0; begin < a.size(); begin += per_chunk, ++chunk) {
    Rational sum = 0;
    for (std::size_t k = begin; k < std::min(begin + per_chunk, a.size()); ++k) {
      sum += a[k] * b[k];
      const bool too_large = sum > max;
      if (!too_large && sum >= -max - 1) continue;
      const bool wraps = spec.overflow == numerics::IntOverflow::kWrap;
      events.inner.add({wraps ? Event::kWrapped : Event::kSaturated});
      if (!wraps) sum = too_large ? max : Rational(-max - 1);
      while (sum > max) sum -= modulus;
      while (sum < -max - 1) sum += modulus;
    }
    const Exact<Rational> inner{Kind::kNumber, sum < 0, sum < 0 ? Rational(-sum) : sum};
    const Exact<Rational> scale = carrier_term(scales.empty() ? 1.0F : scales[chunk]).value;
    const Exact<Rational> addend = oracle_product(scale, inner).value;
    Expected<Rational> next = oracle(oracle_sum(outer, addend, spec.outer.rounding).value, spec.outer);
    if (!outer.is_zero() && outer.kind == Kind::kNumber && !addend.is_zero() && next.result == outer) {
      next.events.add(Event::kSwamped);
    }
    events.outer.add(next.events);
    outer = next.result;
  }
  return outer;
}

TEST_F(AccumulatorDifferentialTest, IntegerSpecsMatchRationalExecution) {
  for (int i = 0; i < kNumIntCases && !HasFailure(); ++i) {
    IntAccumulationSpec spec;
    spec.inner.bits = one_of({2, 7, 12, 15, 16, 19, 24, 31, 32});
    spec.overflow = one_of({numerics::IntOverflow::kWrap, numerics::IntOverflow::kSaturate});
    spec.promote_every = one_of({0, 1, 7, 32, 128});
    do {
      spec.outer = any_float_spec();
    } while (spec.outer.rounding == RoundingMode::kStochastic);  // its random steps are pinned by the float test
    const std::size_t length = below(100);
    std::vector<std::int8_t> a(length);
    std::vector<std::int8_t> b(length);
    for (auto* operands : {&a, &b}) {
      for (std::int8_t& value : *operands) value = static_cast<std::int8_t>(below(4) == 0 ? -128 : below(256));
    }
    const std::size_t per_chunk =
        spec.promote_every == 0 ? std::max<std::size_t>(length, 1) : static_cast<std::size_t>(spec.promote_every);
    const std::vector<float> scales =
        below(2) == 0 ? any_scales((length + per_chunk - 1) / per_chunk) : std::vector<float>{};

    AccumulationEvents expected_events;
    const Exact<Rational> expected = int_oracle(a, b, spec, scales, expected_events);
    AccumulationEvents events;
    const float actual = arith::dot_reference(a, b, spec, scales, {}, {}, events);
    SCOPED_TRACE("case " + std::to_string(i) + " of seed " + std::to_string(kSeed) + ": int" +
                 std::to_string(spec.inner.bits) + " promote " + std::to_string(spec.promote_every) + " outer " +
                 to_string(spec.outer) + " K " + std::to_string(length));
    expect_same(actual, expected, events, expected_events);
  }
}

}  // namespace
}  // namespace guardbit::tests
