#pragma once
/// The vector kernel of hadamard.cpp for one row, and what it needs to know of a spec; target independent.
#include <cstddef>
#include <cstdint>

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

/// One row; source and destination may be the same.
struct HadamardRow {
  const float* source = nullptr;
  float* work = nullptr;  ///< (length), aligned to vectors
  float* destination = nullptr;
  std::size_t length = 0;  ///< a power of two
};

/// Transforms and scales a row, or returns false with the destination as it was: the row has or may get an element
/// outside the finite range, whose events only the scalar path knows. counts[0 .. 2]: inexact, underflow, flushed are
/// added to, as far as plan.counts.
bool run_hadamard_row(const HadamardRow& row, const HadamardPlan& plan, std::uint64_t* counts);

}  // namespace guardbit::kernels
