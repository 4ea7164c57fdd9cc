#pragma once
/// Scalar rounding at a few nanoseconds a result, for the units whose work is small beside the matrix unit's.
/// Equals numerics::round_to_format bit for bit and event for event; tests/differential/scalar_rounder_test.cpp.
#include "models/numerics/codec.h"
#include "models/numerics/rounding.h"

namespace guardbit::kernels {

using numerics::EventCounts;
using numerics::FloatSpec;

/// A double that stands for an exact real number: equal to it, or, if the real needs more than 53 bits, rounded to
/// odd (so that a second rounding to p <= 24 bits, at any position a format can ask for, comes out right).
struct OddDouble {
  double value = 0;
};

/// Exact products and round-to-odd sums of carriers and of products of two carriers. No FMA contraction, needs
/// round-to-nearest as the host mode.
OddDouble product_of(float a, float b);             ///< exact: 48 bits
OddDouble sum_of(double a, double b);               ///< TwoSum, then to odd; a, b carriers or products of two carriers
OddDouble fma_of(float a, float b, float c);        ///< a*b + c to odd
OddDouble quotient_of(float a, float b);            ///< a / b to odd

/// Rounds into one destination. Cheap to copy; holds the precomputed constants of its spec.
class ScalarRounder {
 public:
  explicit ScalarRounder(const FloatSpec& spec);

  /// Carrier of the rounded value; events are added to `events` (a NaN operand stays a quiet NaN; `invalid` is added
  /// by the caller's knowledge: see the binary operations below).
  float operator()(OddDouble exact, EventCounts& events, std::uint32_t random = 0) const;

  /// One rounding each; invalid is raised for inf - inf, 0 * inf, 0 / 0, inf / inf.
  float add(float a, float b, EventCounts& events, std::uint32_t random = 0) const;
  float multiply(float a, float b, EventCounts& events, std::uint32_t random = 0) const;
  float multiply_add(float a, float b, float c, EventCounts& events, std::uint32_t random = 0) const;
  float divide(float a, float b, EventCounts& events, std::uint32_t random = 0) const;
  /// acc + addend with event swamped (accumulator.h's definition).
  float accumulate(float acc, float addend, EventCounts& events, std::uint32_t random = 0) const;
  /// acc + a*b, exact product, with event swamped.
  float accumulate_product(float acc, float a, float b, EventCounts& events, std::uint32_t random = 0) const;

  const FloatSpec& spec() const { return spec_; }

 private:
  FloatSpec spec_;
};

}  // namespace guardbit::kernels
