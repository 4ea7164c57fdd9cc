// PE fidelity against tile fidelity: the array stepped cycle by cycle against the fast kernels and the closed forms,
// and against the reference arithmetic. Bits, every event counter of every stage, folds and cycles are equal.
#include <random>

#include "models/units/quantized_weight.h"
#include "tests/support/pe_comparison.h"

namespace guardbit::tests {
namespace {

TEST(PeArrayTest, EqualsTileFidelityOnRandomDesigns) { compare_random_cases(/*seed=*/1, /*count=*/200); }

/// Zero points and scales of groups for the case's operands; false: the case has none.
bool make_affine(PeCase& c, units::MatrixMode& mode, units::Operand& a, units::Operand& b, std::mt19937_64& random) {
  const bool is_float = !mode.integer;
  if (is_float && mode.float_spec.inner.rounding == numerics::RoundingMode::kStochastic) return false;
  mode.scaled_sums = is_float;
  const bool has_groups = is_float || random() % 2 == 0;
  const bool weights = has_groups && (is_float || random() % 2 == 0);
  const bool activations = has_groups && !is_float && (!weights || random() % 2 == 0);
  const auto column = static_cast<std::size_t>(c.array.column_products());
  std::size_t group = 1 + random() % 40;
  if (c.array.sums_flow_down()) group = random() % 2 == 0 ? 1 + random() % column : column * (1 + random() % 3);
  c.group = has_groups ? static_cast<int>(group) : 0;
  const units::MatrixMode plain = units::make_matrix_mode(c.array, c.operands, c.accumulator, c.group);
  mode.chunk = plain.chunk;
  mode.int_spec = plain.int_spec;
  mode.float_spec = plain.float_spec;
  mode.group = 0;
  c.work.chunk = static_cast<std::uint64_t>(mode.chunk);
  const auto give = [&](units::Operand& operand, std::size_t own_group, bool scales, bool zeros, int bits) {
    operand.group = own_group;
    const std::size_t groups = units::num_groups(operand.cols(), own_group);
    if (scales) operand.group_scales = numerics::Matrix<float>(operand.rows(), groups);
    for (float& scale : operand.group_scales.data()) scale = static_cast<float>(1 + random() % 1000) / 300;
    if (zeros) operand.zero_points = numerics::Matrix<std::int8_t>(operand.rows(), groups);
    for (std::int8_t& zero : operand.zero_points.data()) {
      zero = static_cast<std::int8_t>(static_cast<int>(random() % (1U << bits)) - (1 << (bits - 1)));
    }
  };
  mode.activation_zero_point = !is_float && random() % 2 == 0;
  mode.weight_zero_points = !is_float && (!has_groups || random() % 2 == 0);
  mode.activation_group = activations ? static_cast<int>(group * (weights ? 2 : 1)) : 0;
  mode.weight_group = weights ? static_cast<int>(group) : 0;
  give(a, static_cast<std::size_t>(mode.activation_group), activations, mode.activation_zero_point,
       mode.activation_bits);
  give(b, static_cast<std::size_t>(mode.weight_group), weights, mode.weight_zero_points, mode.weight_bits);
  return true;
}

TEST(PeArrayTest, ZeroPointsAndGroupsEqualTileFidelityOnRandomDesigns) {
  PeCaseGenerator generator(11);
  std::mt19937_64 random(12);
  int compared = 0;
  for (int trial = 0; trial < 300; ++trial) {
    PeCase c = generator.next();
    c.group = 0;
    units::MatrixMode mode = units::make_matrix_mode(c.array, c.operands, c.accumulator);
    units::Operand a = generator.operand(c, false, c.work.m);
    units::Operand b = generator.operand(c, true, c.work.n);
    if (!make_affine(c, mode, a, b, random)) continue;
    ASSERT_TRUE(mode.is_affine());
    const units::MatrixProductOptions options{.stream = {.seed = 7}, .origin = {3, 5}, .parallel_for = {}};
    ASSERT_NO_THROW((void)expect_fidelities_agree(c, mode, a, b, {}, {}, options)) << "trial " << trial << ": " << c;
    if (HasFailure()) FAIL() << "trial " << trial;
    ++compared;
  }
  EXPECT_GT(compared, 150);
}

/// Row m of a masked product by the reference: its visible outputs, or its visible products.
arith::AccumulationEvents masked_reference(const units::Operand& a, const units::Operand& b,
                                           const units::MatrixMode& mode, sim::CausalMask mask,
                                           std::uint32_t first_query, numerics::Matrix<float>& c) {
  arith::AccumulationEvents events;
  for (std::size_t m = 0; m < c.rows(); ++m) {
    const std::size_t keys = first_query + m + 1;
    const bool scores = mask == sim::CausalMask::kOutputs;
    const std::size_t cols = scores ? std::min(keys, c.cols()) : c.cols();
    const std::size_t depth = scores ? a.cols() : std::min(keys, a.cols());
    const arith::OutputIndex first{static_cast<std::uint32_t>(m), 0};
    const auto out = c.view().rows_range(m, m + 1).cols_range(0, cols);
    if (mode.integer) {
      arith::gemm_reference(a.codes.view().rows_range(m, m + 1).cols_range(0, depth),
                            b.codes.view().rows_range(0, cols).cols_range(0, depth).transposed(), mode.int_spec, {}, {},
                            first, out, events);
    } else {
      arith::gemm_reference(a.values.view().rows_range(m, m + 1).cols_range(0, depth),
                            b.values.view().rows_range(0, cols).cols_range(0, depth).transposed(), mode.float_spec, {},
                            {}, first, out, events);
    }
  }
  return events;
}

TEST(PeArrayTest, CausalMaskLeavesPesIdleAndCyclesAlone) {
  PeCaseGenerator generator(3);
  for (int trial = 0; trial < 150; ++trial) {
    PeCase c = generator.next();
    if (c.group > 0) continue;
    const units::MatrixMode mode = units::make_matrix_mode(c.array, c.operands, c.accumulator);
    const units::Operand a = generator.operand(c, false, c.work.m);
    const units::Operand b = generator.operand(c, true, c.work.n);
    for (const sim::CausalMask mask : {sim::CausalMask::kOutputs, sim::CausalMask::kProducts}) {
      const auto first_query = static_cast<std::uint32_t>(trial % 7);
      numerics::Matrix<float> expected(c.work.m, c.work.n);
      const arith::AccumulationEvents expected_events = masked_reference(a, b, mode, mask, first_query, expected);
      numerics::Matrix<float> stepped(c.work.m, c.work.n, -1.0F);
      arith::AccumulationEvents events;
      sim::PeProduct product{.array = c.array, .work = c.work, .values = sim::PeProduct::Values{}};
      product.values->mode = &mode;
      product.values->a = &a;
      product.values->b = &b;
      product.values->mask = mask;
      product.values->first_query = first_query;
      product.values->c = stepped.view();
      EXPECT_EQ(pe_machine().run(product, events).cycles, sim::matrix_timing(c.work, c.array).cycles) << c;
      EXPECT_TRUE(same_bits(stepped, expected)) << c;
      EXPECT_EQ(events, expected_events) << c << "\n" << text_of(events) << "\n" << text_of(expected_events);
      if (HasFailure()) FAIL() << "trial " << trial;
    }
  }
}

/// The 17th column is a fold of its own, through while the 16 in front of it are not.
TEST(PeArrayTest, RaggedFoldMayBeOverBeforeTheOneInFrontOfIt) {
  for (const char* dataflow : {"os", "ws", "is"}) {
    const units::ArrayConfig array{.rows = 1, .cols = 16, .dataflow = dataflow, .policy = "overlap", .edge = "used"};
    const bool inputs_stay = array.dataflow == "is";
    const sim::MatrixWork work{.m = inputs_stay ? 17U : 1U, .n = inputs_stay ? 1U : 17U, .k = 1};
    arith::AccumulationEvents events;
    // One cycle later than fold 1, fold 2 enters; its only column ends 15 columns earlier than the last of fold 1.
    const std::uint64_t first_fold = dataflow == std::string("os") ? 1 + 1 + 16 - 2 : 2 * 1 + 16 + 1 - 2;
    EXPECT_EQ(pe_machine().run({.array = array, .work = work, .values = {}}, events).cycles, first_fold) << dataflow;
    EXPECT_EQ(sim::matrix_timing(work, array).cycles, first_fold) << dataflow;
  }
}

TEST(PeArrayTest, CyclesAloneAreThoseWithValues) {
  PeCaseGenerator generator(4);
  for (int trial = 0; trial < 100; ++trial) {
    const PeCase c = generator.next();
    arith::AccumulationEvents events;
    const sim::PeProduct product{.array = c.array, .work = c.work, .values = {}};
    EXPECT_EQ(pe_machine().run(product, events).cycles, sim::matrix_timing(c.work, c.array).cycles) << c;
    EXPECT_EQ(events, arith::AccumulationEvents{}) << c;
  }
}

/// docs/timing.md: os K + R + C - 2, ws 2R + C + M - 2, is 2R + C + N - 2 a fold, by the clock.
TEST(PeArrayTest, SerialFoldsOfPlainPesAreThePolicyTables) {
  std::mt19937_64 random(5);
  const auto up = [](std::uint64_t x, std::uint64_t y) { return (x + y - 1) / y; };
  for (int trial = 0; trial < 60; ++trial) {
    const std::uint64_t m = 1 + random() % 61, n = 1 + random() % 61, k = 1 + random() % 61;
    const std::uint64_t r = 1 + random() % kMaxPeRows, c = 1 + random() % kMaxPeCols;
    units::ArrayConfig array{.rows = static_cast<std::int64_t>(r), .cols = static_cast<std::int64_t>(c)};
    array.policy = "serial";
    const auto expect = [&](const char* dataflow, std::uint64_t folds, std::uint64_t fold) {
      array.dataflow = dataflow;
      arith::AccumulationEvents events;
      const sim::PeCycles cycles =
          pe_machine().run({.array = array, .work = {.m = m, .n = n, .k = k}, .values = {}}, events);
      EXPECT_EQ(cycles.folds, folds) << dataflow << " " << m << " " << n << " " << k << " on " << r << " x " << c;
      EXPECT_EQ(cycles.first_fold_cycles, fold) << dataflow << " " << m << " " << n << " " << k;
      EXPECT_EQ(cycles.cycles, folds * fold) << dataflow << " " << m << " " << n << " " << k;
    };
    expect("os", up(m, r) * up(n, c), k + r + c - 2);
    expect("ws", up(k, r) * up(n, c), 2 * r + c + m - 2);
    expect("is", up(k, r) * up(m, c), 2 * r + c + n - 2);
  }
}

}  // namespace
}  // namespace guardbit::tests
