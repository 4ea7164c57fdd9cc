#include <algorithm>
#include <array>

#include "models/numerics/check.h"
#include "sim/schedule/operation_counts.h"
#include "sim/schedule/window_scheduler.h"

/// Prices of operations and areas of operators on the described hardware.
namespace guardbit::sim {

using units::Operation;
using units::OperationKey;

namespace {

/// One class of products that the array executes.
struct ProductClass {
  const units::OperandConfig& operands;
  const units::AccumulatorConfig& accumulator;
};

/// Of one product's adder. Aligned: with its comparison of exponents, and a part of the step's floating-point adder;
/// fixed: with the rounding at a chunk's end.
double adder_area(const units::AcceleratorConfig& config, const ProductClass& product) {
  const units::AccumulatorConfig& accumulator = product.accumulator;
  const units::MatrixMode mode = units::make_matrix_mode(config.array, product.operands, accumulator);
  const double adder = units::arithmetic_cost(config.area, {Operation::kAdd, adder_format(accumulator, mode), ""});
  const double rounding = units::arithmetic_cost(config.area, {Operation::kAdd, accumulator.format, ""});
  const double exponents = config.area.int8_add;
  const auto width = static_cast<double>(config.array.dot_width);
  if (accumulator.reduce == "aligned") return adder + exponents + rounding / width;
  return accumulator.reduce == "fixed" ? adder + rounding : adder;
}

double multiply_area(const units::AreaConfig& area, const std::string& a, const std::string& b) {
  return units::arithmetic_cost(area, {Operation::kMultiply, a, b});
}
double add_area(const units::AreaConfig& area, const std::string& format) {
  return units::arithmetic_cost(area, {Operation::kAdd, format, ""});
}

/// A PE's multipliers are as large as the class of products that needs most (one that takes several cycles a product
/// works on a part of it at a time), its adders likewise; behind each column stands an adder and a multiplier of the
/// outer accumulator.
double array_area(const units::AcceleratorConfig& config) {
  const units::AreaConfig& area = config.area;
  double multiplier = 0;
  double adder = 0;
  double outer = 0;
  for (const ProductClass& product :
       {ProductClass{config.linear, config.accumulator}, ProductClass{config.attention, config.attention_accumulator},
        ProductClass{config.head, config.head_accumulator}}) {
    const double whole = multiply_area(area, product.operands.activation, product.operands.weight);
    multiplier = std::max(multiplier, whole / static_cast<double>(product.operands.cycles_per_mac));
    adder = std::max(adder, adder_area(config, product));
    const std::string& buffer = product.accumulator.buffer.format;
    if (!buffer.empty()) outer = std::max(outer, multiply_area(area, buffer, "") + add_area(area, buffer));
  }
  const auto pes = static_cast<double>(config.array.rows * config.array.cols * config.array.dot_width);
  return pes * (multiplier + adder) + static_cast<double>(config.array.cols) * outer;
}

}  // namespace

double energy_of(const OperationKey& key, const units::AcceleratorConfig& config) {
  switch (key.operation) {
    case Operation::kMultiply:
    case Operation::kAdd:
    case Operation::kDivide: return units::arithmetic_cost(config.energy, key);
    case Operation::kDramByte: return config.energy.dram_byte;
    case Operation::kScratchpadByte:
      return units::sram_byte_energy(config.energy, config.scratchpad.bytes, config.scratchpad.banks);
    case Operation::kAccumulatorByte: {
      // Without a stated capacity: one result a PE in 32 bits, the least that the array fills at once.
      constexpr std::int64_t kResultBytes = 4;
      const std::int64_t stated = config.accumulator_buffer.bytes;
      const std::int64_t bytes = stated != 0 ? stated : config.array.rows * config.array.cols * kResultBytes;
      return units::sram_byte_energy(config.energy, bytes, config.array.cols);  // a bank a column
    }
  }
  fail_check(__FILE__, __LINE__, "operation", "unknown enumerator");
}

std::map<std::string, double> operand_area_of(const transformer::Model<float>& model,
                                              const units::AcceleratorConfig& config) {
  const units::AreaConfig& area = config.area;
  const auto cols = static_cast<double>(config.array.cols);
  const auto entering = static_cast<double>((config.array.dataflow == "is" ? config.array.rows : config.array.cols) *
                                            config.array.dot_width);
  double corrections = 0;
  double dequantizers = 0;
  for (const transformer::Op& op : model.ops) {
    if (op.kind != transformer::OpKind::kLinear) continue;
    const units::MatrixMode mode = linear_mode(config, op);
    const double zero_points = (mode.weight_zero_points ? 1 : 0) + (mode.activation_zero_point ? 1 : 0);
    double column = zero_points * (multiply_area(area, "int32", "") + add_area(area, "int32"));
    const bool has_groups = mode.weight_group > 0 || mode.activation_group > 0;
    if (mode.weight_group > 0 && mode.activation_group > 0) column += multiply_area(area, "fp32", "");
    if (has_groups && accumulator_config(config, op.operand_class).buffer.format.empty()) {
      column += multiply_area(area, "fp32", "") + add_area(area, "fp32");
    }
    corrections = std::max(corrections, cols * column);
    if (op.codes.bits == 0 || mode.integer) continue;
    const std::string& format = operand_config(config, op.operand_class).weight;
    const double port =
        (mode.scaled_sums ? 0 : multiply_area(area, format, "")) + (op.codes.zero_points ? add_area(area, "int8") : 0);
    dequantizers = std::max(dequantizers, entering * port);
  }
  std::map<std::string, double> parts;
  if (corrections > 0) parts["corrections"] = corrections;
  if (dequantizers > 0) parts["dequantizers"] = dequantizers;
  return parts;
}

std::map<std::string, double> area_of(const units::AcceleratorConfig& config) {
  const units::AreaConfig& area = config.area;
  const units::NormConfig& norm = config.norm;
  std::map<std::string, double> parts;
  parts["matrix"] = array_area(config);
  parts["norm"] = static_cast<double>(norm.lanes) *
                  (multiply_area(area, norm.accumulator.format, "") + add_area(area, norm.accumulator.format) +
                   2 * multiply_area(area, norm.arithmetic, "") + 2 * add_area(area, norm.arithmetic));
  parts["vector"] =
      static_cast<double>(config.vector.lanes) * (multiply_area(area, "fp32", "") + add_area(area, "fp32") +
                                                  units::arithmetic_cost(area, {Operation::kDivide, "fp32", ""}));
  parts["rotate"] = static_cast<double>(config.rotate.lanes) *
                    (2 * add_area(area, config.rotate.format) + multiply_area(area, config.rotate.format, ""));
  parts["scratchpad"] = static_cast<double>(config.scratchpad.bytes) * area.sram_byte;
  parts["accumulator_buffer"] = static_cast<double>(config.accumulator_buffer.bytes) * area.sram_byte;
  return parts;
}

}  // namespace guardbit::sim
