#pragma once
/// From the names of an accelerator file to the arithmetic they stand for: destinations of roundings, and what the
/// matrix unit computes in one product (accumulation_spec.h) given dataflow, operands and accumulators.
/// Names are valid here: the reader checked each key, cross_field_problems() their combinations.
#include <string_view>

#include "models/arith/accumulation_spec.h"
#include "models/units/accelerator_config.h"

namespace guardbit::units {

/// A rounding destination. subnormals = "flush" sets flush_output: no result of the unit is subnormal. Operands of
/// another format that are subnormal there are read as they are (flush_input stays off: the operations that take a
/// FloatSpec here read carriers of other formats).
numerics::FloatSpec float_spec(std::string_view format, std::string_view rounding, std::string_view overflow,
                               std::string_view subnormals);

/// The destination of a plain conversion (storage, operands, rotate unit, norm arithmetic): ties to even, subnormals
/// kept, overflow to infinity where the format has one, else to the largest finite value.
numerics::FloatSpec conversion_spec(std::string_view format);

/// Chunk length that stands for "all of K": longer than any reduction.
inline constexpr int kWholeReduction = 1 << 30;

/// What one matrix product computes.
struct MatrixMode {
  bool integer = false;
  int activation_bits = 0;              ///< integer operands: 2..8
  int weight_bits = 0;                  ///< integer operands: 2..8
  numerics::FloatFormat activation;     ///< float operands
  numerics::FloatFormat weight;         ///< float operands
  bool dynamic_scale = false;           ///< float operands scaled by token and output channel
  float operand_max_activation = 0;     ///< dynamic_scale: magnitude of a token's largest scaled element
  float operand_max_weight = 0;         ///< dynamic_scale: magnitude of a channel's largest scaled element
  arith::AccumulationSpec float_spec;   ///< float operands
  arith::IntAccumulationSpec int_spec;  ///< integer operands
  int chunk = 0;  ///< products per outer update; 0: no outer accumulator; kWholeReduction: one update per output
  int group = 0;  ///< channels per smoothing scale, a multiple of chunk; 0: not smoothed
  /// Scales and zero points of groups of channels, whose multiples of chunk the outer accumulator takes in (affine
  /// product). Groups of 0: a scale per token or output channel, which the epilogue applies.
  int weight_group = 0;                ///< integer operands, or float ones with scaled_sums
  int activation_group = 0;            ///< integer operands
  bool weight_zero_points = false;     ///< integer operands
  bool activation_zero_point = false;  ///< integer operands
  bool activation_tensor = false;      ///< integer operands: one scale for all tokens instead of one for each
  bool scaled_sums = false;            ///< float operands that are integers, code - zero point: scales meet the sums

  bool is_affine() const {
    return weight_group > 0 || activation_group > 0 || weight_zero_points || activation_zero_point;
  }
};

/// The arithmetic of a product on the described array (docs/timing.md, "Numerics follow from the hardware"):
///   os, no buffer    all of K in the PE's accumulator; integers are converted once, to fp32
///   os, buffer       chunks of promote_every products (0: all of K) in the PE, then the buffer
///   ws, is           chunks of rows * dot_width products (one pass down a column), then the buffer
/// reduce = "tree" and "aligned" take dot_width products per step (aligned: the operands' formats give emin_a, emin_b);
/// "sequential" and "fixed" one after the other, whatever dot_width is.
/// @param group  > 0: a smoothed operand, each `group` channels of which share a scale that the outer accumulator
///               applies: replaces promote_every (ws, is: chunks of min(rows * dot_width, group), which divides
///               group).
///               Without a buffer the scales are applied in an fp32 one.
MatrixMode make_matrix_mode(const ArrayConfig& array, const OperandConfig& operands,
                            const AccumulatorConfig& accumulator, int group = 0);

/// The keys that describe `spec`: on an output-stationary array with dot_width = spec.width and spec's operand formats
/// make_matrix_mode() makes spec of them again. What no key says (a product rounded otherwise than the sum, the number
/// of random bits, when a result counts as tiny) is lost. Test: tests/unit/arithmetic_unit_test.cpp.
AccumulatorConfig describe_accumulator(const arith::AccumulationSpec& spec);

}  // namespace guardbit::units
