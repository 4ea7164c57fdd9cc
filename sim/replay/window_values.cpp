#include "sim/replay/window_values.h"

#include <algorithm>

#include "models/numerics/check.h"
#include "models/units/activation_unit.h"
#include "models/units/affine_product.h"
#include "models/units/rotate_unit.h"
#include "models/units/smooth_unit.h"
#include "sim/replay/norm_rows.h"

namespace guardbit::sim {

using numerics::Matrix;
using numerics::MatrixView;
using numerics::Stage;
using transformer::Op;
using transformer::OpKind;

namespace {

units::ActivationFunction function_of(transformer::ActivationKind kind) {
  switch (kind) {
    case transformer::ActivationKind::kGeluTanh: return units::ActivationFunction::kGeluTanh;
    case transformer::ActivationKind::kGelu: return units::ActivationFunction::kGelu;
    case transformer::ActivationKind::kSilu: return units::ActivationFunction::kSilu;
    case transformer::ActivationKind::kRelu: return units::ActivationFunction::kRelu;
  }
  fail_check(__FILE__, __LINE__, "activation kind", "unknown enumerator");
}

std::span<const float> vector_of(const transformer::Model<float>& model, const std::string& key) {
  if (key.empty()) return {};
  return model.weights.at(key).data();
}

/// Copies the rows of a partial operand into the operand of the whole.
void copy_rows(const units::Operand& part, std::size_t first_row, units::Operand& whole) {
  const auto copy = [first_row](const auto& from, auto& to) {
    std::copy(from.data().begin(), from.data().end(), to.row(first_row));
  };
  if (part.integer) {
    copy(part.codes, whole.codes);
  } else {
    copy(part.values, whole.values);
  }
  if (part.group_scales.rows() != 0) copy(part.group_scales, whole.group_scales);
  if (part.zero_points.rows() != 0) copy(part.zero_points, whole.zero_points);
  std::copy(part.scales.begin(), part.scales.end(),
            whole.scales.begin() + static_cast<std::ptrdiff_t>(part.scales.empty() ? 0 : first_row));
}

units::Operand empty_operand(const units::MatrixMode& mode, std::size_t num_rows, std::size_t num_cols) {
  units::Operand operand;
  operand.integer = mode.integer;
  if (mode.integer) {
    operand.codes = Matrix<std::int8_t>(num_rows, num_cols);
  } else {
    operand.values = Matrix<float>(num_rows, num_cols);
  }
  operand.group = static_cast<std::size_t>(mode.activation_group);
  const std::size_t groups = units::num_groups(num_cols, operand.group);
  if (mode.activation_group > 0) {
    operand.group_scales = Matrix<float>(num_rows, groups, 1.0F);
  } else if (mode.integer || mode.dynamic_scale) {
    operand.scales.assign(num_rows, 1.0F);
  }
  if (mode.activation_zero_point) operand.zero_points = Matrix<std::int8_t>(num_rows, groups);
  return operand;
}

}  // namespace

WindowValues::WindowValues(const PreparedVariant& variant, const WindowOptions& options,
                           std::vector<numerics::EventLedger>& ledgers)
    : variant_(variant),
      options_(options),
      ledgers_(ledgers),
      num_tokens_(options.tokens.size()),
      pass_{0, num_tokens_} {}

/// The tensor an op reads: what the op before computed, or in open loop what was recorded, in the storage format in
/// which it would have arrived (that conversion is not the reading op's, so its events are not counted).
const Matrix<float>& WindowValues::input(const std::string& tensor) {
  if (options_.recorded == nullptr) return tensors_.at(tensor);
  const auto found = recorded_.find(tensor);
  if (found != recorded_.end()) return found->second;
  const auto producer = std::find_if(variant_.model.ops.begin(), variant_.model.ops.end(),
                                     [&tensor](const Op& op) { return op.output == tensor; });
  Matrix<float> converted = options_.recorded->at(tensor);
  numerics::EventLedger uncounted;
  units::convert_rows(converted.view(), variant_.storage_of(*producer), Stage::kStorage, converted.view(), uncounted,
                      options_.parallel_for);
  if (is_quantized(tensor)) {
    through_cache(tensor, {0, converted.rows()}, {0, converted.cols()}, recorded_caches_, converted, uncounted);
  }
  return recorded_.emplace(tensor, std::move(converted)).first->second;
}

Matrix<float>& WindowValues::output(const Op& op, std::size_t num_rows, std::size_t num_cols) {
  return tensors_.try_emplace(op.output, num_rows, num_cols).first->second;
}

void WindowValues::embed(std::size_t index, Range rows) {
  const Op& op = variant_.model.ops[index];
  const Matrix<float>& table = variant_.model.weights.at(op.weight);
  Matrix<float>& y = output(op, num_tokens_, table.cols());
  for (std::size_t row = rows.begin; row < rows.end; ++row) {
    const auto token = static_cast<std::size_t>(options_.tokens[row]);
    const MatrixView<float> out = y.view().rows_range(row, row + 1);
    units::convert_rows(table.view().rows_range(token, token + 1), variant_.residual, Stage::kStorage, out,
                        ledgers_[index]);
    if (op.bias.empty()) continue;
    Matrix<float> position(1, table.cols());
    units::convert_rows(variant_.model.weights.at(op.bias).view().rows_range(row, row + 1), variant_.residual,
                        Stage::kStorage, position.view(), ledgers_[index]);
    units::residual_add(out, position.view(), variant_.residual, out, ledgers_[index]);
  }
}

void WindowValues::rows(std::size_t index, Range range) {
  const Op& op = variant_.model.ops[index];
  if (op.kind == OpKind::kEmbed) return embed(index, range);
  const MatrixView<const float> x = input(op.inputs[0]).view().rows_range(range.begin, range.end);
  const MatrixView<float> y = output(op, num_tokens_, x.cols).view().rows_range(range.begin, range.end);
  const numerics::FloatSpec& storage = variant_.storage_of(op);
  numerics::EventLedger& ledger = ledgers_[index];
  const auto second = [&] { return input(op.inputs[1]).view().rows_range(range.begin, range.end); };
  switch (op.kind) {
    case OpKind::kNorm: {
      std::vector<units::NormTrace> traces;
      variant_.norm->run(norm_rows(x, op), norm_parameters(variant_.model, op), norm_rows(y, op), ledger, &traces,
                         options_.parallel_for);
      if (options_.observer != nullptr) {
        options_.observer->add_norm(index, range.begin, norm_rows(x, op), traces.size() / range.size(), traces);
      }
      break;
    }
    case OpKind::kRope:
      units::rope(x, variant_.rope, range.begin, storage, y, ledger, options_.parallel_for);
      if (is_quantized(op.output)) write_cache(index, range, {0, y.cols}, tensors_.at(op.output));
      break;
    case OpKind::kActivation:
      units::activate(function_of(op.activation), x, storage, y, ledger, options_.parallel_for);
      break;
    case OpKind::kGate:
      units::gate(function_of(op.activation), x, second(), storage, y, ledger, options_.parallel_for);
      break;
    case OpKind::kResidual: units::residual_add(x, second(), storage, y, ledger, options_.parallel_for); break;
    case OpKind::kEmbed:
    case OpKind::kLinear:
    case OpKind::kScores:
    case OpKind::kSoftmax:
    case OpKind::kValues: fail_check(__FILE__, __LINE__, "row-local op", op.name + " is not row-local");
  }
}

MatrixView<const float> WindowValues::linear_input(std::size_t index, LinearState& state) {
  const Op& op = variant_.model.ops[index];
  if (op.rotation.size > 0) return state.rotated.view();
  return input(op.inputs[0]).view().rows_range(pass_.begin, pass_.end);
}

void WindowValues::rotate(std::size_t index, Range range) {
  const Op& op = variant_.model.ops[index];
  const MatrixView<const float> x = input(op.inputs[0]).view();
  LinearState& state = linears_[index];
  if (state.rotated.rows() == 0) state.rotated = Matrix<float>(pass_.size(), x.cols);
  const MatrixView<float> rotated = state.rotated.view().rows_range(in_pass(range).begin, in_pass(range).end);
  units::rotate(x.rows_range(range.begin, range.end), op.rotation.size, op.rotation.stride, variant_.config.rotate,
                rotated, ledgers_[index], options_.parallel_for);
  units::convert_rows(rotated, variant_.activation, Stage::kStorage, rotated, ledgers_[index], options_.parallel_for);
}

void WindowValues::smooth_statistics(std::size_t index, Range range) {
  LinearState& state = linears_[index];
  const Range local = in_pass(range);
  units::SmoothPlan plan =
      units::smooth_plan(linear_input(index, state).rows_range(local.begin, local.end), variant_.config.smooth);
  if (options_.observer != nullptr) options_.observer->add_group_scales(index, plan.group_scales);
  state.plans.insert_or_assign(range.begin, std::move(plan));
}

/// The plan that the token is smoothed by: the last one that begins at or before it.
const std::pair<const std::size_t, units::SmoothPlan>& WindowValues::plan_at(const LinearState& state,
                                                                             std::size_t token) {
  const auto next = state.plans.upper_bound(token);
  GUARDBIT_CHECK(next != state.plans.begin(), "statistics come before what they scale");
  return *std::prev(next);
}

/// Weights in the order of the plan for a block of tokens. The array takes blocks of tokens one after the other, so
/// that one copy is enough.
const units::Operand& WindowValues::gathered_weights(std::size_t index, std::size_t token, LinearState& state) const {
  const auto& [first, plan] = plan_at(state, token);
  if (state.gathered_for == first) return state.gathered;
  const units::Operand& weights = variant_.linears.at(index).weights;
  state.gathered.integer = weights.integer;
  state.gathered.scales = weights.scales;
  state.gathered.zero_points = weights.zero_points;
  const auto gather = [&permutation = plan.permutation](const auto& from, auto& to) {
    to = std::remove_cvref_t<decltype(to)>(from.rows(), from.cols());
    for (std::size_t row = 0; row < from.rows(); ++row) {
      for (std::size_t k = 0; k < from.cols(); ++k) to(row, k) = from(row, permutation[k]);
    }
  };
  if (weights.integer) {
    gather(weights.codes, state.gathered.codes);
  } else {
    gather(weights.values, state.gathered.values);
  }
  state.gathered_for = first;
  return state.gathered;
}

void WindowValues::quantize(std::size_t index, Range range) {
  LinearState& state = linears_[index];
  const units::MatrixMode& mode = variant_.linears.at(index).mode;
  const MatrixView<const float> all = linear_input(index, state);
  const MatrixView<const float> unsmoothed = all.rows_range(in_pass(range).begin, in_pass(range).end);
  MatrixView<const float> x = unsmoothed;
  Matrix<float> smoothed;
  std::span<const std::uint32_t> channels;
  if (variant_.model.ops[index].smooth) {
    const units::SmoothPlan& plan = plan_at(state, range.begin).second;
    channels = plan.permutation;
    smoothed = Matrix<float>(x.rows, x.cols);
    units::smooth(x, plan, static_cast<std::size_t>(variant_.config.smooth.group), variant_.activation, smoothed.view(),
                  ledgers_[index], options_.parallel_for);
    x = smoothed.view();
  }
  if (state.x.rows() == 0) state.x = empty_operand(mode, all.rows, all.cols);
  std::optional<units::ValueRange> whole = variant_.linears.at(index).static_range;
  if (mode.activation_tensor) whole = units::range_of(all);
  const units::Operand part = quantize_operand(index, "activation", x, mode, x.rows * x.cols, whole);
  copy_rows(part, in_pass(range).begin, state.x);
  if (options_.observer == nullptr) return;
  options_.observer->add_linear_input(index, range.begin,
                                      {.x = x,
                                       .unsmoothed = smoothed.rows() == 0 ? MatrixView<const float>{} : unsmoothed,
                                       .channels = channels,
                                       .operand = part});
}

/// An operand of a product, with its events at the op. `num_values`: how many of x's the product uses. `whole`: the
/// range of the tensor that x is a part of, where a scale belongs to all of it.
units::Operand WindowValues::quantize_operand(std::size_t index, std::string_view quantizer, MatrixView<const float> x,
                                              const units::MatrixMode& mode, std::size_t num_values,
                                              const std::optional<units::ValueRange>& whole) {
  numerics::EventLedger events;
  units::Operand operand =
      whole ? units::quantize_affine_operand(x, mode, events, options_.parallel_for, &*whole)
            : units::quantize_operand(x, mode, /*is_weight=*/quantizer == "keys_values", events, options_.parallel_for);
  ledgers_[index] += events;
  if (options_.observer != nullptr && (mode.integer || mode.dynamic_scale)) {
    options_.observer->add_quantized(index, quantizer, num_values, events[Stage::kQuantizer]);
  }
  return operand;
}

units::MatrixProductOptions WindowValues::product_options(std::size_t index, std::size_t head,
                                                          std::size_t num_heads) const {
  units::MatrixProductOptions options;
  options.stream = {options_.seed, static_cast<std::uint32_t>(index * num_heads + head)};
  options.parallel_for = options_.parallel_for;
  return options;
}

void WindowValues::product(std::size_t index, Range rows, Range cols) {
  const PreparedLinear& linear = variant_.linears.at(index);
  LinearState& state = linears_[index];
  const Range local = in_pass(rows);
  const bool smooth = variant_.model.ops[index].smooth;
  const auto num_heads = static_cast<std::size_t>(variant_.model.shape.num_heads);
  units::MatrixProductOptions options = product_options(index, 0, num_heads);
  if (linear.narrow) state.widened = linear.narrow->widen({cols.begin, cols.end});
  const units::Operand& weights = linear.narrow ? state.widened
                                  : smooth      ? gathered_weights(index, rows.begin, state)
                                                : linear.weights;
  const std::span<const float> group_scales =
      smooth ? std::span<const float>(plan_at(state, rows.begin).second.group_scales) : std::span<const float>{};
  const std::size_t first = linear.narrow ? 0 : cols.begin;  // row of `weights` that is output cols.begin
  Matrix<float>& block = state.accumulators[{rows.begin, cols.begin}];
  block = Matrix<float>(rows.size(), cols.size());
  const MatrixView<float> acc = block.view();
  if (options_.stepped == nullptr) {
    options.origin = {static_cast<std::uint32_t>(pass_.begin), static_cast<std::uint32_t>(cols.begin - first)};
    units::matrix_product(state.x, weights, {local.begin, local.end}, {first, first + cols.size()}, linear.mode,
                          group_scales, options, acc, ledgers_[index]);
    return;
  }
  PeProduct::Values values{.mode = &linear.mode, .a = &state.x, .b = &weights};
  values.first_row_a = local.begin;
  values.first_row_b = first;
  values.stream = options.stream;
  values.origin = {static_cast<std::uint32_t>(rows.begin), static_cast<std::uint32_t>(cols.begin)};
  values.c = acc;
  *options_.stepped = {values, units::chunk_scales(group_scales, linear.mode, state.x.cols()), &ledgers_[index]};
}

void WindowValues::epilogue(std::size_t index, Range rows, Range cols) {
  const Op& op = variant_.model.ops[index];
  const PreparedLinear& linear = variant_.linears.at(index);
  LinearState& state = linears_[index];
  const auto part = [](std::span<const float> values, Range range) {
    return values.empty() ? values : values.subspan(range.begin, range.size());
  };
  const std::span<const float> token_scales = linear.folds_token_scale() ? std::span<const float>{} : state.x.scales;
  const units::Epilogue steps{.row_scales = part(token_scales, in_pass(rows)),
                              .col_scales = part(linear.weights.scales, cols),
                              .factor = 1,
                              .bias = part(vector_of(variant_.model, op.bias), cols)};
  Matrix<float>& y = output(op, num_tokens_, linear.num_outputs);
  const auto accumulators = state.accumulators.extract({rows.begin, cols.begin});
  GUARDBIT_CHECK(!accumulators.empty(), "a block is multiplied before its epilogue");
  units::epilogue(accumulators.mapped().view(), steps, variant_.storage_of(op),
                  y.view().rows_range(rows.begin, rows.end).cols_range(cols.begin, cols.end), ledgers_[index],
                  options_.parallel_for);
  if (is_quantized(op.output)) write_cache(index, rows, cols, y);
  if (rows.end == pass_.end && cols.end == linear.num_outputs) linears_.erase(index);
}

}  // namespace guardbit::sim
