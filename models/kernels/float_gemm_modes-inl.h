// Binary64 lanes: exact sums rounded to odd, and their magnitudes rounded to multiples of a quantum, in every mode.
// Included once per Highway target; no include guard in the usual sense (foreach_target.h).
#if defined(GUARDBIT_FLOAT_GEMM_MODES_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef GUARDBIT_FLOAT_GEMM_MODES_INL
#undef GUARDBIT_FLOAT_GEMM_MODES_INL
#else
#define GUARDBIT_FLOAT_GEMM_MODES_INL
#endif

#include "hwy/highway.h"
#include "models/kernels/float_gemm_plan.h"

HWY_BEFORE_NAMESPACE();
namespace guardbit::kernels::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

using DoubleTag = hn::ScalableTag<double>;
using LongTag = hn::RebindToUnsigned<DoubleTag>;
using CountTag = hn::RebindToSigned<DoubleTag>;
using NarrowTag = hn::Rebind<float, DoubleTag>;  // as many binary32 lanes as there are binary64 lanes
using NarrowWordTag = hn::Rebind<std::int32_t, DoubleTag>;
using DoubleVector = hn::Vec<DoubleTag>;
using DoubleMask = hn::Mask<DoubleTag>;
using CountVector = hn::Vec<CountTag>;

/// x + y rounded to odd at 53 bits: truncated, then the last bit is set if anything was lost. Rounding that once more
/// to p <= 24 bits, at any position and in any mode, gives what rounding x + y once would (53 >= p + 2), and the result
/// differs from x + y exactly if it differs from this. Infinities and NaNs as IEEE 754; an exact zero sum of zeros of
/// one sign is that zero, any other +0, under kTowardNegative -0. Finite |x| and |y| are below 2^300: no overflow.
template <numerics::RoundingMode kMode>
HWY_INLINE DoubleVector add_to_odd(DoubleVector x, DoubleVector y) {
  constexpr bool kZeroIsNegative = kMode == numerics::RoundingMode::kTowardNegative;
  const DoubleTag d;
  const LongTag du;
  const auto sign_bit = hn::Set(du, std::uint64_t{1} << 63);
#if HWY_TARGET <= HWY_AVX3
  // The two directed sums are equal, or neighbours; neighbours have different last bits. The smaller code is the
  // truncation. Their signs differ only in (-0, +0), an exact zero sum: +0 is the smaller code.
  const auto low =
      hn::BitCast(du, DoubleVector{_mm512_add_round_pd(x.raw, y.raw, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC)});
  const auto high =
      hn::BitCast(du, DoubleVector{_mm512_add_round_pd(x.raw, y.raw, _MM_FROUND_TO_POS_INF | _MM_FROUND_NO_EXC)});
  const auto sticky = hn::And(hn::Xor(low, high), hn::Set(du, 1));
  auto sum = hn::Or(hn::Min(low, high), sticky);
  if constexpr (kZeroIsNegative) sum = hn::Or(sum, hn::And(low, sign_bit));
  return hn::BitCast(d, sum);
#else
  // TwoSum (Knuth): error = x + y - sum exactly. An error of opposite sign means that the sum was rounded away from
  // zero; one step back in code is the truncation.
  const auto sum = hn::Add(x, y);
  const auto y_part = hn::Sub(sum, x);
  const auto error = hn::Add(hn::Sub(x, hn::Sub(sum, y_part)), hn::Sub(y, y_part));
  const auto lost = hn::BitCast(du, hn::VecFromMask(d, hn::Gt(hn::Abs(error), hn::Zero(d))));  // false for NaN
  const auto opposite = hn::ShiftRight<63>(hn::Xor(hn::BitCast(du, sum), hn::BitCast(du, error)));
  const auto truncated = hn::Sub(hn::BitCast(du, sum), hn::And(opposite, lost));
  auto odd = hn::Or(truncated, hn::And(lost, hn::Set(du, 1)));
  if constexpr (kZeroIsNegative) {
    // The terms of a zero sum are both +0, or at least one of them is negative.
    const auto is_zero = hn::BitCast(du, hn::VecFromMask(d, hn::Eq(sum, hn::Zero(d))));
    const auto any_sign = hn::And(hn::Or(hn::BitCast(du, x), hn::BitCast(du, y)), sign_bit);
    odd = hn::Or(odd, hn::And(is_zero, any_sign));
  }
  return hn::BitCast(d, odd);
#endif
}

/// Rounds magnitudes to multiples of the quantum: that of the magnitude's binade, at least that of min_normal's.
///
/// Adding and subtracting 1.5 * 2^52 quanta rounds a magnitude, or minus one, to a multiple of the quantum in the
/// host's rounding, ties to even: the sum has an ulp of one quantum, since magnitude < 2 * binade = 2^p quanta is small
/// beside it, and the difference is exact. The other modes correct that nearest multiple by a quantum. What was cut off
/// (magnitude minus a multiple less than a quantum away) is exact: it is a multiple of the magnitude's ulp, and below
/// the quantum. A sum rounded to odd at 53 bits lies on the same side of any number of at most 52 bits in its binade
/// (so of each multiple, each midpoint and each threshold below) as the exact sum.
template <numerics::RoundingMode kMode>
class QuantumRounder {
  using Mode = numerics::RoundingMode;

 public:
  HWY_INLINE explicit QuantumRounder(const RoundingConstants& constants)
      : constants_(constants),
        min_normal_(hn::Set(DoubleTag(), constants.min_normal)),
        magic_(hn::Set(DoubleTag(), constants.magic)) {}

  /// |sum| rounded in the mode; infinity and NaN give NaN. `random`: 2^n minus the n random bits, kStochastic only.
  HWY_INLINE DoubleVector operator()(DoubleVector sum, DoubleVector random) const {
    const DoubleTag d;
    const auto magnitude = hn::Abs(sum);
    const auto exponent_field = hn::BitCast(d, hn::Set(LongTag(), 0x7FF0000000000000ull));
    const auto binade = hn::Max(hn::And(magnitude, exponent_field), min_normal_);
    const auto magic = hn::Mul(binade, magic_);
    const auto quantum = hn::Mul(binade, hn::Set(d, constants_.quantum));
    if constexpr (kMode == Mode::kTowardPositive || kMode == Mode::kTowardNegative) {
      const auto nearest = hn::Sub(hn::Add(sum, magic), magic);
      return hn::Abs(kMode == Mode::kTowardPositive ? add_where(hn::Lt(nearest, sum), nearest, quantum)
                                                    : subtract_where(hn::Gt(nearest, sum), nearest, quantum));
    }
    const auto shifted = hn::Add(magnitude, magic);
    const auto nearest = hn::Sub(shifted, magic);
    if constexpr (kMode == Mode::kTiesToEven) return nearest;
    if constexpr (kMode == Mode::kTiesToAway) {
      const auto half = hn::Mul(quantum, hn::Set(d, 0.5));
      return add_where(hn::Eq(hn::Sub(magnitude, nearest), half), nearest, quantum);  // the tie went down
    }
    const auto is_above = hn::Gt(nearest, magnitude);
    if constexpr (kMode == Mode::kToOdd) {
      // The last bit of `shifted` is that of the multiple: one step back in code truncates.
      const LongTag du;
      const auto truncated = hn::Add(hn::BitCast(du, shifted), hn::BitCast(du, hn::VecFromMask(d, is_above)));
      const auto inexact = hn::BitCast(du, hn::VecFromMask(d, hn::Ne(nearest, magnitude)));
      return hn::Sub(hn::BitCast(d, hn::Or(truncated, hn::And(inexact, hn::Set(du, 1)))), magic);
    }
    const auto truncated = subtract_where(is_above, nearest, quantum);
    if constexpr (kMode == Mode::kStochastic) {
      // floor(tail * 2^n) + r >= 2^n  <=>  tail >= (2^n - r) * 2^-n, in quanta; truncated + that is a multiple of 2^-n
      // quanta, so of twice the last place of a sum of 53 bits if p + n <= 52.
      const auto threshold = hn::Mul(random, hn::Mul(binade, hn::Set(d, constants_.random_grid)));
      return add_where(hn::Ge(hn::Sub(magnitude, truncated), threshold), truncated, quantum);
    }
    return truncated;
  }

 private:
  static HWY_INLINE DoubleVector add_where(DoubleMask where, DoubleVector x, DoubleVector quantum) {
    return hn::Add(x, hn::IfThenElseZero(where, quantum));
  }
  static HWY_INLINE DoubleVector subtract_where(DoubleMask where, DoubleVector x, DoubleVector quantum) {
    return hn::Sub(x, hn::IfThenElseZero(where, quantum));
  }

  const RoundingConstants& constants_;
  DoubleVector min_normal_;
  DoubleVector magic_;
};

}  // namespace guardbit::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
