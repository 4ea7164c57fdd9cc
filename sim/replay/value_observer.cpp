#include "sim/replay/value_observer.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "sim/replay/norm_rows.h"
#include "sim/replay/spread.h"

namespace guardbit::sim {

using transformer::Op;
using transformer::OpKind;

namespace {

/// Whether two linear layers quantize the same values in the same way.
bool same_operand(const Op& a, const Op& b) {
  return a.inputs == b.inputs && a.rotation == b.rotation && a.smooth == b.smooth && a.operand_class == b.operand_class;
}

}  // namespace

ValueObserver::ValueObserver(const PreparedVariant& variant) : variant_(variant) {
  const std::vector<Op>& ops = variant.model.ops;
  for (std::size_t index = 0; index < ops.size(); ++index) {
    if (ops[index].kind == OpKind::kNorm) norms_.try_emplace(index, ops[index], variant.config.norm);
    if (ops[index].kind != OpKind::kLinear) continue;
    const PreparedLinear& linear = variant.linears.at(index);
    const std::size_t num_inputs = variant.model.weights.at(ops[index].weight).cols();
    if (linear.quantized_weights) quantizers_[index]["weight"] = *linear.quantized_weights;
    same_reference_[index] = same_array_[index] = index;
    for (std::size_t other = index; other-- > 0;) {
      if (ops[other].kind != OpKind::kLinear) continue;
      if (ops[other].inputs == ops[index].inputs) same_reference_[index] = other;
      if (same_operand(ops[other], ops[index])) same_array_[index] = other;
    }
    if (same_reference_[index] == index) reference_outliers_.try_emplace(index, num_inputs);
    if (same_array_[index] == index) array_outliers_.try_emplace(index, num_inputs);
  }
}

void ValueObserver::add_norm(std::size_t op, std::size_t first_token, numerics::MatrixView<const float> rows,
                             std::size_t rows_per_token, std::span<const units::NormTrace> traces) {
  norms_.at(op).add_simulated(rows, {window_, first_token}, rows_per_token, traces);
}

void ValueObserver::add_quantized(std::size_t op, std::string_view quantizer, std::uint64_t values,
                                  const numerics::EventCounts& events) {
  QuantizerCounts& counts = quantizers_[op][std::string(quantizer)];
  counts.values += values;
  counts.clipped += events[numerics::Event::kClipped];
  counts.zeroed += events[numerics::Event::kZeroed];
}

void ValueObserver::add_linear_input(std::size_t op, std::size_t first_token, const LinearInput& input) {
  const auto found = array_outliers_.find(op);
  if (found == array_outliers_.end()) return;
  // A static scale is no token's: its outliers have no victims.
  const PreparedLinear& linear = variant_.linears.at(op);
  std::optional<QuantizedRows> quantized =
      linear.static_range ? std::nullopt : quantized_rows(input.operand, linear.mode);
  if (quantized) quantized->unsmoothed = input.unsmoothed;
  found->second.add(input.x, {window_, first_token}, input.channels, quantized);
}

void ValueObserver::add_group_scales(std::size_t op, std::span<const float> scales) {
  GroupScales& seen = group_scales_[op];
  ++seen.passes;
  seen.scales.insert(seen.scales.end(), scales.begin(), scales.end());
}

void ValueObserver::add_reference_input(std::size_t op, const numerics::Matrix<float>& x) {
  if (const auto norm = norms_.find(op); norm != norms_.end())
    norm->second.add_reference(norm_rows(x.view(), variant_.model.ops[op]));
  if (const auto linear = reference_outliers_.find(op); linear != reference_outliers_.end()) {
    linear->second.add(x.view(), {window_, 0});
  }
}

void ValueObserver::finish(VariantResult& result) {
  for (auto& [op, norm] : norms_) result.ops[op].norm = norm.finish();
  for (auto& [op, counts] : quantizers_) result.ops[op].quantizers = std::move(counts);
  for (auto& [op, counter] : reference_outliers_) result.ops[op].reference_outliers = counter.finish();
  for (auto& [op, counter] : array_outliers_) result.ops[op].array_outliers = counter.finish();
  for (const auto& [op, first] : same_reference_) {
    result.ops[op].reference_outliers = result.ops[first].reference_outliers;
  }
  for (const auto& [op, first] : same_array_) result.ops[op].array_outliers = result.ops[first].array_outliers;
  for (auto& [op, seen] : group_scales_) {
    result.ops[op].group_scales = GroupScaleReport{
        .groups = seen.scales.size() / seen.passes, .passes = seen.passes, .scale = spread_of(std::move(seen.scales))};
  }
}

}  // namespace guardbit::sim
