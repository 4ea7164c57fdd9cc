#pragma once
/// One product at both fidelities and by the reference: bits, all event counters, folds and cycles are equal.
#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "models/arith/accumulator.h"
#include "tests/support/pe_cases.h"

namespace guardbit::tests {

/// One elaboration per process, as large as the largest case.
inline sim::PeMachine& pe_machine() {
  static sim::PeMachine instance(kMaxPeRows, kMaxPeCols);
  return instance;
}

inline bool same_bits(const numerics::Matrix<float>& x, const numerics::Matrix<float>& y) {
  return std::memcmp(x.data().data(), y.data().data(), x.data().size() * sizeof(float)) == 0;
}

inline arith::AccumulationEvents reference_product(const units::Operand& a, const units::Operand& b,
                                                   const units::MatrixMode& mode, std::span<const float> scales,
                                                   const units::MatrixProductOptions& options,
                                                   numerics::MatrixView<float> c) {
  arith::AccumulationEvents events;
  if (mode.integer) {
    arith::gemm_reference(a.codes.view(), b.codes.view().transposed(), mode.int_spec, scales, options.stream,
                          options.origin, c, events);
  } else {
    arith::gemm_reference(a.values.view(), b.values.view().transposed(), mode.float_spec, scales, options.stream,
                          options.origin, c, events);
  }
  return events;
}

inline std::string text_of(const arith::AccumulationEvents& events) {
  std::string text;
  for (const numerics::EventCounts* counts : {&events.product, &events.inner, &events.outer}) {
    for (const std::uint64_t count : counts->counts) text += std::to_string(count) + " ";
    text += "; ";
  }
  return text;
}

struct TileProduct {
  numerics::Matrix<float> c;
  arith::AccumulationEvents events;
};

/// The product at tile fidelity, after comparing it with the stepped one. `chunk_scales`: group_scales by chunk.
inline TileProduct expect_fidelities_agree(const PeCase& c, const units::MatrixMode& mode, const units::Operand& a,
                                           const units::Operand& b, std::span<const float> group_scales,
                                           std::span<const float> chunk_scales,
                                           const units::MatrixProductOptions& options) {
  TileProduct tile{numerics::Matrix<float>(c.work.m, c.work.n), {}};
  numerics::EventLedger ledger;
  units::matrix_product(a, b, {0, c.work.m}, {0, c.work.n}, mode, group_scales, options, tile.c.view(), ledger);
  tile.events = {ledger[numerics::Stage::kProduct], ledger[numerics::Stage::kInnerAccumulator],
                 ledger[numerics::Stage::kOuterAccumulator]};
  numerics::Matrix<float> stepped(c.work.m, c.work.n, -1.0F);
  arith::AccumulationEvents events;
  const sim::PeCycles cycles = pe_machine().run({.array = c.array,
                                                 .work = c.work,
                                                 .values = sim::PeProduct::Values{.mode = &mode,
                                                                                  .a = &a,
                                                                                  .b = &b,
                                                                                  .scales = chunk_scales,
                                                                                  .stream = options.stream,
                                                                                  .origin = options.origin,
                                                                                  .c = stepped.view()}},
                                                events);
  const sim::MatrixTiming timing = sim::matrix_timing(c.work, c.array);
  EXPECT_EQ(cycles.folds, timing.folds) << c;
  EXPECT_EQ(cycles.cycles, timing.cycles) << c;
  if (c.array.policy == "serial") {
    EXPECT_EQ(cycles.first_fold_cycles, timing.cycles_per_fold) << c;
  }
  EXPECT_TRUE(same_bits(stepped, tile.c)) << c;
  EXPECT_EQ(events, tile.events) << c << "\n" << text_of(events) << "\n" << text_of(tile.events);
  return tile;
}

inline void expect_same_as_tile(const PeCase& c, PeCaseGenerator& generator) {
  const units::MatrixMode mode = units::make_matrix_mode(c.array, c.operands, c.accumulator, c.group);
  const units::Operand a = generator.operand(c, false, c.work.m);
  const units::Operand b = generator.operand(c, true, c.work.n);
  std::vector<float> group_scales;  // as the smoothing unit delivers them
  std::vector<float> chunk_scales;
  if (c.group > 0) {
    const auto group = static_cast<std::uint64_t>(c.group);
    group_scales = generator.scales((c.work.k + group - 1) / group);
    for (std::uint64_t k = 0; k < c.work.k; k += c.work.chunk) chunk_scales.push_back(group_scales[k / group]);
  }
  const units::MatrixProductOptions options{.stream = {.seed = 7}, .origin = {3, 5}, .parallel_for = {}};
  const TileProduct tile = expect_fidelities_agree(c, mode, a, b, group_scales, chunk_scales, options);
  numerics::Matrix<float> slow(c.work.m, c.work.n);
  const arith::AccumulationEvents slow_events = reference_product(a, b, mode, chunk_scales, options, slow.view());
  EXPECT_TRUE(same_bits(tile.c, slow)) << c;
  EXPECT_EQ(tile.events, slow_events) << c;
}

inline void compare_random_cases(std::uint64_t seed, int count) {
  PeCaseGenerator generator(seed);
  for (int trial = 0; trial < count; ++trial) {
    const PeCase c = generator.next();
    ASSERT_NO_THROW(expect_same_as_tile(c, generator)) << "trial " << trial << ": " << c;
    if (testing::Test::HasFailure()) FAIL() << "trial " << trial;
  }
}

}  // namespace guardbit::tests
