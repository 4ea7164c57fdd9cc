#pragma once
/// Offline methods as rewrites of a Model: new weights, scales and runtime switches. They know no hardware beyond
/// CalibrationOptions and leave the model's function unchanged in exact arithmetic.
#include <cstdint>
#include <functional>
#include <span>
#include <string_view>

#include "models/calibration/method_arguments.h"
#include "models/transformer/model.h"

namespace guardbit::calibration {

struct CalibrationData;  // calibration_data.h

/// Told how many of how many ops a method has done, from any thread, one call at a time; never changes a bit.
using MethodProgress = std::function<void(std::size_t done, std::size_t total)>;

struct CalibrationOptions {
  std::uint64_t seed = 1;                   ///< signs of the randomised Hadamard
  bool pow2_scales = true;                  ///< round SLaNC scales up to powers of two
  double target_norm = 1;                   ///< SLaNC: the norm that x / s is scaled to
  bool smooth_qkv = false;                  ///< RRS: runtime smoothing on q, k, v as well
  int weight_bits = 0;                      ///< of linear layers, 2..8; 0: floats, which no method quantizes
  const CalibrationData* data = nullptr;    ///< for methods with needs_activations
  numerics::ParallelFor parallel_for = {};  ///< never changes a bit
  MethodProgress progress = {};             ///< of methods that take long; may be empty
};

/// What a method does to a model. Methods that share an effect exclude one another; a variant applies its methods in
/// ascending order of effects: SLaNC reads the original weights, smoothing acts on the rotated model, and what is
/// quantized are the weights that all of them leave behind.
enum MethodEffect : unsigned {
  kScalesNorms = 1,
  kRotates = 2,
  kSmooths = 4,           ///< linear layers' inputs, statically or while running
  kQuantizesWeights = 8,  ///< fills Model::quantized_weights
};

template <class T>
using Rewrite = void (*)(transformer::Model<T>& model, const MethodArguments& arguments,
                         const CalibrationOptions& options);

struct Method {
  std::string_view name;
  std::string_view summary;  ///< one line
  unsigned effects = 0;      ///< MethodEffects; 0 (none) goes with no other method
  std::span<const Parameter> parameters;
  /// Throws std::invalid_argument for arguments that exclude one another; null: none do.
  void (*check)(const MethodArguments& arguments) = nullptr;
  bool needs_activations = false;         ///< of CalibrationOptions::data
  bool finds_scales_at_run_time = false;  ///< kScalesNorms: not from weights
  /// Rewrites the float (replay) or double (identity tests) model in place.
  Rewrite<float> apply_float;
  Rewrite<double> apply_double;
  /// What apply does to the ops and to the weights' shapes, without the weights' values; input scales stay 1
  /// and nothing is predicted.
  Rewrite<float> outline;
};

/// All methods, sorted by name. Adding one = one .cpp and one row in calibration_registry.cpp. What each computes is in
/// its file's first comment. How they make up a variant: variant.h.
std::span<const Method> methods();
const Method* find_method(std::string_view name);

/// The same function at a large model's range: embeddings (as input, not as tied head), attention output and MLP
/// output projections with biases times `gain`, every norm's epsilon times gain^2. Goes before SLaNC, whose scales it
/// would leave behind. Throws std::invalid_argument unless gain is positive and finite.
template <class T>
void apply_residual_gain(transformer::Model<T>& model, double gain);

/// Outlier channels at the norms' outputs: gamma and beta of `count` channels (the first ones of a seeded permutation,
/// the same for every norm) times `gain`, the columns of the next linear layers divided by it. Goes before every
/// method. Throws std::invalid_argument for a gain that is not positive and finite and a count outside 0..hidden_size.
template <class T>
void apply_channel_gain(transformer::Model<T>& model, double gain, int count, std::uint64_t seed);

}  // namespace guardbit::calibration
