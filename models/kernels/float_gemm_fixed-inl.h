// Binary64 lanes of the fixed-point kernels. Included once per Highway target.
#if defined(GUARDBIT_FLOAT_GEMM_FIXED_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef GUARDBIT_FLOAT_GEMM_FIXED_INL
#undef GUARDBIT_FLOAT_GEMM_FIXED_INL
#else
#define GUARDBIT_FLOAT_GEMM_FIXED_INL
#endif

#include "models/kernels/float_gemm_exact-inl.h"
#include "models/kernels/float_gemm_fixed.h"

HWY_BEFORE_NAMESPACE();
namespace guardbit::kernels::HWY_NAMESPACE {

inline constexpr double kMagic = 0x1.8p52;  // one unit is its last place
inline constexpr double kSplitUnit = static_cast<double>(1ull << kFixedSplit);

HWY_INLINE CountVector code_of(DoubleVector x) { return hn::BitCast(CountTag(), x); }

/// Integers below 2^51 as int64, and back.
HWY_INLINE CountVector to_integer(DoubleVector x) {
  const auto magic = hn::Set(DoubleTag(), kMagic);
  return hn::Sub(code_of(hn::Add(x, magic)), code_of(magic));
}
HWY_INLINE DoubleVector from_integer(CountVector x) {
  const auto magic = hn::Set(DoubleTag(), kMagic);
  return hn::Sub(hn::BitCast(DoubleTag(), hn::Add(x, code_of(magic))), magic);
}

}  // namespace guardbit::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
