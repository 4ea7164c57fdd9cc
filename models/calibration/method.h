#pragma once
/// Offline methods as rewrites of a Model: new weights, scales and runtime switches. They know no hardware beyond
/// CalibrationOptions and leave the model's function unchanged in exact arithmetic.
#include <span>
#include <string_view>

#include "models/transformer/model.h"

namespace guardbit::calibration {

struct CalibrationOptions {
  std::uint64_t seed = 1;          ///< signs of the randomised Hadamard
  bool pow2_scales = true;         ///< round SLaNC scales up to powers of two
  double target_norm = 1;          ///< SLaNC: the norm that x / s is scaled to
  bool smooth_qkv = false;         ///< RRS: runtime smoothing on q, k, v as well
};

struct Method {
  std::string_view name;
  std::string_view summary;  ///< one line
  /// Rewrites the float (replay) or double (identity tests) model in place.
  void (*apply_float)(transformer::Model<float>& model, const CalibrationOptions& options);
  void (*apply_double)(transformer::Model<double>& model, const CalibrationOptions& options);
};

/// All methods, sorted by name: none, rotate, rrs, rs, slanc, slanc_residual. Adding one = one .cpp and one row in
/// calibration_registry.cpp. SLaNC methods read the original weights, so variants list them before rotations; a variant
/// "slanc+rrs" applies slanc, then rrs, whatever the order in which it is written (order = `stage`).
std::span<const Method> methods();
const Method* find_method(std::string_view name);

/// Applies a variant "a+b+...": each name once, none alone; throws std::invalid_argument naming the unknown part and
/// the known names.
template <class T>
void apply_variant(std::string_view variant, transformer::Model<T>& model, const CalibrationOptions& options);

/// The same function at a large model's range: embeddings (as input, not as tied head), attention output and MLP
/// output projections with biases times `gain`, every norm's epsilon times gain^2.
template <class T>
void apply_residual_gain(transformer::Model<T>& model, double gain);

/// Outlier channels at the norms' outputs: gamma and beta of `count` channels (the first ones of a seeded permutation,
/// the same for every norm) times `gain`, the columns of the next linear layers divided by it.
template <class T>
void apply_channel_gain(transformer::Model<T>& model, double gain, int count, std::uint64_t seed);

}  // namespace guardbit::calibration
