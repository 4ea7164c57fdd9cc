#pragma once
/// Quantization to integers of any width, with a zero point: codes of asymmetric (unsigned) and wide symmetric formats.
#include <cstdint>
#include <span>

#include "models/numerics/events.h"

namespace guardbit::kernels {

/// A code stands for (code - zero_point) * scale.
struct AffineCode {
  float scale = 1;              ///< positive and finite
  std::int64_t zero_point = 0;  ///< min .. max
  std::int64_t min = 0;         ///< codes lie in min .. max, within -2^31 .. 2^32 - 1
  std::int64_t max = 255;
};

/// codes[i] = clamp(roundTiesToEven(x[i] / scale) + zero_point, min, max), the quotient exact before its one rounding.
/// NaN gives the zero point with event invalid. Events: clipped (before the clamp the code lies outside the range),
/// zeroed (x not 0, code = zero_point), inexact ((code - zero_point) * scale differs from x).
/// With zero_point 0 and the range of intN, N <= 8, this is quantize_row(). Test:
/// tests/differential/affine_quantize_test.cpp.
void quantize_affine_row(std::span<const float> x, const AffineCode& code, std::span<std::int64_t> codes,
                         numerics::EventCounts& events);

/// roundTiesToEven(value / scale) clamped to 0 .. max: the zero point of a range that begins at -value.
std::int64_t zero_point_of(float value, float scale, std::int64_t max);

}  // namespace guardbit::kernels
