/// Operand conversion, products by blocks, and the epilogue against reference operations.
#include "models/units/matrix_unit.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "models/arith/accumulator.h"
#include "tests/support/reference_steps.h"

namespace guardbit::units {
namespace {

using numerics::Event;
using numerics::Stage;
using tests::ReferenceSteps;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

MatrixMode integer_mode(const char* activation, const char* weight, int group = 0) {
  AccumulatorConfig accumulator;
  accumulator.format = "int32";
  OperandConfig operands;
  operands.activation = activation;
  operands.weight = weight;
  return make_matrix_mode({}, operands, accumulator, group);
}

MatrixMode float_mode(const char* activation, const char* weight, const char* scale, double operand_max = 0) {
  OperandConfig operands;
  operands.activation = activation;
  operands.weight = weight;
  operands.scale = scale;
  operands.operand_max = operand_max;
  return make_matrix_mode({}, operands, {});
}

TEST(QuantizeOperandTest, IntegerCodesAreTheNearestMultiplesOfTheScale) {
  const Matrix<float> x = tests::random_carriers(20, 97, numerics::kFp16, 3, 1);
  for (const int bits : {2, 4, 8}) {
    const std::string name = "int" + std::to_string(bits);
    EventLedger ledger;
    const Operand operand = quantize_operand(x.view(), integer_mode(name.c_str(), "int4"), false, ledger);
    ASSERT_TRUE(operand.integer);
    const auto largest = static_cast<float>((1 << (bits - 1)) - 1);
    EventCounts expected;
    EventCounts ignored;
    for (std::size_t row = 0; row < 20; ++row) {
      float max_abs = 0;
      for (std::size_t k = 0; k < 97; ++k) max_abs = std::max(max_abs, std::fabs(x(row, k)));
      const float scale = ReferenceSteps{}.divide(max_abs, largest, ignored);
      ASSERT_EQ(operand.scales[row], scale);
      for (std::size_t k = 0; k < 97; ++k) {
        // code * scale has at most 31 bits: exact; so are the comparisons of distances.
        const long double code = operand.codes(row, k);
        const long double distance = std::fabs(static_cast<long double>(x(row, k)) - code * scale);
        ASSERT_LE(distance * 2, static_cast<long double>(scale)) << row << ", " << k;
        const bool tie = distance * 2 == static_cast<long double>(scale);
        EXPECT_FALSE(tie && operand.codes(row, k) % 2 != 0) << "ties go to even";
        if (x(row, k) != 0 && code == 0) ++expected[Event::kZeroed];
        if (distance != 0) ++expected[Event::kInexact];
      }
    }
    EXPECT_EQ(ledger[Stage::kQuantizer], expected) << bits;
    EXPECT_EQ(ledger.total(), expected) << bits;
    EXPECT_GT(expected[Event::kZeroed], 0u) << "the data exercises the event";
  }
}

TEST(QuantizeOperandTest, SpecialRows) {
  const Matrix<float> x(4, 3, std::vector<float>{0, 0, -0.0F, 1, kNan, -7, kInfinity, 1, -kInfinity, 0x1p-149F, 0, 0});
  EventLedger ledger;
  const Operand operand = quantize_operand(x.view(), integer_mode("int4", "int4"), true, ledger);
  EXPECT_EQ(operand.scales, (std::vector<float>{1, 1, std::numeric_limits<float>::max(), 0x1p-149F}));
  EXPECT_EQ(operand.codes.data(), (std::vector<std::int8_t>{0, 0, 0, 1, 0, -7, 7, 0, -8, 1, 0, 0}));
  EXPECT_EQ(ledger[Stage::kQuantizer][Event::kInvalid], 1u);
  EXPECT_EQ(ledger[Stage::kQuantizer][Event::kClipped], 2u);
}

TEST(QuantizeOperandTest, DynamicFloatScalesFillTheFormat) {
  const Matrix<float> x = tests::random_carriers(10, 64, numerics::kFp16, 1000, 2);
  for (const double operand_max : {0.0, 7.0, 447.0}) {
    const MatrixMode mode = float_mode("fp8_e4m3", "fp8_e5m2", "dynamic", operand_max);
    EventLedger ledger;
    const Operand operand = quantize_operand(x.view(), mode, false, ledger);
    numerics::FloatSpec spec = conversion_spec("fp8_e4m3");
    EventCounts expected;
    EventCounts ignored;
    for (std::size_t row = 0; row < 10; ++row) {
      float max_abs = 0;
      for (std::size_t k = 0; k < 64; ++k) max_abs = std::max(max_abs, std::fabs(x(row, k)));
      const float scale =
          ReferenceSteps{}.divide(max_abs, operand_max > 0 ? static_cast<float>(operand_max) : 448, ignored);
      ASSERT_EQ(operand.scales[row], scale);
      for (std::size_t k = 0; k < 64; ++k) {
        const float value = ReferenceSteps{spec}.divide(x(row, k), scale, expected);
        ASSERT_EQ(operand.values(row, k), value) << row << ", " << k;
        if (value == 0 && x(row, k) != 0) ++expected[Event::kZeroed];
      }
    }
    EXPECT_EQ(ledger[Stage::kQuantizer], expected);
    EXPECT_EQ(ledger.total(), expected);
  }
}

TEST(QuantizeOperandTest, AQuotientBeyondTheFormatIsClipped) {
  const Matrix<float> x(1, 2, std::vector<float>{kInfinity, 1});
  EventLedger ledger;
  const Operand operand = quantize_operand(x.view(), float_mode("fp16", "fp16", "dynamic"), false, ledger);
  EXPECT_EQ(operand.values(0, 0), 65504.0F);
  EXPECT_EQ(ledger[Stage::kQuantizer][Event::kClipped], 1u);
  EXPECT_EQ(ledger[Stage::kQuantizer][Event::kSaturated], 1u);
  EXPECT_EQ(ledger[Stage::kQuantizer][Event::kZeroed], 1u);
}

TEST(QuantizeOperandTest, WithoutScaleValuesAreConverted) {
  const Matrix<float> x(1, 4, std::vector<float>{1.0625F, 500, 0x1p-12F, -2});
  EventLedger ledger;
  const Operand operand = quantize_operand(x.view(), float_mode("fp8_e4m3", "fp16", "none"), false, ledger);
  EXPECT_EQ(operand.values.data(), (std::vector<float>{1, 448, 0, -2}));
  EXPECT_TRUE(operand.scales.empty());
  EXPECT_EQ(ledger[Stage::kOperand][Event::kInexact], 3u);
  EXPECT_EQ(ledger[Stage::kOperand][Event::kSaturated], 1u);
  EXPECT_EQ(ledger[Stage::kOperand][Event::kFlushed], 1u);
  EventLedger weight;
  EXPECT_EQ(quantize_operand(x.view(), float_mode("fp8_e4m3", "fp16", "none"), true, weight).values.data(), x.data());
  EXPECT_FALSE(weight.total().any());
}

TEST(QuantizeOperandTest, StridedViewsAndThreadsChangeNothing) {
  const Matrix<float> x = tests::random_carriers(700, 60, numerics::kFp16, 3, 4);
  Matrix<float> transposed(60, 700);
  for (std::size_t i = 0; i < 700; ++i) {
    for (std::size_t j = 0; j < 60; ++j) transposed(j, i) = x(i, j);
  }
  for (const MatrixMode& mode : {integer_mode("int4", "int4"), float_mode("fp8_e4m3", "fp8_e4m3", "dynamic")}) {
    EventLedger plain;
    EventLedger strided;
    const Operand a = quantize_operand(x.view(), mode, false, plain);
    const Operand b = quantize_operand(transposed.view().transposed(), mode, false, strided, tests::run_backwards);
    EXPECT_EQ(a.codes, b.codes);
    EXPECT_EQ(a.values, b.values);
    EXPECT_EQ(a.scales, b.scales);
    EXPECT_EQ(tests::ledger_difference(strided, plain), "");
  }
}

/// Blocks of a product against one call of the reference on the whole.
void expect_blocks_equal_reference(const Operand& a, const Operand& b, const MatrixMode& mode,
                                   const std::vector<float>& group_scales, const std::vector<float>& chunk_scales) {
  const std::size_t m = a.rows();
  const std::size_t n = b.rows();
  const numerics::RandomStream stream{.seed = 42, .unit = 7};
  Matrix<float> expected(m, n);
  arith::AccumulationEvents events;
  if (mode.integer) {
    arith::gemm_reference(a.codes.view(), b.codes.view().transposed(), mode.int_spec, chunk_scales, stream, {},
                          expected.view(), events);
  } else {
    arith::gemm_reference(a.values.view(), b.values.view().transposed(), mode.float_spec, chunk_scales, stream, {},
                          expected.view(), events);
  }
  Matrix<float> actual(m, n);
  EventLedger ledger;
  MatrixProductOptions options;
  options.stream = stream;
  const IndexRange row_ranges[] = {{0, 3}, {3, m}};
  const IndexRange col_ranges[] = {{0, n / 2}, {n / 2, n - 1}, {n - 1, n}};
  for (const IndexRange& rows : row_ranges) {
    for (const IndexRange& cols : col_ranges) {
      const MatrixView<float> block = actual.view().rows_range(rows.begin, rows.end).cols_range(cols.begin, cols.end);
      matrix_product(a, b, rows, cols, mode, group_scales, options, block, ledger);
    }
  }
  EXPECT_EQ(tests::first_difference(actual.data(), expected.data()), "");
  EventLedger expected_ledger;
  expected_ledger[Stage::kProduct] = events.product;
  expected_ledger[Stage::kInnerAccumulator] = events.inner;
  expected_ledger[Stage::kOuterAccumulator] = events.outer;
  EXPECT_EQ(tests::ledger_difference(ledger, expected_ledger), "");
}

TEST(MatrixProductTest, BlocksEqualTheReferenceOnTheWhole) {
  const Matrix<float> x = tests::random_carriers(7, 100, numerics::kFp16, 1, 5);
  const Matrix<float> w = tests::random_carriers(9, 100, numerics::kFp16, 1, 6);
  for (const char* rounding : {"rne", "stochastic"}) {
    for (const char* product : {"exact", "fp16"}) {
      AccumulatorConfig accumulator;
      accumulator.format = "fp16";
      accumulator.rounding = rounding;
      accumulator.product = product;
      accumulator.buffer.format = "bf16";
      accumulator.buffer.promote_every = 48;
      const MatrixMode mode = make_matrix_mode({}, {}, accumulator);
      EventLedger ledger;
      const Operand a = quantize_operand(x.view(), mode, false, ledger);
      const Operand b = quantize_operand(w.view(), mode, true, ledger);
      expect_blocks_equal_reference(a, b, mode, {}, {});
    }
  }
}

TEST(MatrixProductTest, GroupScalesReachEveryChunkOfTheirGroup) {
  const Matrix<float> x = tests::random_carriers(7, 100, numerics::kFp16, 1, 7);
  const Matrix<float> w = tests::random_carriers(9, 100, numerics::kFp16, 1, 8);
  const std::vector<float> group_scales = {8, 2.5F, 0.75F, 1e-5F};  // groups of 32: the last has 4 channels
  const std::vector<float> chunk_scales = {8, 8, 2.5F, 2.5F, 0.75F, 0.75F, 1e-5F};  // chunks of 16
  ArrayConfig array;
  array.dataflow = "ws";
  array.rows = 16;
  for (const bool integer : {true, false}) {
    OperandConfig operands;
    AccumulatorConfig accumulator;
    accumulator.buffer.format = "fp16";
    if (integer) {
      operands.activation = operands.weight = "int4";
      accumulator.format = "int12";
    }
    const MatrixMode mode = make_matrix_mode(array, operands, accumulator, 32);
    EventLedger ledger;
    const Operand a = quantize_operand(x.view(), mode, false, ledger);
    const Operand b = quantize_operand(w.view(), mode, true, ledger);
    expect_blocks_equal_reference(a, b, mode, group_scales, chunk_scales);
    Matrix<float> acc(7, 9);
    const std::vector<float> too_few = {1, 2, 3};
    EXPECT_THROW(matrix_product(a, b, {0, 7}, {0, 9}, mode, too_few, {}, acc.view(), ledger), InternalError);
  }
}

TEST(MatrixProductTest, UnwantedCountersStayZeroAndBitsStay) {
  const Matrix<float> x = tests::random_carriers(7, 100, numerics::kFp16, 30, 9);
  AccumulatorConfig accumulator;
  accumulator.format = "fp16";
  const MatrixMode mode = make_matrix_mode({}, {}, accumulator);
  EventLedger ledger;
  const Operand a = quantize_operand(x.view(), mode, false, ledger);
  Matrix<float> all(7, 7);
  Matrix<float> some(7, 7);
  EventLedger all_events;
  EventLedger some_events;
  matrix_product(a, a, {0, 7}, {0, 7}, mode, {}, {}, all.view(), all_events);
  MatrixProductOptions only_overflow;
  only_overflow.wanted = {Event::kOverflow};
  matrix_product(a, a, {0, 7}, {0, 7}, mode, {}, only_overflow, some.view(), some_events);
  EXPECT_EQ(tests::first_difference(some.data(), all.data()), "");
  EXPECT_GT(all_events.total()[Event::kOverflow], 0u);
  EXPECT_EQ(some_events.total()[Event::kOverflow], all_events.total()[Event::kOverflow]);
  EXPECT_EQ(some_events.total()[Event::kInexact], 0u);
}

TEST(EpilogueTest, EqualsTheStepsInReferenceOperations) {
  const Matrix<float> acc = tests::random_carriers(5, 6, numerics::kFp32, 1e5, 10);
  const Matrix<float> scales = tests::random_carriers(3, 6, numerics::kFp32, 0.3, 11);
  const std::span<const float> row_scales(scales.row(0), 5);
  const std::span<const float> col_scales(scales.row(1), 6);
  const std::span<const float> bias(scales.row(2), 6);
  const ReferenceSteps fp32;
  const ReferenceSteps storage{conversion_spec("fp16")};
  for (int choice = 0; choice < 16; ++choice) {
    Epilogue steps;
    if (choice & 1) steps.row_scales = row_scales;
    if (choice & 2) steps.col_scales = col_scales;
    if (choice & 4) steps.bias = bias;
    if (choice & 8) steps.factor = 0.37F;
    Matrix<float> y(5, 6);
    EventLedger actual;
    epilogue(acc.view(), steps, storage.spec, y.view(), actual);
    EventLedger expected;
    EventCounts& events = expected[Stage::kEpilogue];
    for (std::size_t row = 0; row < 5; ++row) {
      for (std::size_t col = 0; col < 6; ++col) {
        float v = acc(row, col);
        if (choice & 1 && choice & 2)
          v = fp32.multiply(v, fp32.multiply(row_scales[row], col_scales[col], events), events);
        if ((choice & 3) == 1) v = fp32.multiply(v, row_scales[row], events);
        if ((choice & 3) == 2) v = fp32.multiply(v, col_scales[col], events);
        if (choice & 8) v = fp32.multiply(v, 0.37F, events);
        if (choice & 4) v = fp32.add(v, bias[col], events);
        const float stored = storage.convert(v, expected[Stage::kStorage]);
        ASSERT_EQ(std::bit_cast<std::uint32_t>(y(row, col)), std::bit_cast<std::uint32_t>(stored)) << choice;
      }
    }
    EXPECT_EQ(tests::ledger_difference(actual, expected), "") << choice;
  }
}

TEST(EpilogueTest, AResultBeyondStorageOverflowsAtStorage) {
  const Matrix<float> acc(1, 2, std::vector<float>{70000, 65519});
  Matrix<float> y(1, 2);
  EventLedger ledger;
  epilogue(acc.view(), {}, conversion_spec("fp16"), y.view(), ledger);
  EXPECT_EQ(y.data(), (std::vector<float>{kInfinity, 65504}));
  EXPECT_EQ(ledger[Stage::kStorage][Event::kOverflow], 1u);
  EXPECT_FALSE(ledger[Stage::kEpilogue].any());
}

}  // namespace
}  // namespace guardbit::units
