#pragma once
/// Weights of a linear layer that were quantized offline, as they lie in DRAM: integer codes, scales, zero points.
#include <cstdint>

#include "models/numerics/matrix.h"

namespace guardbit::units {

/// w(n, k) = scales(n, k / group) * (codes(n, k) - zero_points(n, k / group)).
/// Codes are signed, as the array multiplies them: the asymmetric quantizers' 0 .. 2^b - 1, and their zero points, are
/// stored minus 2^(b-1).
struct QuantizedWeight {
  int bits = 0;                               ///< 2..8; codes in -2^(b-1) .. 2^(b-1) - 1
  std::size_t group = 0;                      ///< input channels that share a scale; 0: all K
  numerics::Matrix<std::int8_t> codes;        ///< (N, K)
  numerics::Matrix<float> scales;             ///< (N, ceil(K / group)), positive and finite
  numerics::Matrix<std::int8_t> zero_points;  ///< as scales; no elements: symmetric, all 0

  bool is_symmetric() const { return zero_points.rows() == 0; }
  std::size_t group_of(std::size_t k) const { return group == 0 ? 0 : k / group; }
  friend bool operator==(const QuantizedWeight&, const QuantizedWeight&) = default;
};

/// (K / group) rounded up; 1 for group = 0.
inline std::size_t num_groups(std::size_t k, std::size_t group) { return group == 0 ? 1 : (k + group - 1) / group; }

}  // namespace guardbit::units
