#include "sim/schedule/operation_counts.h"

#include <algorithm>
#include <bit>

#include "models/numerics/check.h"
#include "sim/modules/timing.h"
#include "sim/schedule/element_operations.h"
#include "sim/schedule/window_scheduler.h"

namespace guardbit::sim {
namespace {

using transformer::Op;
using transformer::OpKind;
using units::Operation;
using units::OperationKey;

constexpr const char* kExponentFormat = "int8";
constexpr const char* kSumFormat = "int32";    ///< sums of codes and their corrections
constexpr const char* kVectorFormat = "fp32";  ///< the vector unit computes in binary32 and rounds into storage

constexpr std::uint64_t divide_up(std::uint64_t value, std::uint64_t unit) { return (value + unit - 1) / unit; }

class OperationCounter {
 public:
  OperationCounter(const transformer::Model<float>& model, const units::AcceleratorConfig& config)
      : model_(model), config_(config), ops_(model.ops.size()) {
    for (const Op& op : model.ops) formats_[op.output] = storage_format(model, config, op);
  }

  void count(const Command& command) {
    counts_ = &ops_[command.op_index][static_cast<std::size_t>(command.unit)];
    const Op& op = model_.ops[command.op_index];
    if (const auto* dma = std::get_if<DmaWork>(&command.work)) {
      add({Operation::kDramByte, "", ""}, dma->bytes);
      scratchpad(dma->bytes);
    } else if (const auto* matrix = std::get_if<MatrixWork>(&command.work)) {
      count_matrix(*matrix, op);
    } else if (const auto* norm = std::get_if<NormWork>(&command.work)) {
      count_norm(*norm, op);
    } else if (const auto* rotate = std::get_if<RotateWork>(&command.work)) {
      count_rotate(*rotate, op);
    } else if (const auto* vector = std::get_if<VectorWork>(&command.work)) {
      count_vector(*vector, command.purpose, op);
    }
  }

  std::vector<OpOperations> take() { return std::move(ops_); }

 private:
  void add(const OperationKey& key, std::uint64_t count) {
    if (count != 0) (*counts_)[key] += count;
  }
  void multiply(const std::string& format, std::uint64_t count) { add({Operation::kMultiply, format, ""}, count); }
  void sum(const std::string& format, std::uint64_t count) { add({Operation::kAdd, format, ""}, count); }
  void scratchpad(std::uint64_t bytes) { add({Operation::kScratchpadByte, "", ""}, bytes); }
  void per_element(const PerElement& operations, std::uint64_t elements) {
    multiply(kVectorFormat, operations.multiplies * elements);
    sum(kVectorFormat, operations.adds * elements);
    add({Operation::kDivide, kVectorFormat, ""}, operations.divides * elements);
  }
  std::uint64_t bytes_of(const std::string& tensor, std::uint64_t elements) const {
    return packed_bytes(elements, numerics::parse_float_format(formats_.at(tensor))->storage_bits());
  }
  /// The mode of a product op; scores and values have attention's.
  units::MatrixMode mode_of(const Op& op) const {
    if (op.kind == OpKind::kLinear) return linear_mode(config_, op);
    return units::make_matrix_mode(config_.array, config_.attention, config_.attention_accumulator, 0);
  }

  void count_matrix(const MatrixWork& work, const Op& op);
  void count_sums(const MatrixWork& work, const units::AccumulatorConfig& accumulator, const units::MatrixMode& mode);
  void count_corrections(std::uint64_t sums, const units::MatrixMode& mode, bool is_folded);
  void count_dequantization(std::uint64_t weights, const std::string& format, const units::MatrixMode& mode,
                            const Op& op);
  void count_norm(const NormWork& work, const Op& op);
  void count_rotate(const RotateWork& work, const Op& op);
  void count_vector(const VectorWork& work, Purpose purpose, const Op& op);
  void count_epilogue(std::uint64_t elements, const Op& op);
  void count_elementwise(std::uint64_t elements, const Op& op);
  void count_softmax(const VectorWork& work, const Op& op);
  void count_cache_write(std::uint64_t elements, const Op& op);

  const transformer::Model<float>& model_;
  const units::AcceleratorConfig& config_;
  std::map<std::string, std::string> formats_;  ///< of every tensor between ops
  std::vector<OpOperations> ops_;
  OperationCounts* counts_ = nullptr;
};

void OperationCounter::count_matrix(const MatrixWork& work, const Op& op) {
  const units::OperandConfig& operands = operand_config(config_, op.operand_class);
  const units::AccumulatorConfig& accumulator = accumulator_config(config_, op.operand_class);
  const units::MatrixMode mode = mode_of(op);
  const std::uint64_t macs = work.m * work.n * work.k;
  const std::string second = operands.weight == operands.activation ? "" : operands.weight;
  add({Operation::kMultiply, operands.activation, second}, macs);
  const std::uint64_t results = work.m * work.n;
  const std::uint64_t outer_updates = work.outer_updates();
  count_sums(work, accumulator, mode);
  if (outer_updates != 0) {
    const std::string& outer = accumulator.buffer.format.empty() ? kVectorFormat : accumulator.buffer.format;
    sum(outer, results * outer_updates);
    if (op.smooth || mode.weight_group > 0 || mode.activation_group > 0) {
      multiply(outer, results * outer_updates);  // each chunk times its group's scale
    }
    if (mode.weight_group > 0 && mode.activation_group > 0) multiply(kVectorFormat, results * outer_updates);
    count_corrections(results * outer_updates, mode, has_static_scale(config_, op));
  }
  // Output stationary: both operands pass the array once per fold of the other side. Else one of them stays, read once,
  // and the other passes once per fold of the columns.
  const auto rows = static_cast<std::uint64_t>(config_.array.rows);
  const auto cols = static_cast<std::uint64_t>(config_.array.cols);
  const std::string& dataflow = config_.array.dataflow;
  const std::uint64_t activation_reads = dataflow == "is" ? 1 : divide_up(work.n, cols);
  const std::uint64_t weight_reads = dataflow == "ws" ? 1 : divide_up(work.m, dataflow == "is" ? cols : rows);
  scratchpad(packed_bytes(work.m * work.k, activation_bits(mode)) * activation_reads +
             packed_bytes(work.n * work.k, stored_weight_bits(mode, op)) * weight_reads);
  count_dequantization(work.n * work.k * weight_reads, operands.weight, mode, op);
  // Every update but the first reads what is there; each writes.
  const std::uint64_t updates = std::max<std::uint64_t>(outer_updates, 1);
  add({Operation::kAccumulatorByte, "", ""}, results * accumulator_bytes(mode) * (2 * updates - 1));
}

/// A zero point times a sum of codes, taken from each chunk's sum; of a static one the product is folded offline.
void OperationCounter::count_corrections(std::uint64_t sums, const units::MatrixMode& mode, bool is_folded) {
  const std::uint64_t terms = (mode.weight_zero_points ? 1U : 0U) + (mode.activation_zero_point ? 1U : 0U);
  multiply(kSumFormat, (terms - (mode.activation_zero_point && is_folded ? 1U : 0U)) * sums);
  sum(kSumFormat, terms * sums);
}

/// Codes become floats at the array's port: code - zero point, and where sums are not scaled a product with the scale.
void OperationCounter::count_dequantization(std::uint64_t weights, const std::string& format,
                                            const units::MatrixMode& mode, const Op& op) {
  if (op.codes.bits == 0 || mode.integer) return;
  if (op.codes.zero_points) sum(kExponentFormat, weights);
  if (!mode.scaled_sums) multiply(format, weights);
}

/// The additions inside the PEs and columns.
void OperationCounter::count_sums(const MatrixWork& work, const units::AccumulatorConfig& accumulator,
                                  const units::MatrixMode& mode) {
  const std::uint64_t results = work.m * work.n;
  const std::uint64_t macs = results * work.k;
  sum(adder_format(accumulator, mode), macs);
  const std::uint64_t chunk = work.chunk == 0 ? work.k : std::min(work.chunk, work.k);
  const std::uint64_t whole_chunks = work.k / chunk;
  const std::uint64_t rest = work.k % chunk;
  if (accumulator.reduce == "aligned") {
    const auto width = static_cast<std::uint64_t>(config_.array.dot_width);
    const std::uint64_t steps = whole_chunks * divide_up(chunk, width) + divide_up(rest, width);
    sum(kExponentFormat, macs);                // comparisons of exponents
    sum(accumulator.format, results * steps);  // normalization and rounding, or the addition to the accumulator
  } else if (accumulator.reduce == "fixed") {
    sum(accumulator.format, results * (whole_chunks + (rest != 0 ? 1 : 0)));  // the rounding at a chunk's end
  }
}

void OperationCounter::count_norm(const NormWork& work, const Op& op) {
  const units::NormConfig& norm = config_.norm;
  const bool two_passes = work.layer_norm && norm.statistics == "two_pass";
  const bool welford = work.layer_norm && norm.statistics == "welford";
  const std::uint64_t elements = work.rows * work.hidden_size;
  const bool divides = work.dynamic_scale && norm.scale == "exact";
  if (work.dynamic_scale) sum(norm.input, elements);  // comparisons for the row's maximum
  if (divides) add({Operation::kDivide, kVectorFormat, ""}, work.rows);
  if (work.scale_multiply || divides) multiply(norm.input, elements);
  if (two_passes) sum(norm.input, elements);  // centring
  if (welford) {                              // an update: two products, four sums; a merge: three products, four sums
    const auto states = static_cast<std::uint64_t>(norm.lanes * norm.accumulator.interleave);
    const std::uint64_t merges = work.rows * (std::min(states, work.hidden_size) - 1);
    multiply(norm.accumulator.format, 2 * elements + 3 * merges);
    sum(norm.accumulator.format, 4 * (elements + merges));
  } else {
    multiply(norm.accumulator.format, elements);  // squares
    sum(norm.accumulator.format, elements * (work.layer_norm ? 2 : 1));
  }
  multiply(norm.arithmetic, elements * 2);                  // inv_std, gamma
  if (work.layer_norm) sum(norm.arithmetic, elements * 2);  // - mean, + beta
  // Once a row: 1/d (mean, variance), mean^2, the subtraction of it, epsilon, Newton steps of three products and one
  // sum.
  const bool one_pass = work.layer_norm && !two_passes && !welford;
  multiply(norm.arithmetic, work.rows * ((work.layer_norm && !welford ? 2 : 1) + (one_pass ? 1 : 0)));
  sum(norm.arithmetic, work.rows * (one_pass ? 2 : 1));
  multiply(norm.rsqrt.format, work.rows * work.rsqrt_newton_steps * 3);
  sum(norm.rsqrt.format, work.rows * work.rsqrt_newton_steps);
  scratchpad(bytes_of(op.inputs[0], elements) + bytes_of(op.output, elements));
}

void OperationCounter::count_rotate(const RotateWork& work, const Op& op) {
  const std::uint64_t elements = work.rows * work.width;
  const std::uint64_t dense = hadamard_dense_factor(work.size);
  const auto stages = static_cast<std::uint64_t>(std::bit_width(work.size / dense) - 1);
  sum(config_.rotate.format, elements * (stages + dense - 1));
  multiply(config_.rotate.format, elements);  // the final scale
  scratchpad(bytes_of(op.inputs[0], elements) * 2);
}

void OperationCounter::count_epilogue(std::uint64_t elements, const Op& op) {
  const units::MatrixMode mode = mode_of(op);
  PerElement operations;
  const bool by_row = (mode.integer || mode.dynamic_scale) && mode.activation_group == 0;
  const bool by_column = (mode.integer || mode.dynamic_scale || mode.scaled_sums) && mode.weight_group == 0;
  // Row scale * column scale, times the result; a static row scale is folded into the column's.
  const bool is_folded = by_column && has_static_scale(config_, op);
  operations.multiplies += (by_row && !is_folded ? 1U : 0U) + (by_column ? 1U : 0U);
  if (op.kind == OpKind::kScores) ++operations.multiplies;  // 1 / sqrt(head size)
  if (!op.bias.empty()) ++operations.adds;
  per_element(operations, elements);
  add({Operation::kAccumulatorByte, "", ""}, elements * accumulator_bytes(mode));
  scratchpad(bytes_of(op.output, elements));
  count_cache_write(elements, op);
}

/// Keys and values become codes: the maximum (with zero points the minimum too), then a division; each pass reads.
void OperationCounter::count_cache_write(std::uint64_t elements, const Op& op) {
  const auto cache = units::kv_cache_format(config_.storage);
  if (!cache || !is_cached(model_, op.output)) return;
  per_element({.adds = cache->has_zero_point ? 3U : 1U, .divides = 1}, elements);
  scratchpad(2 * bytes_of(op.output, elements) + packed_bytes(elements, cache->bits));
}

void OperationCounter::count_softmax(const VectorWork& work, const Op& op) {
  PerElement exponential{.adds = 1};  // the difference
  exponential = exponential + (config_.softmax.exponential == "table" ? kTableExponential : kExponential);
  per_element(PerElement{.adds = 2, .divides = 1}, work.elements);  // maximum, sum
  per_element(exponential, work.elements * work.exp_passes);
  per_element(exponential + PerElement{.multiplies = 1}, work.exponentials);  // the sum's factors
  scratchpad(bytes_of(op.inputs[0], work.elements) * work.passes + bytes_of(op.output, work.elements));
}

void OperationCounter::count_elementwise(std::uint64_t elements, const Op& op) {
  PerElement operations;
  std::uint64_t bytes = bytes_of(op.output, elements);
  for (const std::string& input : op.inputs) bytes += bytes_of(input, elements);
  if (op.kind == OpKind::kEmbed) {
    bytes += bytes_of(op.output, elements) * (op.bias.empty() ? 1 : 2);
    if (!op.bias.empty()) operations.adds = 1;
  } else if (op.kind == OpKind::kResidual) {
    operations.adds = 1;
  } else if (op.kind == OpKind::kRope) {
    operations = {.multiplies = 2, .adds = 1};
  } else if (op.kind == OpKind::kActivation || op.kind == OpKind::kGate) {
    operations = activation_operations(op.activation);
    if (op.kind == OpKind::kGate) ++operations.multiplies;
  }
  per_element(operations, elements);
  scratchpad(bytes);
  count_cache_write(elements, op);
}

void OperationCounter::count_vector(const VectorWork& work, Purpose purpose, const Op& op) {
  if (purpose == Purpose::kEpilogue) return count_epilogue(work.elements, op);
  if (purpose == Purpose::kElementwise) return count_elementwise(work.elements, op);
  const std::uint64_t read = bytes_of(op.inputs[0], work.elements);
  if (purpose == Purpose::kQuantization) {
    if (work.passes == 0) return;
    if (work.cache_passes != 0) {  // scale * (code - zero point)
      const bool has_zero_point = units::kv_cache_format(config_.storage)->has_zero_point;
      per_element({.multiplies = 1, .adds = has_zero_point ? 1U : 0U}, work.elements);
    }
    const std::uint32_t operand_passes = work.passes - work.cache_passes;
    const bool has_minimum = op.kind == OpKind::kLinear && mode_of(op).activation_zero_point;
    const bool range_is_known = op.kind == OpKind::kLinear && operand_passes == 1 &&
                                (mode_of(op).activation_tensor || has_static_scale(config_, op));
    if (operand_passes == 2) {  // maximum (and minimum, zero point), x / scale
      per_element({.adds = has_minimum ? 3U : 1U, .divides = 1}, work.elements);
    } else if (range_is_known) {
      per_element({.adds = has_minimum ? 1U : 0U, .divides = 1}, work.elements);
    }
    scratchpad(read * work.passes + packed_bytes(work.elements, activation_bits(mode_of(op))));
  } else if (purpose == Purpose::kTensorMaxima) {
    sum(kVectorFormat, work.elements * (mode_of(op).activation_zero_point ? 2 : 1));
    scratchpad(read);
  } else if (purpose == Purpose::kRowSums) {
    sum(kSumFormat, work.elements);
    scratchpad(packed_bytes(work.elements, activation_bits(mode_of(op))));
  } else if (purpose == Purpose::kChannelMaxima) {
    sum(kVectorFormat, work.elements);
    const std::uint64_t levels = work.sort_elements <= 1 ? 0 : std::uint64_t(std::bit_width(work.sort_elements - 1));
    sum(kVectorFormat, levels == 0 ? 0 : levels * (levels + 1) / 2 * ((std::uint64_t{1} << levels) / 2));
    scratchpad(read);
  } else if (purpose == Purpose::kSmoothDivide) {
    per_element({.divides = 1}, work.elements);
    scratchpad(2 * read);
  } else if (purpose == Purpose::kSoftmax) {
    count_softmax(work, op);
  }
}

}  // namespace

std::string adder_format(const units::AccumulatorConfig& accumulator, const units::MatrixMode& mode) {
  const arith::AccumulationSpec& spec = mode.float_spec;
  if (accumulator.reduce == "fixed") return numerics::name_of(spec.fixed.format);
  if (accumulator.reduce != "aligned") return accumulator.format;
  constexpr int kSignAndProductBits = 3;
  const int terms = spec.width + (spec.alignment.align_accumulator ? 1 : 0);
  const int carry_bits = std::bit_width(static_cast<unsigned>(terms - 1));
  return numerics::name_of(numerics::FixedFormat{kSignAndProductBits + carry_bits, spec.alignment.fraction_bits});
}

std::vector<OpOperations> count_operations(const transformer::Model<float>& model,
                                           const units::AcceleratorConfig& config,
                                           const std::vector<Command>& commands) {
  OperationCounter counter(model, config);
  for (const Command& command : commands) counter.count(command);
  return counter.take();
}

}  // namespace guardbit::sim
