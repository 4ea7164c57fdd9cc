#include "sim/modules/pe_array.h"

#include <algorithm>
#include <string>

#include "models/numerics/check.h"
#include "sim/base/signal_guard.h"

namespace guardbit::sim {
namespace {

constexpr std::uint64_t ceil_div(std::uint64_t a, std::uint64_t b) { return (a + b - 1) / b; }
std::uint32_t word_of(std::uint64_t value) { return static_cast<std::uint32_t>(value); }

OperandMemory memory_of(const units::Operand& operand, std::size_t first_row) {
  if (operand.integer) {
    const std::int8_t* codes = operand.codes.row(first_row);
    return {reinterpret_cast<const std::byte*>(codes), operand.cols(), sizeof(std::int8_t)};
  }
  const float* values = operand.values.row(first_row);
  return {reinterpret_cast<const std::byte*>(values), operand.cols() * sizeof(float), sizeof(float)};
}

}  // namespace

PeArray::PeArray(const sc_core::sc_module_name& name, std::uint32_t max_rows, std::uint32_t max_cols)
    : sc_core::sc_module(name),
      bank_(max_rows, max_cols),
      clock_("clock", run_, bank_),
      sequencer_("sequencer", run_, bank_, clock_.edge()) {
  const auto named = [](const char* what, std::uint32_t index) { return what + std::to_string(index); };
  for (std::uint32_t row = 0; row < max_rows; ++row) {
    row_feeders_.push_back(
        std::make_unique<RowFeeder>(named("row_feeder_", row).c_str(), run_, bank_, row, clock_.edge()));
  }
  for (std::uint32_t col = 0; col < max_cols; ++col) {
    column_feeders_.push_back(
        std::make_unique<ColumnFeeder>(named("column_feeder_", col).c_str(), run_, bank_, col, clock_.edge()));
    buffers_.push_back(std::make_unique<PeColumnBuffer>(named("column_buffer_", col).c_str(), run_,
                                                        bank_.columns.now[col], col, clock_.edge()));
  }
  auto& registers = bank_.pes;
  for (std::uint32_t row = 0; row < max_rows; ++row) {
    for (std::uint32_t col = 0; col < max_cols; ++col) {
      const std::size_t own = std::size_t{row} * max_cols + col;
      const PeWiring wiring{.row = row,
                            .col = col,
                            .left = col == 0 ? &bank_.row_feeds.now[row] : &registers.now[own - 1].a,
                            .above = row == 0 ? &bank_.column_feeds.now[col] : &registers.now[own - max_cols].b,
                            .sum_above = row == 0 ? nullptr : &registers.now[own - max_cols].sum,
                            .now = &registers.now[own],
                            .next = &registers.next[own],
                            .column = &bank_.columns.now[col],
                            .column_next = &bank_.columns.next[col]};
      const std::string pe_name = "pe_" + std::to_string(row) + "_" + std::to_string(col);
      pes_.push_back(std::make_unique<Pe>(pe_name.c_str(), run_, wiring, clock_.edge()));
    }
  }
}

void PeArray::start(const PeProduct& product, const sc_core::sc_time& period) {
  const MatrixWork& work = product.work;
  GUARDBIT_CHECK(work.m >= 1 && work.n >= 1 && work.k >= 1, "a product has a shape");
  run_ = {};
  describe_hardware(product);
  GUARDBIT_CHECK(run_.rows <= row_feeders_.size() && run_.cols <= column_feeders_.size(),
                 "the array is part of the elaborated one");
  cut_into_folds(product);
  if (!run_.sums_flow_down) make_steps(product);
  for (const PeFold& fold : run_.folds) run_.expected += run_.sums_of(fold);
  arithmetic_.reset();
  if (product.values) {
    const PeProduct::Values& values = *product.values;
    GUARDBIT_CHECK(values.a->rows() >= values.first_row_a + work.m && values.b->rows() >= values.first_row_b + work.n &&
                       values.a->cols() >= work.k && values.b->cols() >= work.k && values.c.rows == work.m &&
                       values.c.cols == work.n,
                   "operands and result have the product's shape");
    arithmetic_.emplace(*values.mode, values.stream);
    run_.arithmetic = &*arithmetic_;
    run_.a = memory_of(*values.a, values.first_row_a);
    run_.b = memory_of(*values.b, values.first_row_b);
    run_.mask = values.mask;
    run_.first_query = values.first_query;
    run_.scales = values.scales;
    if (values.mode->is_affine()) {
      run_.terms = units::chunk_terms(*values.a, *values.b, {values.first_row_a, values.first_row_a + work.m},
                                      {values.first_row_b, values.first_row_b + work.n}, *values.mode, values.scales);
    }
    run_.c = values.c;
    run_.origin = values.origin;
    for (std::size_t row = 0; row < work.m; ++row) {
      for (std::size_t col = 0; col < work.n; ++col) run_.c(row, col) = 0.0F;
    }
  }
  bank_.reset();
  sequencer_.begin_run();
  for (const auto& feeder : row_feeders_) feeder->begin_run();
  for (const auto& pe : pes_) pe->begin_run();
  for (const auto& buffer : buffers_) buffer->begin_run();
  clock_.start(period, limit_cycles());
}

void PeArray::describe_hardware(const PeProduct& product) {
  const units::ArrayConfig& array = product.array;
  const MatrixWork& work = product.work;
  run_.sums_flow_down = array.sums_flow_down();
  run_.inputs_stay = array.dataflow == "is";
  run_.serial = array.policy == "serial";
  run_.first_of_op = work.first_of_op;
  run_.last_of_op = work.last_of_op;
  run_.rows = static_cast<std::uint32_t>(array.rows);
  run_.cols = static_cast<std::uint32_t>(array.cols);
  run_.dot_width = static_cast<std::uint32_t>(array.dot_width);
  run_.cycles_per_mac = work.cycles_per_mac;
  run_.latency = work.latency_cycles;
  run_.interleave = run_.sums_flow_down ? 1 : work.interleave;
  run_.pipeline = work.cycles_per_mac - 1 + work.pipeline_cycles;
  // A sum that flows down meets a PE once; one that stays must be there before the accumulator's turn comes again.
  const std::uint64_t turn = run_.sums_flow_down ? 1 : ceil_div(work.latency_cycles, work.interleave);
  run_.interval = std::max(work.cycles_per_mac, word_of(turn));
}

/// Rows outside, columns inside; a line or column of the array without work takes part if edge = full.
void PeArray::cut_into_folds(const PeProduct& product) {
  const MatrixWork& work = product.work;
  const bool full = product.array.edge == "full";
  const std::uint64_t column = std::uint64_t{run_.rows} * run_.dot_width;
  const std::uint64_t chunk = work.chunk == 0 ? column : std::min(work.chunk, column);
  const std::uint64_t down = run_.sums_flow_down ? work.k : work.m;
  const std::uint64_t fold_down = run_.sums_flow_down ? chunk : run_.rows;
  const std::uint64_t per_line = run_.sums_flow_down ? run_.dot_width : 1;
  const std::uint64_t across = run_.inputs_stay ? work.m : work.n;
  run_.num_streamed = word_of(run_.inputs_stay ? work.n : work.m);
  for (std::uint64_t begin = 0; begin < down; begin += fold_down) {
    const std::uint64_t depth = std::min(fold_down, down - begin);
    for (std::uint64_t col = 0; col < across; col += run_.cols) {
      PeFold fold{.number = word_of(run_.folds.size()), .row_base = word_of(begin), .col_base = word_of(col)};
      fold.rows = word_of(ceil_div(depth, per_line));
      fold.cols = word_of(std::min<std::uint64_t>(run_.cols, across - col));
      fold.lines = full ? run_.rows : fold.rows;
      fold.columns = full ? run_.cols : fold.cols;
      fold.depth = word_of(depth);
      fold.chunk = word_of(begin / fold_down);
      run_.folds.push_back(fold);
    }
  }
}

void PeArray::make_steps(const PeProduct& product) {
  const std::uint64_t depth = product.work.k;
  const std::uint64_t length = product.work.chunk == 0 ? depth : std::min(product.work.chunk, depth);
  for (std::uint64_t begin = 0; begin < depth; begin += length, ++run_.num_chunks) {
    const std::uint64_t end = std::min(begin + length, depth);
    std::uint32_t number = 0;
    for (std::uint64_t k = begin; k < end; k += run_.dot_width, ++number) {
      run_.steps.push_back({.first_k = word_of(k),
                            .count = word_of(std::min<std::uint64_t>(run_.dot_width, end - k)),
                            .chunk = run_.num_chunks,
                            .number = number,
                            .accumulator = number % run_.interleave,
                            .last = k + run_.dot_width >= end});
    }
  }
}

/// Far more than any schedule takes: every slot of every fold by itself, each with all latencies.
std::uint64_t PeArray::limit_cycles() const {
  const std::uint64_t around =
      std::uint64_t{run_.rows + run_.cols + 16} * (run_.latency + run_.interleave + 4) + run_.pipeline + run_.interval;
  const std::uint64_t slots = run_.sums_flow_down ? run_.num_streamed : run_.steps.size();
  return run_.folds.size() *
         (slots * (run_.interval + run_.rows + std::uint64_t{run_.interleave} * run_.latency + 2) + 4 * around);
}

PeCycles PeArray::finish(arith::AccumulationEvents& events) {
  throw_if_interrupted();
  GUARDBIT_CHECK(run_.delivered == run_.expected, "the array has delivered its sums");
  run_.count_interval();
  for (const auto& pe : pes_) events += pe->events();
  for (const auto& buffer : buffers_) events += buffer->events();
  return {.folds = run_.folds.size(),
          .cycles = run_.counted_cycles,
          .first_fold_cycles = run_.first_fold_cycles,
          .stepped_cycles = run_.cycle};
}

}  // namespace guardbit::sim
