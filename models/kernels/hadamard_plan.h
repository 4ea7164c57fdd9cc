#pragma once
/// What the vector kernel of hadamard.cpp needs to know of a spec; target independent.

namespace guardbit::kernels {

/// How a butterfly's sum is rounded to the format.
enum class HadamardMethod {
  kScalar,       ///< ScalarRounder
  kFp32,         ///< the host's addition
  kWideRange,    ///< binary32's exponent range, p <= 11: integer rounding of the fp32 sum
  kNarrowRange,  ///< a smaller exponent range, p <= 11: rounding by a large addend
};

struct HadamardPlan {
  HadamardMethod method = HadamardMethod::kScalar;
  int precision_bits = 24;
  float min_normal = 0;
  float max_finite = 0;
  float scale = 1;
  bool scales_in_single = false;  ///< without events, scale_row_single() may be used
  bool counts = true;             ///< events are wanted
  double tiny_below = 0;          ///< limit of the exact magnitude
};

}  // namespace guardbit::kernels
