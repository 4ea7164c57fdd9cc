#include "models/kernels/affine_quantize.h"

#include <algorithm>
#include <cmath>

#include "models/kernels/scalar_rounder.h"
#include "models/numerics/check.h"

namespace guardbit::kernels {
namespace {

using numerics::Event;

/// roundTiesToEven(x / scale) of a number, an infinity for an infinity.
/// Exact: the odd double is the quotient, or lies strictly between the same two neighbours of its 53-bit grid. Below
/// 2^51 that grid has a point at every quarter, so every integer and every midpoint between integers is on it, and the
/// double is on the quotient's side of each. From 2^51 on the result is beyond every range of AffineCode, as the
/// quotient is. No quotient underflows: |x / scale| >= 2^-149 / 2^128.
double rounded_quotient(float x, float scale) { return std::nearbyint(quotient_of(x, scale).value); }

}  // namespace

void quantize_affine_row(std::span<const float> x, const AffineCode& code, std::span<std::int64_t> codes,
                         numerics::EventCounts& events) {
  GUARDBIT_CHECK(x.size() == codes.size(), "one code per element");
  GUARDBIT_CHECK(code.scale > 0 && std::isfinite(code.scale), "scales are positive and finite");
  const auto zero = static_cast<double>(code.zero_point);
  const auto min = static_cast<double>(code.min);
  const auto max = static_cast<double>(code.max);
  for (std::size_t i = 0; i < x.size(); ++i) {
    codes[i] = code.zero_point;
    if (std::isnan(x[i])) {
      ++events[Event::kInvalid];
      continue;
    }
    const double unclamped = rounded_quotient(x[i], code.scale) + zero;  // integers: exact where it is in reach
    const double clamped = std::clamp(unclamped, min, max);
    codes[i] = static_cast<std::int64_t>(clamped);
    if (clamped != unclamped) ++events[Event::kClipped];
    if (x[i] != 0 && codes[i] == code.zero_point) ++events[Event::kZeroed];
    // One rounding of the exact difference, which is no smaller than 2^-149 unless it is zero.
    const double value = clamped - zero;
    if (std::fma(value, static_cast<double>(code.scale), -static_cast<double>(x[i])) != 0) ++events[Event::kInexact];
  }
}

std::int64_t zero_point_of(float value, float scale, std::int64_t max) {
  return static_cast<std::int64_t>(std::clamp(rounded_quotient(value, scale), 0.0, static_cast<double>(max)));
}

}  // namespace guardbit::kernels
