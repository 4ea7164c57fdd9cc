#pragma once
/// A small replay result made by hand, for tests of reports: three variants with numbers that are awkward to print.
#include <limits>

#include "sim/stats/result.h"

namespace guardbit::tests {

/// Above 2^53: lost by anything that passes through a double.
inline constexpr std::uint64_t kHugeCount = (std::uint64_t{1} << 53) + 1;

inline sim::OpResult synthetic_op(const std::string& name, const std::string& kind, std::uint64_t seed) {
  sim::OpResult op;
  op.name = name;
  op.kind = kind;
  op.unit_cycles = {10 * seed, 20 * seed, 30 * seed, 40 * seed, 0, 50 * seed};
  for (const std::uint64_t busy : op.unit_cycles) op.cycles += busy;
  op.start = 100 * seed;
  op.end = 100 * seed + 1234567;
  op.unit_pj = {1.5, 0, static_cast<double>(seed), 0, 0, 1.0 / 3};
  if (seed % 2 == 0) {
    op.tile = sim::TileChoice{.rows = 32 * seed,
                              .cols = 128,
                              .scratchpad_bytes = 20000 * seed,
                              .accumulator_bytes = 8192,
                              .weight_passes = 2,
                              .double_buffered = seed == 2};
  }
  op.macs = 1000 * seed;
  op.dram_bytes = 64 * seed;
  op.sqnr_db = 20.123456789 + static_cast<double>(seed);
  op.max_abs = 3.5;
  op.reference_max_abs = 1.0 / 3;
  op.output_sha256 = "hash of " + name;
  return op;
}

/// What became of an op's values, by its kind.
inline void add_value_reports(sim::OpResult& op) {
  op.layer = op.name == "head" ? -1 : 0;
  op.exponents = {.exponents = {{-149, 1}, {0, kHugeCount}}, .num_zeros = 3, .num_infinities = 1, .num_nans = 2};
  const sim::Spread spread{.count = 1024, .min = 1.0 / 3, .median = 2, .max = 123456.789};
  if (op.kind == "norm") {
    op.norm = sim::NormReport{.tokens = 1024,
                              .rows_per_token = 1,
                              .events = {},
                              .predicted_norm = 4000.125,
                              .reference_norm = spread,
                              .simulated_norm = spread,
                              .scaled_reference_norm = {},
                              .scaled_simulated_norm = spread,
                              .squares = {.exponents = {{-20, 5}, {10, 7}}},
                              .sums = {.exponents = {{17, 1024}}},
                              .accumulator = {"fp16", 15, -14, -24}};
    op.norm->events[0] = {.tokens = 3, .events = kHugeCount, .worst = {1, 511}, .worst_events = 77};
    return;
  }
  op.quantizers = {{"activation", {.values = 65536, .clipped = 3, .zeroed = 45678}},
                   {"weight", {.values = kHugeCount, .clipped = 0, .zeroed = 1}}};
  op.reference_outliers = sim::OutlierReport{.tokens = 1000,
                                             .left_out = 24,
                                             .channels = 64,
                                             .ratio = spread,
                                             .worst = {0, 7},
                                             .worst_channel = 63,
                                             .outlier_tokens = 900,
                                             .outlier_values = 1800,
                                             .channel_outliers = 2,
                                             .largest = {{63, 890}, {1, 60}},
                                             .spike_values = 850,
                                             .victims = {},
                                             .smoothing_victims = {}};
  op.array_outliers = op.reference_outliers;
  op.array_outliers->victims = 12345;
  op.array_outliers->smoothing_victims = 0;
  op.group_scales = sim::GroupScaleReport{.groups = 2, .passes = 2, .scale = spread};
}

/// The sums that the replay would form.
inline void finish_variant(sim::VariantResult& variant) {
  variant.layers = {{.layer = 0,
                     .sqnr_db = std::numeric_limits<double>::infinity(),
                     .worst_op = "layers.0.attn.q",
                     .worst_sqnr_db = 22.123456789,
                     .events = {}}};
  variant.layers[0].events[numerics::Event::kZeroed] = 45678;
  for (const sim::OpResult& op : variant.ops) {
    variant.events += op.events.total();
    variant.macs += op.macs;
    for (std::size_t unit = 0; unit < sim::kNumUnits; ++unit) variant.cycles.units[unit].busy += op.unit_cycles[unit];
  }
  variant.cycles.total = 1234567;
  const auto index = [](auto enumerator) { return static_cast<std::size_t>(enumerator); };
  variant.cycles.purposes[index(sim::Purpose::kProduct)][index(sim::UnitKind::kMatrix)] = 150;
  variant.cycles.purposes[index(sim::Purpose::kPromotion)][index(sim::UnitKind::kMatrix)] = 50;
  variant.cycles.purposes[index(sim::Purpose::kNorm)][index(sim::UnitKind::kNorm)] = 300;
  for (const sim::UnitKind unit : {sim::UnitKind::kLoad, sim::UnitKind::kMatrix, sim::UnitKind::kStore}) {
    sim::StallReason reason{.unit = unit, .state = sim::UnitState::kInputStall, .op = 1};
    reason.what = sim::Purpose::kWeights;
    reason.producer_op = 3;
    variant.cycles.stalls[reason] = 900;
    reason = {.unit = unit, .state = sim::UnitState::kOutputStall, .op = 3};
    reason.cause = sim::StallReason::Cause::kScratchpadSpace;
    variant.cycles.stalls[reason] = 100;
    variant.cycles.stalls[{.unit = unit,
                           .state = sim::UnitState::kTokenWait,
                           .op = 2,
                           .producer = sim::UnitKind::kVector,
                           .producer_op = 1,
                           .what = sim::Purpose::kQuantization}] = 200000;
  }
  variant.cycles.scratchpad_peak_bytes = 65536;
  variant.cycles.accumulator_peak_bytes = 4096;
  variant.energy.unit_pj[index(sim::UnitKind::kMatrix)] = 1.25e6;
  variant.energy.unit_pj[index(sim::UnitKind::kLoad)] = 1.0 / 3;
  variant.energy.lines = {
      {.operation = {units::Operation::kMultiply, "int8", "int4"}, .count = kHugeCount, .pj_each = 0.1},
      {.operation = {units::Operation::kDramByte, "", ""}, .count = 64, .pj_each = 162.5}};
  variant.energy.pj = 1.25e6;
  for (sim::UnitCycles& unit : variant.cycles.units) {
    if (unit.busy > 0) unit.input_stall = 1000;
    if (unit.busy > 0) unit.token_wait = 200;
    unit.idle = variant.cycles.total - unit.busy - unit.input_stall - unit.token_wait;
  }
}

inline sim::ReplayResult synthetic_result() {
  using numerics::Event;
  using numerics::Stage;
  sim::ReplayResult result;
  result.provenance = {{"version", "0.1.0"}, {"commit", "abc"}, {"seed", "1"}};
  result.trace_name = "kjv, \"gpt2\"";
  result.num_windows = 2;
  result.num_tokens = 1024;
  result.basis = {.context = 512, .stride = 256, .scored_tokens = 768};
  result.mode = "closed_loop";
  result.residual_gain = 64;
  result.channel_gain = 1;
  result.accelerator_name = "edge";
  result.accelerator_keys = {{"array.rows", "32"}, {"storage.residual", "fp16"}};
  result.clock_mhz = 500;
  result.area_um2 = {{"matrix", 1234567.891}, {"scratchpad", 7e5}};
  result.reference_perplexity = 24.987654321;

  sim::VariantResult plain;
  plain.name = "plain";
  plain.perplexity = std::numeric_limits<double>::quiet_NaN();
  plain.sqnr_db = -std::numeric_limits<double>::infinity();
  plain.top1_agreement = 0.125;
  plain.utilization = 0.0123456789;
  plain.digest = "d1";
  plain.ops = {synthetic_op("layers.0.attn_norm", "norm", 1), synthetic_op("layers.0.attn.q", "linear", 2),
               synthetic_op("layers.0.mlp_norm", "norm", 3), synthetic_op("head", "linear", 4)};
  for (sim::OpResult& op : plain.ops) add_value_reports(op);
  plain.ops[0].events[Stage::kSumOfSquares][Event::kOverflow] = 12;
  plain.ops[0].events[Stage::kSumOfSquares][Event::kInexact] = 500;
  plain.ops[0].events[Stage::kRsqrt][Event::kInexact] = 7;  // inexact only: not a worst place
  plain.ops[1].events[Stage::kQuantizer][Event::kClipped] = 3;
  plain.ops[1].events[Stage::kQuantizer][Event::kZeroed] = 45678;
  plain.ops[1].events[Stage::kOuterAccumulator][Event::kSwamped] = 9999;
  plain.ops[1].events[Stage::kOuterAccumulator][Event::kUnderflow] = 2;
  plain.ops[1].events[Stage::kInnerAccumulator][Event::kWrapped] = 13;
  plain.ops[2].events[Stage::kSquare][Event::kOverflow] = 5;
  plain.ops[2].events[Stage::kSquare][Event::kSaturated] = 5;
  plain.ops[2].events[Stage::kSquare][Event::kInvalid] = 4;
  plain.ops[3].events[Stage::kStorage][Event::kUnderflow] = kHugeCount;
  plain.ops[3].events[Stage::kStorage][Event::kFlushed] = 2;
  finish_variant(plain);

  sim::VariantResult slanc = plain;
  slanc.name = "slanc";
  slanc.perplexity = 25.1234567;
  slanc.sqnr_db = 31.4159265;
  slanc.top1_agreement = 2.0 / 3;
  slanc.events = {};
  for (sim::OpResult& op : slanc.ops) op.events = {};
  slanc.ops[0].norm_scale = 1;
  slanc.ops[2].norm_scale = 4096;
  slanc.digest = "d2";

  sim::VariantResult exact = slanc;
  exact.name = "exact";
  exact.sqnr_db = std::numeric_limits<double>::infinity();
  exact.top1_agreement = 1;
  exact.ops[0].norm_scale.reset();
  exact.ops[2].norm_scale = 1.0 / 3;
  result.variants = {plain, slanc, exact};
  return result;
}

}  // namespace guardbit::tests
