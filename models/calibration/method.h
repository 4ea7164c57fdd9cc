#pragma once
/// Offline methods as rewrites of a Model: new weights, scales and runtime switches. They know no hardware beyond
/// CalibrationOptions and leave the model's function unchanged in exact arithmetic.
#include <cstdint>
#include <span>
#include <string_view>

#include "models/transformer/model.h"

namespace guardbit::calibration {

struct CalibrationOptions {
  std::uint64_t seed = 1;   ///< signs of the randomised Hadamard
  bool pow2_scales = true;  ///< round SLaNC scales up to powers of two
  double target_norm = 1;   ///< SLaNC: the norm that x / s is scaled to
  bool smooth_qkv = false;  ///< RRS: runtime smoothing on q, k, v as well
};

/// What a method does to a model. Methods that share an effect exclude one another; a variant applies its methods in
/// ascending order of effects, so that SLaNC reads the original weights.
enum MethodEffect : unsigned {
  kScalesNorms = 1,
  kRotates = 2,
  kSmooths = 4,
};

struct Method {
  std::string_view name;
  std::string_view summary;  ///< one line
  unsigned effects = 0;      ///< MethodEffects; 0 (none) goes with no other method
  /// Rewrites the float (replay) or double (identity tests) model in place.
  void (*apply_float)(transformer::Model<float>& model, const CalibrationOptions& options);
  void (*apply_double)(transformer::Model<double>& model, const CalibrationOptions& options);
  /// What apply does to the ops and to the weights' shapes, without the weights' values; input scales stay 1
  /// and nothing is predicted.
  void (*outline)(transformer::Model<float>& model, const CalibrationOptions& options);
};

/// All methods, sorted by name: dynamic_norm, none, rotate, rrs, rs, slanc, slanc_residual. Adding one = one .cpp and
/// one row in calibration_registry.cpp. What each computes is in its file's first comment.
std::span<const Method> methods();
const Method* find_method(std::string_view name);

/// Applies a variant "a+b+...", in any order of writing. A float model is rewritten in binary64 and rounded once per
/// method. Throws std::invalid_argument for an unknown part (naming the known ones) and for parts that exclude one
/// another. Test: tests/unit/variant_test.cpp, tests/unit/calibration_identity_test.cpp.
template <class T>
void apply_variant(std::string_view variant, transformer::Model<T>& model, const CalibrationOptions& options);
/// The ops and shapes of apply_variant's result, of a model that may be of outlines: what its time depends on, if every
/// input scale costs what a scale of 1 costs (CalibrationOptions::pow2_scales, or no method that scales norms).
void outline_variant(std::string_view variant, transformer::Model<float>& model, const CalibrationOptions& options);
/// Whether outline_variant is enough to know the time.
bool time_needs_weights(std::string_view variant, const CalibrationOptions& options);
/// Throws what apply_variant would throw for the variant's text, without a model.
void check_variant(std::string_view variant);

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
