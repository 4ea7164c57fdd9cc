#pragma once
/// What of a variant does not change from window to window: the rewritten model, its quantized weights, its units.
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "models/calibration/activation_ranges.h"
#include "models/transformer/model.h"
#include "models/units/accelerator_config.h"
#include "models/units/arithmetic.h"
#include "models/units/eltwise_unit.h"
#include "models/units/kv_cache_unit.h"
#include "models/units/matrix_unit.h"
#include "models/units/narrow_operand.h"
#include "models/units/norm_unit.h"
#include "models/units/smooth_unit.h"
#include "models/units/softmax_unit.h"
#include "sim/stats/value_reports.h"

namespace guardbit::sim {

/// A linear layer's arithmetic and its weights as they lie in DRAM.
struct PreparedLinear {
  units::MatrixMode mode;
  std::size_t num_outputs = 0;                       ///< N
  units::Operand weights;                            ///< (N, K); its scales alone if the values are narrow
  std::optional<units::NarrowOperand> narrow;        ///< floats of up to 16 bits, where the op does not reorder them
  std::optional<QuantizerCounts> quantized_weights;  ///< none: converted without a quantizer
  std::optional<units::ValueRange> static_range;     ///< of the input, folded into `weights`; none: found at run time

  /// Whether the weights' scales are those of the results: no token's is missing.
  bool folds_token_scale() const { return static_range && !weights.scales.empty(); }
};

struct PreparedVariant {
  std::string name;
  transformer::Model<float> model;
  units::AcceleratorConfig config;
  numerics::FloatSpec residual;  ///< storage formats
  numerics::FloatSpec activation;
  numerics::FloatSpec kv_cache;                      ///< of a float cache
  std::optional<units::KvCacheFormat> kv_quantized;  ///< of an integer cache
  std::set<std::string> quantized_tensors;           ///< keys and values that an integer cache holds
  std::map<std::size_t, PreparedLinear> linears;     ///< by op index
  units::MatrixMode attention;
  std::optional<units::NormUnit> norm;  ///< results in the activation storage format
  std::optional<units::SoftmaxUnit> softmax;
  units::RopeTable rope;                ///< empty without rotary positions
  numerics::EventLedger weight_events;  ///< of the offline quantization of weights; not part of the run

  /// Storage of the tensor that an op writes.
  const numerics::FloatSpec& storage_of(const transformer::Op& op) const;
};

/// @param num_positions  longest window, for the rotary table
/// @param ranges         of the layers with static scales
/// @param progress       told how many of how many ops have their weights quantized; may be empty
PreparedVariant prepare_variant(std::string name, transformer::Model<float> model,
                                const units::AcceleratorConfig& config, std::size_t num_positions,
                                const calibration::ActivationRanges& ranges, const numerics::ParallelFor& parallel_for,
                                const std::function<void(std::size_t done, std::size_t total)>& progress = {});

}  // namespace guardbit::sim
