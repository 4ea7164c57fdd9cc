#pragma once
/// Scalar rounding at a few nanoseconds a result, for the units whose work is small beside the matrix unit's.
/// Equals numerics::round_to_format bit for bit and event for event; tests/differential/scalar_rounder_test.cpp.
#include <array>
#include <cstdint>

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
OddDouble product_of(float a, float b);       ///< exact: 48 bits
OddDouble sum_of(double a, double b);         ///< TwoSum, then to odd; a, b carriers or products of two carriers
OddDouble fma_of(float a, float b, float c);  ///< a*b + c to odd
OddDouble quotient_of(float a, float b);      ///< a / b to odd

/// Rounds into one destination. Cheap to copy; holds the precomputed constants of its spec.
///
/// Stochastic rounding looks at p + random_bits leading bits of the exact value, of which an OddDouble has 52 that are
/// not jammed: precision_bits + random_bits > 52 (only fp32-like formats with 29 and more random bits) is an internal
/// error.
class ScalarRounder {
 public:
  explicit ScalarRounder(const FloatSpec& spec);

  /// Carrier of the rounded value; events are added to `events` (a NaN operand stays a quiet NaN; `invalid` is added
  /// by the caller's knowledge: see the binary operations below).
  float operator()(OddDouble exact, EventCounts& events, std::uint32_t random = 0) const;

  /// One rounding each; invalid is raised for inf - inf, 0 * inf, 0 / 0, inf / inf. Under spec.flush_input operands
  /// that are subnormal in spec.format count as zeros of the same sign (event flushed, once an operation).
  float add(float a, float b, EventCounts& events, std::uint32_t random = 0) const;
  float multiply(float a, float b, EventCounts& events, std::uint32_t random = 0) const;
  float multiply_add(float a, float b, float c, EventCounts& events, std::uint32_t random = 0) const;
  float divide(float a, float b, EventCounts& events, std::uint32_t random = 0) const;
  /// acc + addend with event swamped (accumulator.h's definition).
  float accumulate(float acc, float addend, EventCounts& events, std::uint32_t random = 0) const;
  /// acc + a*b, exact product, with event swamped.
  float accumulate_product(float acc, float a, float b, EventCounts& events, std::uint32_t random = 0) const;
  /// acc + scale*sum, with event swamped; the significant bits of scale and sum together are at most 53.
  float accumulate_scaled(float acc, float scale, std::int32_t sum, EventCounts& events,
                          std::uint32_t random = 0) const;

  const FloatSpec& spec() const { return spec_; }

 private:
  /// What a value outside the range, or a special one, becomes; by sign.
  struct Delivery {
    float carrier = 0;
    numerics::EventSet events;
  };

  float round(double value, numerics::EventSet& events, std::uint32_t random) const;
  float round_small(std::uint64_t magnitude, bool negative, bool tiny, numerics::EventSet& events,
                    std::uint32_t random) const;
  float round_special(double value, numerics::EventSet& events) const;
  float deliver(const Delivery& delivery, numerics::EventSet& events) const;
  bool is_tiny(std::uint64_t magnitude, bool negative) const;
  std::uint64_t increment(std::uint64_t significand, int drop_bits, bool negative, std::uint32_t random) const;
  float flushed_input(float operand, numerics::EventSet& events) const;
  double signed_sum(double a, double b) const;
  float add_to(float acc, double product, bool product_of_nan, numerics::EventSet set, EventCounts& events,
               std::uint32_t random) const;

  FloatSpec spec_;
  std::uint64_t max_finite_bits_;  ///< of the largest finite value as a binary64
  double quantum_;                 ///< smallest subnormal
  float min_normal_;
  int emin_;
  int quantum_exponent_;
  int normal_drop_bits_;              ///< of a binary64 significand (53 bits) rounded to p bits
  std::array<float, 2> zero_;         ///< by sign; both +0 without a negative zero
  std::array<Delivery, 2> overflow_;  ///< finite values that round beyond the largest finite one
  std::array<Delivery, 2> infinity_;
  Delivery nan_;
};

}  // namespace guardbit::kernels
