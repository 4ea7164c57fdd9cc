// Operands with zero points and scales per group: quantization against comparisons of exact distances, products
// against integers of any size (GMP) and correctly rounded arithmetic (MPFR), float sums against arith's reference.
#include "models/units/affine_product.h"

#include <gmp.h>
#include <gtest/gtest.h>
#include <mpfr.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

#include "models/arith/accumulator.h"
#include "models/numerics/codec.h"

namespace guardbit::units {
namespace {

using numerics::Event;
using numerics::Stage;

struct Case {
  int activation_bits = 4;
  int weight_bits = 4;
  std::size_t depth = 0;
  std::size_t weight_group = 0;
  std::size_t activation_group = 0;
  bool weight_zeros = false;
  bool activation_zeros = false;
  std::string accumulator = "int32";
  std::string buffer = {};
  std::string dataflow = "os";
  std::int64_t rows = 32;
};

std::string int_name(int bits) { return "int" + std::to_string(bits); }

MatrixMode mode_of(const Case& c) {
  ArrayConfig array;
  array.dataflow = c.dataflow;
  array.rows = c.rows;
  OperandConfig operands;
  operands.activation = int_name(c.activation_bits);
  operands.weight = int_name(c.weight_bits);
  AccumulatorConfig accumulator;
  accumulator.format = c.accumulator;
  accumulator.int_overflow = "wrap";
  accumulator.buffer.format = c.buffer;
  const std::size_t finer = c.weight_group == 0       ? c.activation_group
                            : c.activation_group == 0 ? c.weight_group
                                                      : std::min(c.weight_group, c.activation_group);
  MatrixMode mode = make_matrix_mode(array, operands, accumulator, static_cast<int>(finer));
  mode.group = 0;
  mode.weight_group = static_cast<int>(c.weight_group);
  mode.activation_group = static_cast<int>(c.activation_group);
  mode.weight_zero_points = c.weight_zeros;
  mode.activation_zero_point = c.activation_zeros;
  return mode;
}

/// Codes over the whole range, extremes often.
Operand random_operand(std::size_t rows, std::size_t depth, int bits, std::size_t group, bool zeros, unsigned seed) {
  std::mt19937 engine(seed);
  std::uniform_int_distribution<int> code(-(1 << (bits - 1)), (1 << (bits - 1)) - 1);
  std::uniform_int_distribution<int> coin(0, 3);
  std::uniform_real_distribution<float> scale(0.01F, 3);
  Operand operand;
  operand.integer = true;
  operand.codes = Matrix<std::int8_t>(rows, depth);
  for (std::int8_t& value : operand.codes.data()) {
    value = static_cast<std::int8_t>(coin(engine) == 0 ? -(1 << (bits - 1)) : code(engine));
  }
  operand.group = group;
  const std::size_t groups = num_groups(depth, group);
  if (group == 0) {
    operand.scales.assign(rows, 1);
  } else {
    operand.group_scales = Matrix<float>(rows, groups);
    for (float& value : operand.group_scales.data()) value = scale(engine);
  }
  if (zeros) {
    operand.zero_points = Matrix<std::int8_t>(rows, groups);
    for (std::int8_t& value : operand.zero_points.data()) value = static_cast<std::int8_t>(code(engine));
  }
  return operand;
}

/// outer + scale * sum, correctly rounded to p bits (ranges of the tests stay far inside the formats').
class Outer {
 public:
  explicit Outer(mpfr_prec_t precision) {
    mpfr_init2(exact_, 2000);
    mpfr_init2(rounded_, precision);
  }
  ~Outer() {
    mpfr_clear(exact_);
    mpfr_clear(rounded_);
  }
  Outer(const Outer&) = delete;
  Outer& operator=(const Outer&) = delete;

  float add(float outer, float scale, const mpz_t sum, EventCounts& events) {
    mpfr_set_z(exact_, sum, MPFR_RNDN);
    mpfr_mul_d(exact_, exact_, static_cast<double>(scale), MPFR_RNDN);
    const bool adds_something = mpfr_zero_p(exact_) == 0;
    mpfr_add_d(exact_, exact_, static_cast<double>(outer), MPFR_RNDN);
    if (mpfr_set(rounded_, exact_, MPFR_RNDN) != 0) ++events[Event::kInexact];
    const auto result = static_cast<float>(mpfr_get_d(rounded_, MPFR_RNDN));
    if (adds_something && outer != 0 && result == outer) ++events[Event::kSwamped];
    return result;
  }

 private:
  mpfr_t exact_;
  mpfr_t rounded_;
};

/// The product as its definition says, in integers of any size: sums of (code_x - z_x)(code_w - z_w).
Matrix<float> expected_product(const Operand& a, const Operand& b, std::size_t chunk, mpfr_prec_t precision,
                               EventCounts& events) {
  Matrix<float> result(a.rows(), b.rows());
  Outer outer(precision);
  mpz_t sum;
  mpz_init(sum);
  const auto zero_of = [](const Operand& operand, std::size_t row, std::size_t k) {
    if (operand.zero_points.rows() == 0) return 0;
    return static_cast<int>(operand.zero_points(row, operand.group == 0 ? 0 : k / operand.group));
  };
  for (std::size_t i = 0; i < a.rows(); ++i) {
    for (std::size_t j = 0; j < b.rows(); ++j) {
      for (std::size_t begin = 0; begin < a.cols(); begin += chunk) {
        mpz_set_si(sum, 0);
        for (std::size_t k = begin; k < std::min(begin + chunk, a.cols()); ++k) {
          mpz_t x;
          mpz_init_set_si(x, a.codes(i, k) - zero_of(a, i, k));
          mpz_mul_si(x, x, b.codes(j, k) - zero_of(b, j, k));
          mpz_add(sum, sum, x);
          mpz_clear(x);
        }
        float scale = 1;
        if (a.group != 0) scale = a.group_scales(i, begin / a.group);
        if (b.group != 0) {
          const float own = b.group_scales(j, begin / b.group);
          if (a.group != 0 &&
              static_cast<double>(scale * own) != static_cast<double>(scale) * static_cast<double>(own)) {
            ++events[Event::kInexact];
          }
          scale *= own;
        }
        result(i, j) = outer.add(result(i, j), scale, sum, events);
      }
    }
  }
  mpz_clear(sum);
  return result;
}

const std::vector<Case> kCases = {
    {.depth = 40, .weight_zeros = true},
    {.depth = 40, .activation_zeros = true},
    {.depth = 40, .weight_zeros = true, .activation_zeros = true},
    {.depth = 100, .weight_group = 16},
    {.depth = 100, .weight_group = 16, .weight_zeros = true, .activation_zeros = true},
    {.depth = 100, .activation_group = 32},
    {.depth = 100, .weight_group = 16, .activation_group = 32, .weight_zeros = true},
    {.depth = 100, .weight_group = 64, .activation_group = 32, .activation_zeros = true},
    {.activation_bits = 8, .weight_bits = 8, .depth = 3000, .weight_zeros = true, .activation_zeros = true},
    {.activation_bits = 8, .weight_bits = 2, .depth = 700, .weight_group = 128, .weight_zeros = true},
    {.activation_bits = 3, .weight_bits = 8, .depth = 700, .weight_group = 300, .weight_zeros = true},
    {.activation_bits = 8, .weight_bits = 8, .depth = 9000, .weight_zeros = true, .activation_zeros = true},
    {.depth = 200, .weight_group = 50, .weight_zeros = true, .buffer = "fp16"},
    {.depth = 200, .weight_group = 64, .weight_zeros = true, .buffer = "fp32", .dataflow = "ws", .rows = 32},
};

TEST(AffineProductTest, SumsAreThoseOfIntegersOfAnySize) {
  for (const Case& c : kCases) {
    const MatrixMode mode = mode_of(c);
    ASSERT_TRUE(mode.is_affine());
    const Operand a = random_operand(7, c.depth, c.activation_bits, c.activation_group, c.activation_zeros, 1);
    const Operand b = random_operand(9, c.depth, c.weight_bits, c.weight_group, c.weight_zeros, 2);
    Matrix<float> acc(7, 9, std::numeric_limits<float>::quiet_NaN());
    EventLedger ledger;
    matrix_product(a, b, {0, 7}, {0, 9}, mode, {}, {}, acc.view(), ledger);
    EventCounts events;
    const std::size_t chunk = std::min(static_cast<std::size_t>(mode.chunk), c.depth);
    const Matrix<float> expected = expected_product(a, b, chunk, c.buffer == "fp16" ? 11 : 24, events);
    const std::string name = "depth " + std::to_string(c.depth) + " groups " + std::to_string(c.weight_group) + ", " +
                             std::to_string(c.activation_group);
    EXPECT_EQ(acc, expected) << name;
    EXPECT_EQ(ledger[Stage::kOuterAccumulator], events) << name;
    EXPECT_EQ(ledger.total(), events) << name;
  }
}

TEST(AffineProductTest, WhatIsFoldedOfAStaticRangeGivesTheBitsOfTheUnfoldedDatapath) {
  std::mt19937 engine(5);
  std::normal_distribution<float> normal(0.5F, 2);
  const ValueRange range{.low = -1, .high = 2.5F};  // some values are outside
  for (Case c : kCases) {
    if (c.activation_group != 0) continue;
    for (const bool zeros : {false, true}) {
      c.activation_zeros = zeros;
      const MatrixMode mode = mode_of(c);
      Matrix<float> x(7, c.depth);
      for (float& value : x.data()) value = normal(engine);
      EventLedger quantizer;
      const Operand a = quantize_affine_operand(x.view(), mode, quantizer, {}, &range);
      EXPECT_GT(quantizer.total()[Event::kClipped], 0U);
      Operand b = random_operand(9, c.depth, c.weight_bits, c.weight_group, c.weight_zeros, 2);
      for (float& scale : b.scales) scale = std::fabs(normal(engine)) + 0.01F;
      Operand folded = b;
      fold_static_range(range, mode, folded);
      EXPECT_EQ(folded.folded.rows(), zeros ? 9U : 0U);
      Matrix<float> acc(7, 9);
      Matrix<float> folded_acc(7, 9);
      EventLedger ledger;
      EventLedger folded_ledger;
      matrix_product(a, b, {0, 7}, {0, 9}, mode, {}, {}, acc.view(), ledger);
      matrix_product(a, folded, {0, 7}, {0, 9}, mode, {}, {}, folded_acc.view(), folded_ledger);
      EXPECT_EQ(folded_acc, acc) << c.depth;
      EXPECT_EQ(folded_ledger.total(), ledger.total()) << c.depth;
      Matrix<float> y(7, 9);
      Matrix<float> folded_y(7, 9);
      const numerics::FloatSpec fp32 = conversion_spec("fp32");
      epilogue(acc.view(), {.row_scales = a.scales, .col_scales = b.scales}, fp32, y.view(), ledger);
      epilogue(acc.view(),
               {.row_scales = b.scales.empty() ? std::span<const float>(a.scales) : std::span<const float>{},
                .col_scales = folded.scales},
               fp32, folded_y.view(), folded_ledger);
      EXPECT_EQ(folded_y, y) << c.depth;
    }
  }
}

TEST(AffineProductTest, SumsThatBinary32DoesNotHoldAreCorrectedExactly) {
  // I = 127 * 127 * 2001 is odd and beyond 2^24; less 126 R it is 127 * 2001.
  const Case c{.activation_bits = 8, .weight_bits = 8, .depth = 2001, .weight_zeros = true};
  Operand a = random_operand(1, c.depth, 8, 0, false, 1);
  Operand b = random_operand(1, c.depth, 8, 0, true, 2);
  std::fill(a.codes.data().begin(), a.codes.data().end(), std::int8_t{127});
  std::fill(b.codes.data().begin(), b.codes.data().end(), std::int8_t{127});
  b.zero_points(0, 0) = 126;
  Matrix<float> acc(1, 1);
  EventLedger ledger;
  matrix_product(a, b, {0, 1}, {0, 1}, mode_of(c), {}, {}, acc.view(), ledger);
  EXPECT_EQ(acc(0, 0), 127 * 2001);
  EXPECT_EQ(ledger.total(), EventCounts{});
}

TEST(AffineProductTest, CorrectionsBeyond32BitsAreExact) {
  // z_x (C - n z_w) is beyond 2^31 from 65,794 channels on; what remains of the sum is beyond 2^32.
  const Case c{.activation_bits = 8, .weight_bits = 8, .depth = 70000, .weight_zeros = true, .activation_zeros = true};
  Operand a = random_operand(1, c.depth, 8, 0, true, 1);
  Operand b = random_operand(1, c.depth, 8, 0, true, 2);
  for (Operand* operand : {&a, &b}) {
    std::fill(operand->codes.data().begin(), operand->codes.data().end(), std::int8_t{-128});
    operand->zero_points(0, 0) = 127;
  }
  const MatrixMode mode = mode_of(c);
  ASSERT_GE(static_cast<std::size_t>(mode.chunk), c.depth);
  Matrix<float> acc(1, 1);
  EventLedger ledger;
  matrix_product(a, b, {0, 1}, {0, 1}, mode, {}, {}, acc.view(), ledger);
  const std::int64_t expected = std::int64_t{255} * 255 * 70000;
  EXPECT_EQ(acc(0, 0), static_cast<float>(expected));
  EventCounts inexact;
  inexact[Event::kInexact] = 1;
  EXPECT_EQ(ledger.total(), inexact);
}

TEST(AffineProductTest, BlocksEqualTheWholeWhateverTheThreads) {
  const Case c{
      .depth = 100, .weight_group = 16, .activation_group = 32, .weight_zeros = true, .activation_zeros = true};
  MatrixMode mode = mode_of(c);
  mode.int_spec.outer.format = numerics::kBf16;
  mode.int_spec.outer.rounding = numerics::RoundingMode::kStochastic;
  mode.int_spec.outer.random_bits = 8;
  const Operand a = random_operand(7, c.depth, 4, c.activation_group, true, 1);
  const Operand b = random_operand(9, c.depth, 4, c.weight_group, true, 2);
  MatrixProductOptions options;
  options.stream = {5, 3};
  Matrix<float> whole(7, 9);
  Matrix<float> parts(7, 9);
  EventLedger of_whole;
  EventLedger of_parts;
  matrix_product(a, b, {0, 7}, {0, 9}, mode, {}, options, whole.view(), of_whole);
  options.parallel_for = [](std::size_t count, const std::function<void(std::size_t)>& body) {
    for (std::size_t i = count; i > 0; --i) body(i - 1);
  };
  for (const IndexRange rows : {IndexRange{0, 3}, IndexRange{3, 7}}) {
    for (const IndexRange cols : {IndexRange{0, 5}, IndexRange{5, 9}}) {
      matrix_product(a, b, rows, cols, mode, {}, options,
                     parts.view().rows_range(rows.begin, rows.end).cols_range(cols.begin, cols.end), of_parts);
    }
  }
  EXPECT_EQ(parts, whole);
  EXPECT_EQ(of_parts, of_whole);
  options.stream = {6, 3};
  matrix_product(a, b, {0, 7}, {0, 9}, mode, {}, options, parts.view(), of_parts);
  EXPECT_NE(parts, whole) << "rounding is stochastic";
}

TEST(AffineProductTest, NarrowAccumulatorsWrapBeforeTheCorrection) {
  const Case c{.depth = 600, .weight_zeros = true, .activation_zeros = true, .accumulator = "int12"};
  const MatrixMode mode = mode_of(c);
  const Operand a = random_operand(3, c.depth, 4, 0, true, 1);
  const Operand b = random_operand(4, c.depth, 4, 0, true, 2);
  Matrix<float> acc(3, 4);
  EventLedger ledger;
  matrix_product(a, b, {0, 3}, {0, 4}, mode, {}, {}, acc.view(), ledger);
  std::uint64_t wraps = 0;
  for (std::size_t i = 0; i < 3; ++i) {
    for (std::size_t j = 0; j < 4; ++j) {
      std::int64_t sum = 0;
      std::int64_t zeros = 0;
      for (std::size_t k = 0; k < c.depth; ++k) {
        sum += a.codes(i, k) * b.codes(j, k);
        for (; sum > 2047; ++wraps) sum -= 4096;
        for (; sum < -2048; ++wraps) sum += 4096;
        zeros += (a.codes(i, k) - a.zero_points(i, 0)) * (b.codes(j, k) - b.zero_points(j, 0)) -
                 a.codes(i, k) * b.codes(j, k);
      }
      EXPECT_EQ(acc(i, j), static_cast<float>(sum + zeros));
    }
  }
  EXPECT_GT(wraps, 0U);
  EXPECT_EQ(ledger[Stage::kInnerAccumulator][Event::kWrapped], wraps);
}

/// exllama's arithmetic: codes less zero points as fp16, sums in fp16, a group's scale times its sum.
MatrixMode scaled_sums_mode(int group) {
  AccumulatorConfig accumulator;
  accumulator.format = "fp16";
  MatrixMode mode = make_matrix_mode({}, {}, accumulator, group);
  mode.group = 0;
  mode.weight_group = group;
  mode.scaled_sums = true;
  return mode;
}

QuantizedWeight random_weight(std::size_t rows, std::size_t depth, std::size_t group, bool zeros, unsigned seed) {
  const Operand operand = random_operand(rows, depth, 4, group == 0 ? depth : group, zeros, seed);
  return {.bits = 4,
          .group = group,
          .codes = operand.codes,
          .scales = operand.group_scales,
          .zero_points = operand.zero_points};
}

Operand random_activations(std::size_t rows, std::size_t depth, float factor) {
  std::mt19937 engine(3);
  std::normal_distribution<float> normal(0.5F, 1);
  Operand operand;
  operand.values = Matrix<float>(rows, depth);
  const numerics::FloatSpec fp16 = conversion_spec("fp16");
  for (float& value : operand.values.data()) {
    value = numerics::to_carrier(numerics::round_to_format(numerics::decode(factor * normal(engine)), fp16).code,
                                 fp16.format);
  }
  return operand;
}

TEST(AffineProductTest, ScaledSumsAreHalfPrecisionSumsOfEveryGroup) {
  for (const float factor : {1.0F, 3000.0F}) {  // the second overflows
    for (const std::size_t group : {std::size_t{0}, std::size_t{32}}) {
      const QuantizedWeight weight = random_weight(5, 600, group, true, 4);
      const MatrixMode mode = scaled_sums_mode(static_cast<int>(group));
      EventLedger ledger;
      const Operand b = weight_operand(weight, mode, ledger);
      EXPECT_EQ(ledger.total(), EventCounts{}) << "codes less zero points are exact";
      const Operand a = random_activations(6, 600, factor);
      Matrix<float> acc(6, 5);
      matrix_product(a, b, {0, 6}, {0, 5}, mode, {}, {}, acc.view(), ledger);
      arith::AccumulationSpec spec{.inner = conversion_spec("fp16")};
      if (group != 0) spec.promote_every = static_cast<int>(group);
      if (group != 0) spec.outer = conversion_spec("fp32");
      arith::AccumulationEvents events;
      for (std::size_t n = 0; n < 5; ++n) {
        std::vector<float> steps(600);
        for (std::size_t k = 0; k < 600; ++k) {
          const std::size_t g = weight.group_of(k);
          steps[k] = static_cast<float>(weight.codes(n, k) - weight.zero_points(n, g));
        }
        const std::span<const float> scales =
            group == 0 ? std::span<const float>{} : std::span(weight.scales.row(n), weight.scales.cols());
        for (std::size_t m = 0; m < 6; ++m) {
          const float expected = arith::dot_reference(std::span<const float>(a.values.row(m), 600),
                                                      std::span<const float>(steps), spec, scales, {}, {}, events);
          EXPECT_EQ(std::bit_cast<std::uint32_t>(acc(m, n)), std::bit_cast<std::uint32_t>(expected)) << m << "," << n;
        }
      }
      EXPECT_EQ(ledger[Stage::kInnerAccumulator], events.inner);
      EXPECT_EQ(ledger[Stage::kOuterAccumulator], events.outer);
      EXPECT_EQ(events.inner[Event::kOverflow] > 0, factor > 1) << "the data exercises the event";
    }
  }
}

TEST(AffineProductTest, SequentialHalfPrecisionSwampsWhatIntegersHold) {
  // 4096 products of 1 * 1: an fp16 sum stalls at 2048; by groups of 128 it is exact.
  for (const std::size_t group : {std::size_t{0}, std::size_t{128}}) {
    QuantizedWeight weight{.bits = 4,
                           .group = group,
                           .codes = Matrix<std::int8_t>(1, 4096, std::int8_t{1}),
                           .scales = Matrix<float>(1, num_groups(4096, group), 1.0F),
                           .zero_points = {}};
    const MatrixMode mode = scaled_sums_mode(static_cast<int>(group));
    EventLedger ledger;
    Operand a;
    a.values = Matrix<float>(1, 4096, 1.0F);
    Matrix<float> acc(1, 1);
    matrix_product(a, weight_operand(weight, mode, ledger), {0, 1}, {0, 1}, mode, {}, {}, acc.view(), ledger);
    EXPECT_EQ(acc(0, 0), group == 0 ? 2048 : 4096);
    EXPECT_EQ(ledger[Stage::kInnerAccumulator][Event::kSwamped], group == 0 ? 2048U : 0U);
  }
}

TEST(AffineProductTest, DequantizedWeightsAreRoundedOnce) {
  const QuantizedWeight weight = random_weight(5, 96, 32, true, 4);
  MatrixMode mode = make_matrix_mode({}, {}, {});
  EventLedger ledger;
  const Operand operand = weight_operand(weight, mode, ledger);
  std::uint64_t inexact = 0;
  mpfr_t exact;
  mpfr_t rounded;
  mpfr_init2(exact, 100);
  mpfr_init2(rounded, 11);
  for (std::size_t n = 0; n < 5; ++n) {
    for (std::size_t k = 0; k < 96; ++k) {
      mpfr_set_si(exact, weight.codes(n, k) - weight.zero_points(n, k / 32), MPFR_RNDN);
      mpfr_mul_d(exact, exact, static_cast<double>(weight.scales(n, k / 32)), MPFR_RNDN);
      inexact += mpfr_set(rounded, exact, MPFR_RNDN) != 0 ? 1 : 0;
      EXPECT_EQ(operand.values(n, k), static_cast<float>(mpfr_get_d(rounded, MPFR_RNDN)));
    }
  }
  mpfr_clear(exact);
  mpfr_clear(rounded);
  EXPECT_EQ(ledger[Stage::kOperand][Event::kInexact], inexact);
  EXPECT_FALSE(mode.is_affine());
}

TEST(AffineOperandTest, CodesAreNearestByTokenAndGroup) {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  const Matrix<float> x(2, 4, {0, 3, -3, 12, kNan, 0, -8, 7});
  Case c{.depth = 4, .activation_zeros = true};
  EventLedger ledger;
  const Operand whole = quantize_operand(x.view(), mode_of(c), false, ledger);
  EXPECT_EQ(whole.scales, (std::vector<float>{1, 1}));
  EXPECT_EQ(whole.zero_points.data(), (std::vector<std::int8_t>{-5, 0}));  // 3 - 8 and 8 - 8
  EXPECT_EQ(whole.codes.data(), (std::vector<std::int8_t>{-5, -2, -8, 7, 0, 0, -8, 7}));
  EXPECT_EQ(ledger[Stage::kQuantizer][Event::kInvalid], 1U);

  c = {.depth = 4, .activation_group = 2};
  const Operand grouped = quantize_operand(x.view(), mode_of(c), false, ledger);
  EXPECT_TRUE(grouped.scales.empty());
  EXPECT_EQ(grouped.group_scales.data(), (std::vector<float>{3.0F / 7, 12.0F / 7, 1, 8.0F / 7}));
  EXPECT_EQ(grouped.zero_points.rows(), 0U);
  EXPECT_EQ(grouped.codes.data(), (std::vector<std::int8_t>{0, 7, -2, 7, 0, 0, -7, 6}));
}

TEST(AffineOperandTest, ErrorsAreAtMostAStepAndEventsAreTheDefinitions) {
  std::mt19937 engine(5);
  std::normal_distribution<float> normal(0.4F, 2);
  Matrix<float> x(16, 90);
  for (float& value : x.data()) value = normal(engine);
  for (const int bits : {3, 4, 8}) {
    for (const std::size_t group : {std::size_t{0}, std::size_t{32}}) {
      EventLedger ledger;
      const Case c{.activation_bits = bits, .depth = 90, .activation_group = group, .activation_zeros = true};
      const Operand operand = quantize_operand(x.view(), mode_of(c), false, ledger);
      EventCounts expected;
      for (std::size_t m = 0; m < 16; ++m) {
        for (std::size_t k = 0; k < 90; ++k) {
          const std::size_t g = group == 0 ? 0 : k / group;
          const auto scale = static_cast<double>(group == 0 ? operand.scales[m] : operand.group_scales(m, g));
          const int steps = operand.codes(m, k) - operand.zero_points(m, g);
          const double error = std::abs(steps * scale - static_cast<double>(x(m, k)));  // 32 bits: exact
          const bool at_end = operand.codes(m, k) == -(1 << (bits - 1)) || operand.codes(m, k) == (1 << (bits - 1)) - 1;
          EXPECT_LE(error, (at_end ? 1.0001 : 0.5) * scale) << bits << " " << m << "," << k;
          if (error != 0) ++expected[Event::kInexact];
          if (steps == 0 && x(m, k) != 0) ++expected[Event::kZeroed];
        }
      }
      expected[Event::kClipped] = ledger[Stage::kQuantizer][Event::kClipped];  // needs the code before the clamp
      EXPECT_EQ(ledger[Stage::kQuantizer], expected);
      EXPECT_GT(expected[Event::kZeroed], 0U);
    }
  }
}

}  // namespace
}  // namespace guardbit::units
