#include "models/units/arithmetic.h"

#include <algorithm>
#include <array>
#include <utility>

#include "models/arith/presets.h"
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

constexpr std::array kReduceNames = {
    std::pair{"sequential", arith::Reduce::kSequential}, std::pair{"tree", arith::Reduce::kTree},
    std::pair{"aligned", arith::Reduce::kAligned}, std::pair{"fixed", arith::Reduce::kFixed}};

numerics::RoundingMode rounding_of(const std::string& name) {
  const auto mode = numerics::parse_rounding(name);
  GUARDBIT_CHECK(mode.has_value(), "rounding names were checked by the reader");
  return *mode;
}

/// What a step takes in and how; the operands' formats are known.
void set_reduction(const ArrayConfig& array, const AccumulatorConfig& accumulator, MatrixMode& mode) {
  arith::AccumulationSpec& spec = mode.float_spec;
  for (const auto& [name, reduce] : kReduceNames) {
    if (accumulator.reduce == name) spec.reduce = reduce;
  }
  const bool wide = spec.reduce == arith::Reduce::kTree || spec.reduce == arith::Reduce::kAligned;
  spec.width = wide ? static_cast<int>(array.dot_width) : 1;
  if (spec.reduce == arith::Reduce::kAligned) {
    spec.alignment = {.fraction_bits = static_cast<int>(accumulator.extra_bits),
                      .rounding = rounding_of(accumulator.align_rounding),
                      .align_accumulator = accumulator.align_accumulator};
    spec = arith::with_operands(spec, mode.activation, mode.weight);
  }
  if (spec.reduce == arith::Reduce::kFixed) {
    const auto format = numerics::parse_fixed_format(accumulator.fixed_format);
    GUARDBIT_CHECK(format.has_value(), "fixed-point names were checked by the reader");
    spec.fixed = {.format = *format,
                  .rounding = rounding_of(accumulator.fixed_rounding),
                  .overflow = accumulator.fixed_overflow == "wrap" ? numerics::IntOverflow::kWrap
                                                                   : numerics::IntOverflow::kSaturate};
  }
}

/// The four keys that [accumulator] and [accumulator.buffer] share.
template <class Config>
void describe(const numerics::FloatSpec& spec, Config& config) {
  config.format = numerics::name_of(spec.format);
  config.rounding = numerics::name_of(spec.rounding);
  config.overflow = numerics::name_of(spec.overflow);
  config.subnormals = spec.flush_output ? "flush" : "keep";
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
  set_reduction(array, accumulator, mode);
  spec.interleave = static_cast<int>(accumulator.interleave);
  spec.inner = float_spec(accumulator.format, accumulator.rounding, accumulator.overflow, accumulator.subnormals);
  if (accumulator.product != "exact") {
    spec.product = float_spec(accumulator.product, accumulator.rounding, accumulator.overflow, accumulator.subnormals);
  }
  spec.promote_every = mode.chunk;
  if (has_outer) spec.outer = outer_spec(accumulator.buffer);
  return mode;
}

AccumulatorConfig describe_accumulator(const arith::AccumulationSpec& spec) {
  AccumulatorConfig config;
  describe(spec.inner, config);
  if (spec.product) config.product = numerics::name_of(spec.product->format);
  for (const auto& [name, reduce] : kReduceNames) {
    if (spec.reduce == reduce) config.reduce = name;
  }
  config.interleave = spec.interleave;
  if (spec.reduce == arith::Reduce::kAligned) {
    config.extra_bits = spec.alignment.fraction_bits;
    config.align_rounding = numerics::name_of(spec.alignment.rounding);
    config.align_accumulator = spec.alignment.align_accumulator;
  }
  if (spec.reduce == arith::Reduce::kFixed) {
    config.fixed_format = numerics::name_of(spec.fixed.format);
    config.fixed_rounding = numerics::name_of(spec.fixed.rounding);
    config.fixed_overflow = spec.fixed.overflow == numerics::IntOverflow::kWrap ? "wrap" : "saturate";
  }
  if (spec.promote_every != 0) {
    describe(spec.outer, config.buffer);
    config.buffer.promote_every = spec.promote_every;
  }
  return config;
}

}  // namespace guardbit::units
