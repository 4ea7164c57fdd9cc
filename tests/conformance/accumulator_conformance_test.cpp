// Properties that every row of accumulator_registry.h must have, and those that its columns declare, in both
// directions.
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <random>

#include "models/arith/accumulator.h"
#include "models/arith/accumulators/accumulator_registry.h"
#include "models/arith/float_ops.h"
#include "models/numerics/check.h"
#include "models/numerics/codec.h"

namespace guardbit::arith {

/// Keeps gtest from printing a byte dump as the parameter of every test.
inline void PrintTo(const Accumulator& row, std::ostream* out) { *out << row.name; }

namespace {

using numerics::Event;
using numerics::kFp16;
using numerics::kFp32;
using numerics::RandomStream;

/// Operands that every row accepts: small integers, and their carriers.
using Operands = std::vector<std::int8_t>;

struct Options {
  int width = 4;
  int interleave = 1;
  int promote_every = 0;
  FloatSpec inner{.format = kFp16};
  FloatSpec outer{.format = kFp32};
  numerics::IntFormat int_inner{32};
  numerics::IntOverflow int_overflow = numerics::IntOverflow::kWrap;
};

struct Result {
  float value = 0;
  AccumulationEvents events{};
  friend bool operator==(const Result& x, const Result& y) {
    return std::bit_cast<std::uint32_t>(x.value) == std::bit_cast<std::uint32_t>(y.value) && x.events == y.events;
  }
  friend void PrintTo(const Result& result, std::ostream* out) { *out << std::hexfloat << result.value; }
};

AccumulationSpec float_spec(const FloatReduction& reduction, const Options& options) {
  const bool uses_width = reduction.reduce == Reduce::kTree || reduction.reduce == Reduce::kAligned;
  return {.reduce = reduction.reduce,
          .width = uses_width ? options.width : 1,
          .interleave = options.interleave,
          .inner = options.inner,
          .promote_every = options.promote_every,
          .outer = options.outer,
          .fixed = {.format = {.integer_bits = options.int_inner.bits, .fraction_bits = 0},
                    .overflow = options.int_overflow}};
}

class AccumulatorConformanceTest : public testing::TestWithParam<Accumulator> {
 protected:
  bool is_integer() const { return std::holds_alternative<IntReduction>(GetParam().reduction); }
  /// Every accumulation step rounds, as opposed to integers and fixed point.
  bool has_rounded_steps() const { return !is_integer() && float_reduction().reduce != Reduce::kFixed; }
  const FloatReduction& float_reduction() const { return std::get<FloatReduction>(GetParam().reduction); }

  Result run(const Operands& a, const Operands& b, const Options& options,
             const std::vector<float>& scales = {}) const {
    Result result;
    if (is_integer()) {
      const IntAccumulationSpec spec{.inner = options.int_inner,
                                     .overflow = options.int_overflow,
                                     .promote_every = options.promote_every,
                                     .outer = options.outer};
      result.value = dot_reference(a, b, spec, scales, {}, {}, result.events);
    } else {
      const std::vector<float> x(a.begin(), a.end());
      const std::vector<float> y(b.begin(), b.end());
      result.value = dot_reference(x, y, float_spec(float_reduction(), options), scales, {}, {}, result.events);
    }
    return result;
  }

  /// Integers in -limit..limit without 0.
  static Operands random_operands(std::size_t length, std::mt19937& random, int limit = 127) {
    Operands values(length);
    for (std::int8_t& value : values) {
      const int magnitude = 1 + static_cast<int>(random() % static_cast<unsigned>(limit));
      value = static_cast<std::int8_t>(random() % 2 == 0 ? magnitude : -magnitude);
    }
    return values;
  }

  /// Options under which the order of products matters if anything can make it matter.
  Options order_options() const {
    Options options;
    options.int_inner = {15};
    options.int_overflow = numerics::IntOverflow::kSaturate;
    return options;
  }

  /// Whether `change` alters the value of one of 50 random dot products.
  template <class Change>
  bool changes_some_value(const Options& before, const Options& after, const Change& change) const {
    std::mt19937 random(1);
    for (int i = 0; i < 50; ++i) {
      Operands a = random_operands(64, random);
      Operands b = random_operands(64, random);
      const float original = run(a, b, before).value;
      change(a, b);
      if (run(a, b, after).value != original) return true;
    }
    return false;
  }
};

const auto kReverse = [](Operands& a, Operands& b) {
  std::reverse(a.begin(), a.end());
  std::reverse(b.begin(), b.end());
};
const auto kKeep = [](Operands&, Operands&) {};

TEST_P(AccumulatorConformanceTest, NoProductsGivePlusZeroWithoutEvents) {
  for (const auto mode : {numerics::RoundingMode::kTiesToEven, numerics::RoundingMode::kTowardNegative}) {
    for (const int promote_every : {0, 8}) {
      Options options{.promote_every = promote_every};
      options.inner.rounding = mode;
      options.outer.rounding = mode;
      EXPECT_EQ(run({}, {}, options), Result{});
    }
  }
}

TEST_P(AccumulatorConformanceTest, OneProductIsThatProduct) {
  for (const int promote_every : {0, 1, 5}) {
    EXPECT_EQ(run({7}, {-9}, {.promote_every = promote_every}), Result{-63.0F});
  }
}

TEST_P(AccumulatorConformanceTest, TrailingZeroProductsChangeNoBit) {
  std::mt19937 random(2);
  for (std::size_t length = 1; length < 20; ++length) {
    Operands a = random_operands(length, random);
    Operands b = random_operands(length, random);
    const float value = run(a, b, {}).value;
    for (int padding = 0; padding < 9; ++padding) {
      a.push_back(0);
      b.push_back(77);
      EXPECT_EQ(run(a, b, {}).value, value) << length << " + " << padding;
    }
  }
}

TEST_P(AccumulatorConformanceTest, NegatedOperandsGiveTheNegatedSum) {
  std::mt19937 random(3);
  for (int i = 0; i < 50; ++i) {
    const Operands a = random_operands(40, random);
    const Operands b = random_operands(40, random);
    Operands minus_a = a;
    for (std::int8_t& value : minus_a) value = static_cast<std::int8_t>(-value);
    const Result sum = run(a, b, {});
    const Result negated = run(minus_a, b, {});
    EXPECT_EQ(negated.value, -sum.value);
    EXPECT_EQ(negated.events, sum.events);
  }
}

TEST_P(AccumulatorConformanceTest, OrderMattersExactlyWhereDeclared) {
  const Options options = order_options();
  EXPECT_EQ(changes_some_value(options, options, kReverse), GetParam().order_dependent);
  // Where no sum is rounded and none saturates, the order never matters.
  const Options exact{.inner = {.format = kFp32}, .int_overflow = numerics::IntOverflow::kSaturate};
  EXPECT_FALSE(changes_some_value(exact, exact, kReverse));
  // Wrapping is arithmetic modulo 2^n, which has no order.
  if (!has_rounded_steps()) {
    const Options wrapping{.inner = {.format = kFp32}, .int_inner = {12}};
    EXPECT_FALSE(changes_some_value(wrapping, wrapping, kReverse));
  }
}

TEST_P(AccumulatorConformanceTest, WidthMattersExactlyWhereDeclared) {
  EXPECT_EQ(changes_some_value({.width = 4}, {.width = 16}, kKeep), GetParam().uses_width);
}

TEST_P(AccumulatorConformanceTest, InterleaveMattersOnlyWhereStepsRound) {
  EXPECT_EQ(changes_some_value({.interleave = 1}, {.interleave = 3}, kKeep), has_rounded_steps());
}

TEST_P(AccumulatorConformanceTest, OneChunkOfAllProductsIsOnePromotion) {
  std::mt19937 random(4);
  for (const std::size_t length : {1U, 5U, 16U, 33U}) {
    const Operands a = random_operands(length, random);
    const Operands b = random_operands(length, random);
    const auto k = static_cast<int>(length);
    const Result exactly = run(a, b, {.promote_every = k});
    EXPECT_EQ(exactly, run(a, b, {.promote_every = k + 1}));
    EXPECT_EQ(exactly, run(a, b, {.promote_every = 1000}));
    // Every fp16 or int32 sum here is a binary32, so that promoting it changes no bit.
    EXPECT_EQ(exactly.value, run(a, b, {}).value);
  }
}

TEST_P(AccumulatorConformanceTest, ChunksAreSummedAloneAndPromotedInOrder) {
  std::mt19937 random(5);
  constexpr std::size_t kLength = 53;
  constexpr std::size_t kChunk = 10;  // not a multiple of width or interleave; the last chunk is partial
  const Options options{.interleave = 3, .promote_every = kChunk};
  const Options alone{.interleave = 3};
  const FloatSpec outer = options.outer;
  for (int i = 0; i < 20; ++i) {
    const Operands a = random_operands(kLength, random);
    const Operands b = random_operands(kLength, random);
    std::vector<float> scales;
    float expected = 0;
    for (std::size_t begin = 0; begin < kLength; begin += kChunk) {
      const auto part = [&](const Operands& x) {
        return Operands(x.begin() + static_cast<std::ptrdiff_t>(begin),
                        x.begin() + static_cast<std::ptrdiff_t>(std::min(begin + kChunk, kLength)));
      };
      scales.push_back(1.0F / static_cast<float>(3 + begin));
      const Rounded next = multiply_add(numerics::from_carrier(scales.back(), kFp32),
                                        numerics::from_carrier(run(part(a), part(b), alone).value, kFp32), kFp32,
                                        numerics::from_carrier(expected, kFp32), kFp32, outer);
      expected = numerics::to_carrier(next.code, kFp32);
    }
    EXPECT_EQ(run(a, b, options, scales).value, expected);
  }
}

TEST_P(AccumulatorConformanceTest, AsManyScalesAsChunks) {
  const Operands ones(10, 1);
  EXPECT_EQ(run(ones, ones, {.promote_every = 4}, {1, 10, 100}).value, 4.0F + 40.0F + 200.0F);
  EXPECT_THROW(run(ones, ones, {.promote_every = 4}, {1, 10}), InternalError);
  EXPECT_THROW(run(ones, ones, {.promote_every = 4}, {1, 10, 100, 1000}), InternalError);
  if (!is_integer()) {
    EXPECT_THROW(run(ones, ones, {}, {1}), InternalError);
  }
}

TEST_P(AccumulatorConformanceTest, GemmIsOneDotPerOutput) {
  std::mt19937 random(6);
  constexpr std::size_t kRows = 3, kColumns = 5, kDepth = 21;
  const Operands a = random_operands(kRows * kDepth, random);
  const Operands b = random_operands(kDepth * kColumns, random);
  const RandomStream stream{.seed = 12, .unit = 3};
  const OutputIndex first{.row = 100, .column = 1000};
  Options options{.promote_every = 6};
  options.inner.rounding = numerics::RoundingMode::kStochastic;
  options.outer.rounding = numerics::RoundingMode::kStochastic;

  const auto check = [&]<class Operand>(const std::vector<Operand>& x, const std::vector<Operand>& y,
                                        const auto& spec) {
    const numerics::MatrixView<const Operand> left{x.data(), kRows, kDepth, kDepth, 1};
    // b is stored (N, K): a column stride of K.
    const numerics::MatrixView<const Operand> right{y.data(), kDepth, kColumns, 1, kDepth};
    numerics::Matrix<float> c(kRows, kColumns);
    AccumulationEvents gemm_events;
    gemm_reference(left, right, spec, {}, stream, first, c.view(), gemm_events);
    AccumulationEvents dot_events;
    for (std::size_t m = 0; m < kRows; ++m) {
      for (std::size_t n = 0; n < kColumns; ++n) {
        const OutputIndex index{first.row + static_cast<std::uint32_t>(m),
                                first.column + static_cast<std::uint32_t>(n)};
        const float dot = dot_reference(std::span(x).subspan(m * kDepth, kDepth),
                                        std::span(y).subspan(n * kDepth, kDepth), spec, {}, stream, index, dot_events);
        EXPECT_EQ(std::bit_cast<std::uint32_t>(c(m, n)), std::bit_cast<std::uint32_t>(dot)) << m << ", " << n;
      }
    }
    EXPECT_EQ(gemm_events, dot_events);
  };
  if (is_integer()) {
    check(a, b, IntAccumulationSpec{.promote_every = options.promote_every, .outer = options.outer});
  } else {
    check(std::vector<float>(a.begin(), a.end()), std::vector<float>(b.begin(), b.end()),
          float_spec(float_reduction(), options));
  }
}

INSTANTIATE_TEST_SUITE_P(Rows, AccumulatorConformanceTest,
                         testing::ValuesIn(accumulators().begin(), accumulators().end()),
                         [](const auto& test) { return std::string(test.param.name); });

}  // namespace

}  // namespace guardbit::arith
