#include "models/units/arithmetic.h"

#include <algorithm>

#include "models/numerics/check.h"
#include "models/numerics/codec.h"

namespace guardbit::units {
namespace {

numerics::FloatFormat float_format(std::string_view name) {
  const auto format = numerics::parse_float_format(name);
  GUARDBIT_CHECK(format.has_value(), "'" + std::string(name) + "' is a float format");
  return *format;
}

/// One pass of a sum down a column, or what the configuration asks of an output-stationary PE.
int chunk_of(const ArrayConfig& array, const BufferConfig& buffer, bool has_outer, int group) {
  const int column = static_cast<int>(array.column_products());
  if (array.sums_flow_down()) return group > 0 ? std::min(column, group) : column;
  if (group > 0) return group;
  if (!has_outer) return 0;
  return buffer.promote_every > 0 ? static_cast<int>(buffer.promote_every) : kWholeReduction;
}

/// The buffer, or the fp32 one that converts integers and applies group scales where none is described.
numerics::FloatSpec outer_spec(const BufferConfig& buffer) {
  if (buffer.format.empty()) return conversion_spec("fp32");
  return float_spec(buffer.format, buffer.rounding, buffer.overflow, buffer.subnormals);
}

void set_float_operands(const OperandConfig& operands, MatrixMode& mode) {
  mode.activation = float_format(operands.activation);
  mode.weight = float_format(operands.weight);
  mode.dynamic_scale = operands.scale == "dynamic";
  if (!mode.dynamic_scale) return;
  const auto configured = static_cast<float>(operands.operand_max);
  mode.operand_max_activation = configured > 0 ? configured : numerics::max_finite(mode.activation);
  mode.operand_max_weight = configured > 0 ? configured : numerics::max_finite(mode.weight);
}

}  // namespace

numerics::FloatSpec float_spec(std::string_view format, std::string_view rounding, std::string_view overflow,
                               std::string_view subnormals) {
  const auto mode = numerics::parse_rounding(rounding);
  const auto policy = numerics::parse_overflow(overflow);
  GUARDBIT_CHECK(mode && policy, "rounding and overflow names were checked by the reader");
  return {
      .format = float_format(format), .rounding = *mode, .overflow = *policy, .flush_output = subnormals == "flush"};
}

numerics::FloatSpec conversion_spec(std::string_view format) {
  const numerics::FloatFormat destination = float_format(format);
  return {.format = destination,
          .overflow =
              destination.has_infinity() ? numerics::OverflowPolicy::kInfinity : numerics::OverflowPolicy::kSaturate};
}

MatrixMode make_matrix_mode(const ArrayConfig& array, const OperandConfig& operands,
                            const AccumulatorConfig& accumulator, int group) {
  MatrixMode mode;
  const auto activation = numerics::parse_int_format(operands.activation);
  const auto weight = numerics::parse_int_format(operands.weight);
  const auto int_accumulator = numerics::parse_int_format(accumulator.format);
  GUARDBIT_CHECK(activation.has_value() == weight.has_value() && activation.has_value() == int_accumulator.has_value(),
                 "operands and accumulator are all integers or all floats (cross_field_problems)");
  mode.integer = activation.has_value();
  mode.group = group;
  const bool has_outer = mode.integer || group > 0 || !accumulator.buffer.format.empty();
  mode.chunk = chunk_of(array, accumulator.buffer, has_outer, group);
  GUARDBIT_CHECK(group == 0 || group % mode.chunk == 0,
                 "chunks do not straddle smoothing groups (cross_field_problems)");

  if (mode.integer) {
    mode.activation_bits = activation->bits;
    mode.weight_bits = weight->bits;
    mode.int_spec.inner = *int_accumulator;
    mode.int_spec.overflow =
        accumulator.int_overflow == "wrap" ? numerics::IntOverflow::kWrap : numerics::IntOverflow::kSaturate;
    if (mode.chunk == 0) mode.chunk = kWholeReduction;
    mode.int_spec.promote_every = mode.chunk;
    mode.int_spec.outer = outer_spec(accumulator.buffer);
    return mode;
  }
  set_float_operands(operands, mode);
  arith::AccumulationSpec& spec = mode.float_spec;
  const bool tree = accumulator.reduce == "tree";
  spec.reduce = tree ? arith::Reduce::kTree : arith::Reduce::kSequential;
  spec.width = tree ? static_cast<int>(array.dot_width) : 1;
  spec.interleave = static_cast<int>(accumulator.interleave);
  spec.inner = float_spec(accumulator.format, accumulator.rounding, accumulator.overflow, accumulator.subnormals);
  if (accumulator.product != "exact") {
    spec.product = float_spec(accumulator.product, accumulator.rounding, accumulator.overflow, accumulator.subnormals);
  }
  spec.promote_every = mode.chunk;
  if (has_outer) spec.outer = outer_spec(accumulator.buffer);
  return mode;
}

}  // namespace guardbit::units
