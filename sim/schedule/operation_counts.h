#pragma once
/// How many operations of which format, and how many bytes of which memory, the commands of a window need: what energy
/// is counted from. Shapes and formats decide it, no values. docs/energy.md says what is counted for each step.
#include <array>
#include <cstdint>
#include <map>
#include <vector>

#include "models/transformer/model.h"
#include "models/units/accelerator_config.h"
#include "models/units/arithmetic.h"
#include "models/units/cost_model.h"
#include "sim/modules/command.h"
#include "sim/stats/result.h"

namespace guardbit::sim {

using OperationCounts = std::map<units::OperationKey, std::uint64_t>;
/// Of one op, by unit.
using OpOperations = std::array<OperationCounts, kNumUnits>;

/// By op. `model` and `config` are those that made the commands.
std::vector<OpOperations> count_operations(const transformer::Model<float>& model,
                                           const units::AcceleratorConfig& config,
                                           const std::vector<Command>& commands);

/// The format in which the array adds the products of a step: the accumulator's, or the fixed-point one of aligned and
/// Kulisch accumulation. An aligned adder of F fraction bits has a sign, the two integer bits of a product and the
/// carries of its terms in front of them.
std::string adder_format(const units::AccumulatorConfig& accumulator, const units::MatrixMode& mode);

/// pJ of one such operation on the described hardware.
double energy_of(const units::OperationKey& key, const units::AcceleratorConfig& config);

/// Square micrometres of the described hardware's operators and memory cells, by unit and memory.
std::map<std::string, double> area_of(const units::AcceleratorConfig& config);

/// What the model's layers add to it: "corrections" behind each column (zero points, products of scales of groups) and
/// "dequantizers" of weights in front of a float array, each as large as the layer needs that needs most. A part that
/// no layer needs is not there.
std::map<std::string, double> operand_area_of(const transformer::Model<float>& model,
                                              const units::AcceleratorConfig& config);

}  // namespace guardbit::sim
