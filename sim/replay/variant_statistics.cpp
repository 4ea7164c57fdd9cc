#include "sim/replay/variant_statistics.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <map>

#include "models/numerics/check.h"
#include "models/transformer/family.h"

namespace guardbit::sim {
namespace {

double decibel(double signal, double noise) {
  if (noise == 0) return std::numeric_limits<double>::infinity();
  return 10 * std::log10(signal / noise);
}

std::size_t largest(const float* row, std::size_t count) {
  return static_cast<std::size_t>(std::max_element(row, row + count) - row);
}

/// Of a view whose rows follow one another.
std::span<const float> elements_of(numerics::MatrixView<const float> view) {
  GUARDBIT_CHECK(view.row_stride == view.cols && view.col_stride == 1, "rows follow one another");
  return {view.data, view.rows * view.cols};
}

using Price = std::function<double(const units::OperationKey&)>;

EnergyReport priced(std::span<const OpOperations> operations, const Price& price) {
  EnergyReport energy;
  OperationCounts totals;
  for (const OpOperations& by_unit : operations) {
    for (std::size_t unit = 0; unit < kNumUnits; ++unit) {
      for (const auto& [key, count] : by_unit[unit]) {
        energy.unit_pj[unit] += static_cast<double>(count) * price(key);
        totals[key] += count;
      }
    }
  }
  for (const auto& [key, count] : totals) {
    energy.lines.push_back({.operation = key, .count = count, .pj_each = price(key)});
    energy.pj += energy.lines.back().pj();
  }
  return energy;
}

}  // namespace

double perplexity(double negative_log_likelihood, std::uint64_t num_tokens) {
  return std::exp(negative_log_likelihood / static_cast<double>(num_tokens));
}

VariantStatistics::VariantStatistics(std::string name, const transformer::Model<float>& model)
    : model_(model), ledgers_(model.ops.size()), errors_(model.ops.size()), operations_(model.ops.size()) {
  result_.name = std::move(name);
  result_.cycles.ops.resize(model.ops.size());
  for (const transformer::Op& op : model.ops) {
    OpResult row;
    row.name = op.name;
    row.kind = std::string(transformer::name_of(op.kind));
    row.layer = op.layer;
    if (op.kind == transformer::OpKind::kNorm && op.input_scale != 1) row.norm_scale = op.input_scale;
    result_.ops.push_back(std::move(row));
  }
}

void VariantStatistics::add_output(std::size_t op, numerics::MatrixView<const float> simulated,
                                   numerics::MatrixView<const float> reference) {
  GUARDBIT_CHECK(simulated.rows == reference.rows && simulated.cols == reference.cols,
                 "simulated and reference tensors have one shape");
  const std::span<const float> values = elements_of(simulated);
  const std::span<const float> wanted_values = elements_of(reference);
  OpError& error = errors_[op];
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double value = values[i];
    const double wanted = wanted_values[i];
    error.signal += wanted * wanted;
    error.noise += (wanted - value) * (wanted - value);
    if (std::isfinite(value)) error.max_abs = std::max(error.max_abs, std::abs(value));
    error.reference_max_abs = std::max(error.reference_max_abs, std::abs(wanted));
  }
  error.exponents.add(values);
  error.output.update(values.data(), values.size_bytes());
}

void VariantStatistics::add_logits(const numerics::Matrix<float>& simulated, std::span<const int> targets) {
  has_values_ = true;
  negative_log_likelihood_ += transformer::negative_log_likelihood(
      simulated.view().rows_range(simulated.rows() - targets.size(), simulated.rows()), targets);
  num_targets_ += targets.size();
}

void VariantStatistics::add_agreement(numerics::MatrixView<const float> simulated,
                                      numerics::MatrixView<const float> reference) {
  if (!model_.shape.has_head) return;
  num_compared_ += simulated.rows;
  for (std::size_t row = 0; row < simulated.rows; ++row) {
    const bool comparable = std::none_of(simulated.row(row), simulated.row(row) + simulated.cols,
                                         [](float logit) { return std::isnan(logit); });
    const bool agrees =
        comparable && largest(simulated.row(row), simulated.cols) == largest(reference.row(row), reference.cols);
    num_agreeing_ += agrees ? 1 : 0;
  }
}

void VariantStatistics::add_schedule(const PassSchedule& schedule) {
  const bool first_pass = result_.cycles.total == 0;
  for (std::size_t op = 0; op < result_.ops.size(); ++op) {
    result_.ops[op].macs += schedule.macs[op];
    if (first_pass) result_.ops[op].tile = schedule.tiles[op];
    for (std::size_t unit = 0; unit < kNumUnits; ++unit) {
      for (const auto& [key, count] : schedule.operations[op][unit]) operations_[op][unit][key] += count;
    }
  }
}

void VariantStatistics::add_cycles(const CycleReport& cycles) {
  CycleReport& sum = result_.cycles;
  for (std::size_t op = 0; op < sum.ops.size(); ++op) {
    CycleReport::OpCycles& to = sum.ops[op];
    const CycleReport::OpCycles& from = cycles.ops[op];
    if (sum.total == 0) to.start = from.start;
    if (sum.total == 0) to.end = from.end;
    to.dram_bytes += from.dram_bytes;
    for (std::size_t unit = 0; unit < kNumUnits; ++unit) to.busy[unit] += from.busy[unit];
    for (std::size_t purpose = 0; purpose < kNumPurposes; ++purpose) to.by_purpose[purpose] += from.by_purpose[purpose];
  }
  for (std::size_t unit = 0; unit < kNumUnits; ++unit) {
    sum.units[unit].busy += cycles.units[unit].busy;
    sum.units[unit].input_stall += cycles.units[unit].input_stall;
    sum.units[unit].output_stall += cycles.units[unit].output_stall;
    sum.units[unit].token_wait += cycles.units[unit].token_wait;
    sum.units[unit].idle += cycles.units[unit].idle;
    for (std::size_t purpose = 0; purpose < kNumPurposes; ++purpose) {
      sum.purposes[purpose][unit] += cycles.purposes[purpose][unit];
    }
  }
  for (const auto& [reason, count] : cycles.stalls) sum.stalls[reason] += count;
  sum.total += cycles.total;
  sum.scratchpad_peak_bytes = std::max(sum.scratchpad_peak_bytes, cycles.scratchpad_peak_bytes);
  sum.accumulator_peak_bytes = std::max(sum.accumulator_peak_bytes, cycles.accumulator_peak_bytes);
}

void VariantStatistics::add_pass(const std::string& phase, std::size_t tokens, const PassSchedule& schedule,
                                 const CycleReport& cycles) {
  add_schedule(schedule);
  add_cycles(cycles);
  if (phase.empty()) return;
  auto found = std::find_if(result_.phases.begin(), result_.phases.end(),
                            [&phase](const PhaseResult& known) { return known.name == phase; });
  if (found == result_.phases.end()) {
    found = result_.phases.emplace(found);
    found->name = phase;
    phase_operations_.emplace_back();
  }
  OpOperations& operations = phase_operations_[static_cast<std::size_t>(found - result_.phases.begin())];
  ++found->passes;
  found->tokens += tokens;
  found->cycles += cycles.total;
  for (const std::uint64_t count : schedule.macs) found->macs += count;
  for (const CycleReport::OpCycles& op : cycles.ops) found->dram_bytes += op.dram_bytes;
  for (std::size_t unit = 0; unit < kNumUnits; ++unit) found->busy[unit] += cycles.units[unit].busy;
  for (const OpOperations& op : schedule.operations) {
    for (std::size_t unit = 0; unit < kNumUnits; ++unit) {
      for (const auto& [key, count] : op[unit]) operations[unit][key] += count;
    }
  }
}

void VariantStatistics::finish_energy(const units::AcceleratorConfig& config) {
  std::map<units::OperationKey, double> prices;
  const Price price = [&](const units::OperationKey& key) {
    return prices.try_emplace(key, energy_of(key, config)).first->second;
  };
  for (std::size_t op = 0; op < result_.ops.size(); ++op) {
    result_.ops[op].unit_pj = priced({&operations_[op], 1}, price).unit_pj;
  }
  result_.energy = priced(operations_, price);
  for (std::size_t phase = 0; phase < result_.phases.size(); ++phase) {
    result_.phases[phase].energy = priced({&phase_operations_[phase], 1}, price);
  }
}

void VariantStatistics::finish_values() {
  Sha256 digest;
  for (std::size_t op = 0; op < result_.ops.size(); ++op) {
    OpResult& row = result_.ops[op];
    row.events = ledgers_[op];
    row.sqnr_db = decibel(errors_[op].signal, errors_[op].noise);
    row.max_abs = errors_[op].max_abs;
    row.reference_max_abs = errors_[op].reference_max_abs;
    row.exponents = errors_[op].exponents.histogram();
    result_.events += row.events.total();
    row.output_sha256 = errors_[op].output.hex();
    digest.update(row.output_sha256);
    for (const numerics::EventCounts& stage : row.events.stages) {
      digest.update(stage.counts.data(), sizeof(stage.counts));
    }
    digest.update(row.unit_cycles.data(), sizeof(row.unit_cycles));
  }
  digest.update(&result_.cycles.total, sizeof(result_.cycles.total));
  result_.digest = digest.hex();
  result_.perplexity = perplexity(negative_log_likelihood_, num_targets_);
  result_.sqnr_db = result_.ops.back().sqnr_db;
  result_.top1_agreement = static_cast<double>(num_agreeing_) / static_cast<double>(num_compared_);
}

void VariantStatistics::finish_layers() {
  for (const OpResult& op : result_.ops) {
    if (op.layer < 0) continue;
    if (result_.layers.empty() || result_.layers.back().layer != op.layer) {
      result_.layers.push_back({.layer = op.layer, .worst_op = op.name, .worst_sqnr_db = op.sqnr_db, .events = {}});
    }
    LayerResult& layer = result_.layers.back();
    layer.sqnr_db = op.sqnr_db;
    layer.events += op.events.total();
    // Not a number: the op's output is not finite, which nothing is worse than.
    if (op.sqnr_db >= layer.worst_sqnr_db || std::isnan(layer.worst_sqnr_db)) continue;
    layer.worst_op = op.name;
    layer.worst_sqnr_db = op.sqnr_db;
  }
}

VariantResult VariantStatistics::finish(const units::AcceleratorConfig& config) {
  constexpr double kNotANumber = std::numeric_limits<double>::quiet_NaN();
  for (std::size_t op = 0; op < result_.ops.size(); ++op) {
    OpResult& row = result_.ops[op];
    const CycleReport::OpCycles& cycles = result_.cycles.ops[op];
    row.unit_cycles = cycles.busy;
    row.purpose_cycles = cycles.by_purpose;
    row.start = cycles.start;
    row.end = cycles.end;
    row.cycles = 0;
    for (const std::uint64_t busy : cycles.busy) row.cycles += busy;
    row.dram_bytes = cycles.dram_bytes;
    row.sqnr_db = row.max_abs = row.reference_max_abs = kNotANumber;
    result_.macs += row.macs;
  }
  result_.perplexity = result_.sqnr_db = result_.top1_agreement = kNotANumber;
  if (has_values_) finish_values();
  if (has_values_) finish_layers();
  finish_energy(config);
  const units::ArrayConfig& array = config.array;
  const auto peak_macs_per_cycle = static_cast<double>(array.rows * array.cols * array.dot_width);
  result_.utilization =
      static_cast<double>(result_.macs) / (peak_macs_per_cycle * static_cast<double>(result_.cycles.total));
  return std::move(result_);
}

}  // namespace guardbit::sim
