#pragma once
/// Exact dot products for error reports: sums of products of binary32 values without any rounding.
#include <array>
#include <cstdint>
#include <span>

namespace guardbit::sim {

/// A fixed-point register as wide as any sum of up to 2^22 products of two binary32 values (Kulisch): limbs of 32 bits,
/// carries propagated only when the value is read.
class ExactSum {
 public:
  /// Adds a * b; both finite.
  void add_product(float a, float b);
  /// The sum, rounded once to binary64 (towards zero beyond 53 bits and below 2^-1021: good to 2^-52 of the value).
  double value() const;

 private:
  // Bit 0 of limb 0 weighs 2^-298, the product of two least subnormals; products stay below 2^256, sums below 2^278.
  static constexpr int kLowestExponent = -298;
  static constexpr std::size_t kNumLimbs = 19;
  std::array<std::int64_t, kNumLimbs> limbs_{};
};

/// sum a[k] * b[k * stride_b] exactly, and its exact difference from c: both as the nearest binary64 of value().
struct ExactDot {
  double exact = 0;
  double error = 0;  ///< c - exact
};
[[nodiscard]] ExactDot exact_dot(std::span<const float> a, std::span<const float> b, float c);

}  // namespace guardbit::sim
