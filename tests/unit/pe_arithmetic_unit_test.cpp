// Single steps of a PE, in the order of a dot product, against dot_reference: bits and events.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <random>
#include <vector>

#include "models/numerics/codec.h"
#include "models/units/pe_arithmetic.h"

namespace guardbit::units {
namespace {

using numerics::FloatSpec;

std::vector<float> random_values(std::size_t count, std::mt19937& random) {
  std::vector<float> values(count);
  for (float& value : values) {
    value = numerics::to_carrier(static_cast<std::uint32_t>(random()) % 0x7C00, numerics::kFp16);
    if (random() % 4 != 0) value = std::ldexp(static_cast<float>(random() % 512), -8);
    if (random() % 256 == 0) value = random() % 2 != 0 ? HUGE_VALF : std::nanf("");
    if (random() % 2 == 0) value = -value;
  }
  return values;
}

std::vector<std::int8_t> random_codes(std::size_t count, std::mt19937& random) {
  std::vector<std::int8_t> codes(count);
  for (std::int8_t& code : codes) code = static_cast<std::int8_t>(random() % 256);
  return codes;
}

/// What an array of one PE would do.
template <class T>
float stepped_dot(const MatrixMode& mode, std::size_t width, const std::vector<T>& a, const std::vector<T>& b,
                  const numerics::RandomStream& stream, arith::OutputIndex output, arith::AccumulationEvents& events) {
  PeArithmetic pe(mode, stream);
  const int promote = mode.integer ? mode.int_spec.promote_every : mode.float_spec.promote_every;
  const std::size_t chunk_length = promote == 0 ? a.size() : static_cast<std::size_t>(promote);
  const auto interleave = static_cast<std::uint32_t>(mode.integer ? 1 : mode.float_spec.interleave);
  float outer = 0;
  PePlace place{.output = output};
  for (std::size_t begin = 0; begin < a.size(); begin += chunk_length, ++place.chunk) {
    std::vector<SumBits> sums(interleave, 0);
    const std::size_t end = std::min(begin + chunk_length, a.size());
    place.step = 0;
    for (std::size_t k = begin; k < end; k += width, ++place.step) {
      place.first_k = static_cast<std::uint32_t>(k);
      SumBits& sum = sums[place.step % interleave];
      sum = pe.step(sum, &a[k], &b[k], std::min(width, end - k), place, events);
    }
    for (std::uint32_t i = 1; i < interleave; ++i) sums[0] = pe.merge(sums[0], sums[i], i, place, events);
    outer = pe.deliver(outer, sums[0], 1.0F, place, events);
  }
  return outer;
}

void expect_dot_reference(const MatrixMode& mode, std::size_t width, std::mt19937& random) {
  for (int trial = 0; trial < 40; ++trial) {
    const std::size_t depth = 1 + random() % 70;
    const numerics::RandomStream stream{.seed = random(), .unit = 3};
    const arith::OutputIndex output{static_cast<std::uint32_t>(random() % 9), static_cast<std::uint32_t>(random() % 9)};
    arith::AccumulationEvents events;
    arith::AccumulationEvents expected_events;
    float sum = 0;
    float expected = 0;
    if (mode.integer) {
      const auto a = random_codes(depth, random), b = random_codes(depth, random);
      sum = stepped_dot(mode, width, a, b, stream, output, events);
      expected = arith::dot_reference(std::span(a), std::span(b), mode.int_spec, {}, stream, output, expected_events);
    } else {
      const auto a = random_values(depth, random), b = random_values(depth, random);
      sum = stepped_dot(mode, width, a, b, stream, output, events);
      expected = arith::dot_reference(std::span(a), std::span(b), mode.float_spec, {}, stream, output, expected_events);
    }
    EXPECT_EQ(std::bit_cast<std::uint32_t>(sum), std::bit_cast<std::uint32_t>(expected)) << sum << " " << expected;
    EXPECT_EQ(events, expected_events);
  }
}

TEST(PeArithmeticTest, StepsOfFloatAccumulatorsAreTheReference) {
  std::mt19937 random(1);
  for (const auto rounding : {numerics::RoundingMode::kTiesToEven, numerics::RoundingMode::kTowardNegative,
                              numerics::RoundingMode::kStochastic}) {
    for (const arith::Reduce reduce : {arith::Reduce::kSequential, arith::Reduce::kTree, arith::Reduce::kAligned}) {
      for (const bool rounds_products : {false, true}) {
        for (const int promote_every : {0, 7, 16}) {
          MatrixMode mode;
          arith::AccumulationSpec& spec = mode.float_spec;
          spec.reduce = reduce;
          spec.width = reduce == arith::Reduce::kSequential ? 1 : 4;
          spec.interleave = 1 + static_cast<int>(random() % 3);
          spec.inner = FloatSpec{.format = numerics::kFp16, .rounding = rounding};
          if (rounds_products) spec.product = spec.inner;
          spec.promote_every = promote_every;
          spec.outer = FloatSpec{.format = numerics::kBf16, .rounding = rounding};
          expect_dot_reference(mode, static_cast<std::size_t>(spec.width), random);
        }
      }
    }
  }
}

TEST(PeArithmeticTest, AChainOfAddersTakesItsProductsInTurn) {
  std::mt19937 random(2);
  MatrixMode mode;
  mode.float_spec.inner.format = numerics::kFp16;
  expect_dot_reference(mode, 8, random);
}

TEST(PeArithmeticTest, StepsOfIntegerAccumulatorsAreTheReference) {
  std::mt19937 random(3);
  for (const auto overflow : {numerics::IntOverflow::kWrap, numerics::IntOverflow::kSaturate}) {
    for (const int bits : {16, 18, 32}) {
      MatrixMode mode;
      mode.integer = true;
      mode.int_spec = {
          .inner = {bits}, .overflow = overflow, .promote_every = 24, .outer = {.format = numerics::kFp16}};
      expect_dot_reference(mode, 4, random);
    }
  }
}

TEST(PeArithmeticTest, StepsOfFixedPointAccumulatorsAreTheReference) {
  std::mt19937 random(4);
  for (const numerics::FixedFormat format : {numerics::FixedFormat{8, 6}, {24, 20}, {40, 48}, {100, 200}}) {
    for (const auto overflow : {numerics::IntOverflow::kWrap, numerics::IntOverflow::kSaturate}) {
      for (const auto rounding : {numerics::RoundingMode::kTiesToEven, numerics::RoundingMode::kStochastic}) {
        for (const int promote_every : {0, 8}) {
          MatrixMode mode;
          arith::AccumulationSpec& spec = mode.float_spec;
          spec.reduce = arith::Reduce::kFixed;
          spec.fixed = {.format = format, .overflow = overflow};
          spec.inner = FloatSpec{.format = numerics::kFp16, .rounding = rounding};
          if (random() % 2 == 0) spec.product = FloatSpec{.format = numerics::kBf16};
          spec.promote_every = promote_every;
          spec.outer = FloatSpec{.format = numerics::kFp16};
          expect_dot_reference(mode, 4, random);  // a chain of adders
          spec.interleave = 1 + static_cast<int>(random() % 3);
          expect_dot_reference(mode, 1, random);
        }
      }
    }
  }
}

}  // namespace
}  // namespace guardbit::units
