#pragma once
/// Long-context changes of rotary frequencies, as Hugging Face's rope_scaling (rope_parameters) describes them.
namespace guardbit::units {

/// Which elements of a head make a rotary pair i < head_size / 2.
enum class RopePairs {
  kNeighbours,  ///< (2i, 2i + 1): Meta's and llama2.c's checkpoints
  kHalves,      ///< (i, i + head_size / 2): Hugging Face's checkpoints
};

enum class RopeScalingKind {
  kNone,
  kLinear,  ///< frequency / factor
  kLlama3,  ///< long wavelengths / factor, short ones as they are, between them a straight line
};

struct RopeScaling {
  RopeScalingKind kind = RopeScalingKind::kNone;
  double factor = 1;
  double low_freq_factor = 1;   ///< llama3: wavelengths above original_context / low_freq_factor are scaled
  double high_freq_factor = 4;  ///< llama3: wavelengths below original_context / high_freq_factor are not
  double original_context = 8192;

  friend bool operator==(const RopeScaling&, const RopeScaling&) = default;
};

/// The frequency in radians per position after scaling. Basic operations of binary64 only, so the same on every host.
/// llama3: with x = original_context / wavelength, 1/factor of the frequency for x < low, all of it for x > high, else
/// (1 - s) f / factor + s f with s = (x - low) / (high - low) (transformers, _compute_llama3_parameters).
/// Test: tests/unit/eltwise_unit_test.cpp.
double scaled_frequency(const RopeScaling& scaling, double frequency);

}  // namespace guardbit::units
