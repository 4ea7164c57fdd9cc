#include "sim/probe/gemm_timing.h"

#include "sim/modules/timing.h"

namespace guardbit::sim {
namespace {

using numerics::Stage;

/// A PE that takes one cycle per MAC, on the same shape.
MatrixWork plain_work_of(const GemmOptions& options) { return {.m = options.m, .n = options.n, .k = options.k}; }

}  // namespace

MatrixWork work_of(const ProductMode& product, const GemmOptions& options) {
  const PeTiming& pe = product.pe;
  return {.m = options.m,
          .n = options.n,
          .k = options.k,
          .cycles_per_mac = pe.cycles_per_mac,
          .latency_cycles = pe.latency_cycles,
          .interleave = pe.interleave,
          .pipeline_cycles = pe.pipeline_cycles,
          .chunk = static_cast<std::uint64_t>(product.mode.chunk)};
}

GemmTiming timing_of(const ProductMode& product, const GemmOptions& options) {
  const units::ArrayConfig& array = product.array;
  const MatrixTiming plain = matrix_timing(plain_work_of(options), array);
  GemmTiming timing;
  timing.fidelity = "tile";
  timing.policy = array.policy;
  timing.edge = array.edge;
  timing.dataflow = array.dataflow;
  timing.folds = plain.folds;
  timing.cycles_per_fold = plain.cycles_per_fold;
  timing.cycles = plain.cycles;
  timing.pe_cycles = matrix_timing(work_of(product, options), array).cycles - plain.cycles;
  timing.macs = options.m * options.n * options.k;
  const auto pes = static_cast<std::uint64_t>(array.rows * array.cols);
  timing.mac_slots_per_cycle = pes * static_cast<std::uint64_t>(array.dot_width);
  if (array.sums_flow_down()) {
    timing.mapped = options.k * (array.dataflow == "ws" ? options.n : options.m);
    timing.mapping_slots = timing.folds * timing.mac_slots_per_cycle;
  } else {
    timing.mapped = options.m * options.n;
    timing.mapping_slots = timing.folds * pes;
  }
  return timing;
}

SteppedArray::SteppedArray(const ProductMode& product, const GemmOptions& options)
    : product_(product), options_(options) {
  const units::ArrayConfig& array = product.array;
  require_stepped_array(array);
  machine_.emplace(static_cast<std::uint32_t>(array.rows), static_cast<std::uint32_t>(array.cols));
}

arith::AccumulationEvents SteppedArray::step(const PeProduct& product) {
  arith::AccumulationEvents events;
  described_ = machine_->run(product, events);
  return events;
}

void SteppedArray::values(const units::Operand& a, const units::Operand& b, numerics::Matrix<float>& c,
                          numerics::EventLedger& ledger) {
  const PeProduct::Values values{
      .mode = &product_.mode, .a = &a, .b = &b, .stream = {.seed = options_.seed}, .origin = {}, .c = c.view()};
  const arith::AccumulationEvents events =
      step({.array = product_.array, .work = work_of(product_, options_), .values = values});
  ledger[Stage::kProduct] += events.product;
  ledger[Stage::kInnerAccumulator] += events.inner;
  ledger[Stage::kOuterAccumulator] += events.outer;
}

void SteppedArray::count(GemmTiming& timing) {
  if (!described_) step({.array = product_.array, .work = work_of(product_, options_), .values = {}});
  arith::AccumulationEvents none;
  const PeCycles plain = machine_->run({.array = product_.array, .work = plain_work_of(options_), .values = {}}, none);
  timing.fidelity = "pe";
  timing.folds = plain.folds;
  timing.cycles = plain.cycles;
  timing.pe_cycles = described_->cycles - plain.cycles;
  if (timing.policy == "serial") timing.cycles_per_fold = plain.first_fold_cycles;
  const std::uint64_t edges = plain.stepped_cycles + described_->stepped_cycles;
  timing.pe_updates = edges * static_cast<std::uint64_t>(product_.array.rows * product_.array.cols);
}

}  // namespace guardbit::sim
