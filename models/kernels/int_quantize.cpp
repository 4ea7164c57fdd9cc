#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "models/kernels/int_quantize.cpp"
#include <hwy/foreach_target.h>
// foreach_target.h must come before highway.h.
#include <hwy/highway.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "models/kernels/float_environment.h"
#include "models/kernels/int_quantize.h"
#include "models/numerics/check.h"

HWY_BEFORE_NAMESPACE();
namespace guardbit::kernels {
namespace HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

/// Why the binary64 division is not a first rounding: let m + 1/2 be a midpoint with |m| <= 128 (beyond it both sides
/// clip alike) and the exact quotient x/s not equal to it. 2x and (2m+1)s are integers times a common power of two, of
/// at most 24 and 24 + 9 bits at comparable magnitude, so they differ by more than 2^-35 of themselves, and so do the
/// quotient and the midpoint. Rounding to 53 bits is monotonic and keeps midpoints: the quotient stays on its side.
/// q * s has at most 8 + 24 bits: exact.
/// Adds to counts[0 .. 3]: clipped, zeroed, inexact, invalid.
HWY_ATTR void quantize(const float* HWY_RESTRICT x, std::size_t n, float scale, int bits, std::int8_t* HWY_RESTRICT q,
                       std::uint64_t* HWY_RESTRICT counts) {
  const hn::ScalableTag<double> dd;
  const hn::Rebind<float, decltype(dd)> df;
  const hn::Rebind<std::int32_t, decltype(dd)> di32;
  const hn::Rebind<std::int8_t, decltype(dd)> di8;
  const hn::RebindToSigned<decltype(dd)> di64;
  const std::size_t lanes = hn::Lanes(dd);
  const double limit = std::ldexp(1.0, bits - 1);
  const auto low = hn::Set(dd, -limit);
  const auto high = hn::Set(dd, limit - 1);
  const auto divisor = hn::Set(dd, static_cast<double>(scale));
  const auto zero = hn::Zero(dd);
  auto clipped = hn::Zero(di64);
  auto zeroed = hn::Zero(di64);
  auto inexact = hn::Zero(di64);
  auto invalid = hn::Zero(di64);
  const auto mask_ones = [&](auto mask) HWY_ATTR { return hn::BitCast(di64, hn::VecFromMask(dd, mask)); };

  const auto step = [&](auto values) HWY_ATTR {
    const auto is_nan = hn::IsNaN(values);
    values = hn::IfThenElse(is_nan, zero, values);
    // Clamped before rounding: a midpoint beyond the range rounds into it or clips to the same value, and Round() need
    // not handle infinities.
    const auto quotient = hn::Div(values, divisor);
    const auto rounded = hn::Round(hn::Max(hn::Min(quotient, hn::Set(dd, 1024.0)), hn::Set(dd, -1024.0)));
    const auto result = hn::Max(hn::Min(rounded, high), low);
    clipped = hn::Sub(clipped, mask_ones(hn::Ne(result, rounded)));
    zeroed = hn::Sub(zeroed, mask_ones(hn::And(hn::Eq(result, zero), hn::Ne(values, zero))));
    inexact = hn::Sub(inexact, mask_ones(hn::Ne(hn::Mul(result, divisor), values)));
    invalid = hn::Sub(invalid, mask_ones(is_nan));
    return hn::DemoteTo(di8, hn::DemoteTo(di32, result));
  };
  std::size_t i = 0;
  for (; i + lanes <= n; i += lanes) hn::StoreU(step(hn::PromoteTo(dd, hn::LoadU(df, x + i))), di8, q + i);
  if (i < n) {  // zeros in the other lanes raise nothing
    HWY_ALIGN float tail_in[HWY_MAX_BYTES / sizeof(float)] = {};
    HWY_ALIGN std::int8_t tail_out[HWY_MAX_BYTES] = {};
    std::copy(x + i, x + n, tail_in);
    hn::StoreU(step(hn::PromoteTo(dd, hn::LoadU(df, tail_in))), di8, tail_out);
    std::copy(tail_out, tail_out + (n - i), q + i);
  }
  const auto total = [&](auto lane_counts) HWY_ATTR {
    return static_cast<std::uint64_t>(hn::GetLane(hn::SumOfLanes(di64, lane_counts)));
  };
  counts[0] += total(clipped);
  counts[1] += total(zeroed);
  counts[2] += total(inexact);
  counts[3] += total(invalid);
}

/// maxima[i] = max(maxima[i], |x[i]|), NaNs ignored (every comparison with one is false).
HWY_ATTR void raise_to_abs(const float* HWY_RESTRICT x, std::size_t n, float* HWY_RESTRICT maxima) {
  const hn::ScalableTag<float> d;
  const std::size_t lanes = hn::Lanes(d);
  std::size_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    const auto magnitude = hn::Abs(hn::LoadU(d, x + i));
    const auto best = hn::LoadU(d, maxima + i);
    hn::StoreU(hn::IfThenElse(hn::Gt(magnitude, best), magnitude, best), d, maxima + i);
  }
  for (; i < n; ++i) {
    const float magnitude = std::fabs(x[i]);
    if (magnitude > maxima[i]) maxima[i] = magnitude;
  }
}

HWY_ATTR float max_abs_of(const float* HWY_RESTRICT x, std::size_t n) {
  const hn::ScalableTag<float> d;
  const std::size_t lanes = hn::Lanes(d);
  auto best = hn::Zero(d);
  std::size_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    const auto magnitude = hn::Abs(hn::LoadU(d, x + i));
    best = hn::IfThenElse(hn::Gt(magnitude, best), magnitude, best);
  }
  float result = hn::GetLane(hn::MaxOfLanes(d, best));
  for (; i < n; ++i) {
    const float magnitude = std::fabs(x[i]);
    if (magnitude > result) result = magnitude;
  }
  return result;
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace guardbit::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace guardbit::kernels {

using numerics::Event;

HWY_EXPORT(quantize);
HWY_EXPORT(raise_to_abs);
HWY_EXPORT(max_abs_of);

void quantize_row(std::span<const float> x, float scale, int bits, std::span<std::int8_t> q, EventCounts& events) {
  const FloatEnvironment environment;
  GUARDBIT_CHECK(q.size() == x.size(), "one code per value");
  GUARDBIT_CHECK(bits >= 2 && bits <= 8, "codes fit into int8");
  GUARDBIT_CHECK(scale > 0 && std::isfinite(scale), "a scale is positive and finite");
  std::array<std::uint64_t, 4> counts{};
  HWY_DYNAMIC_DISPATCH(quantize)(x.data(), x.size(), scale, bits, q.data(), counts.data());
  events[Event::kClipped] += counts[0];
  events[Event::kZeroed] += counts[1];
  events[Event::kInexact] += counts[2];
  events[Event::kInvalid] += counts[3];
}

float max_abs(std::span<const float> x) {
  const FloatEnvironment environment;
  return HWY_DYNAMIC_DISPATCH(max_abs_of)(x.data(), x.size());
}

void column_max_abs(MatrixView<const float> x, std::span<float> maxima) {
  const FloatEnvironment environment;
  GUARDBIT_CHECK(maxima.size() == x.cols, "one maximum per column");
  std::fill(maxima.begin(), maxima.end(), 0.0F);
  if (x.col_stride == 1) {
    for (std::size_t row = 0; row < x.rows; ++row) {
      HWY_DYNAMIC_DISPATCH(raise_to_abs)(x.row(row), x.cols, maxima.data());
    }
    return;
  }
  for (std::size_t col = 0; col < x.cols; ++col) {
    for (std::size_t row = 0; row < x.rows; ++row) {
      const float magnitude = std::fabs(x(row, col));
      if (magnitude > maxima[col]) maxima[col] = magnitude;
    }
  }
}

}  // namespace guardbit::kernels
#endif  // HWY_ONCE
