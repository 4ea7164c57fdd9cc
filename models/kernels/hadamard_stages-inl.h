// The stages of a Walsh-Hadamard transform in vectors, and tests of exactness for its sums. Included once per Highway
// target.
#if defined(GUARDBIT_HADAMARD_STAGES_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef GUARDBIT_HADAMARD_STAGES_INL
#undef GUARDBIT_HADAMARD_STAGES_INL
#else
#define GUARDBIT_HADAMARD_STAGES_INL
#endif

#include <bit>
#include <cstddef>
#include <cstdint>

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace guardbit::kernels::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

using FloatTag = hn::ScalableTag<float>;
using IntTag = hn::RebindToSigned<FloatTag>;
using FloatVector = hn::Vec<FloatTag>;

#if HWY_TARGET != HWY_SCALAR

/// r is a + b exactly, for p-bit a, b and their p-bit rounded sum r, p <= 11. With r = a + b + delta, r - a = b + delta
/// rounds to b and r - b = a + delta rounds to a only if |delta| <= 2^-24 of the smaller addend; but delta is a
/// multiple of the last bit of the smallest of a, b, r, so delta = 0, or r is below half the smaller addend, and then
/// the sum was exact by Sterbenz's lemma.
HWY_INLINE hn::Mask<FloatTag> is_exact(FloatVector a, FloatVector b, FloatVector r) {
  return hn::And(hn::Eq(hn::Sub(r, a), b), hn::Eq(hn::Sub(r, b), a));
}

/// The binary32 sum s of a and b is exact: sums rounded down and up agree or, without such instructions, TwoSum has no
/// error (which is a NaN if s - a overflows, as only an inexact sum makes it).
HWY_INLINE hn::Mask<FloatTag> is_exact_fp32(FloatVector a, FloatVector b, FloatVector s) {
#if HWY_TARGET == HWY_AVX3
  (void)s;
  return hn::Eq(FloatVector{_mm512_add_round_ps(a.raw, b.raw, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC)},
                FloatVector{_mm512_add_round_ps(a.raw, b.raw, _MM_FROUND_TO_POS_INF | _MM_FROUND_NO_EXC)});
#else
  const auto b_virtual = hn::Sub(s, a);
  return hn::Eq(hn::Add(hn::Sub(a, hn::Sub(s, b_virtual)), hn::Sub(b, b_virtual)), hn::Zero(FloatTag()));
#endif
}

/// All stages of one row of n elements, a multiple of the lanes, of which there are 4 to 16. `Finish` has
/// round(s, a, b), the rounded sum of a and b, s being their binary32 sum; events are its own affair.
template <class Finish>
class Transform {
 public:
  HWY_INLINE explicit Transform(Finish& finish) : finish_(finish) {
    const FloatTag d;
    const IntTag di;
    const auto lane = hn::Iota(di, 0);
    for (int stage = 0; stage < kMaxInVectorStages; ++stage) {
      const auto bit = hn::Set(di, 1 << stage);
      const auto is_upper = hn::Ne(hn::And(lane, bit), hn::Zero(di));
      signs_[stage] = hn::IfThenElse(hn::RebindMask(d, is_upper), hn::Set(d, -1.0F), hn::Set(d, 1.0F));
    }
  }

  HWY_INLINE void run(const float* HWY_RESTRICT source, float* HWY_RESTRICT x, std::size_t n) {
    const std::size_t lanes = hn::Lanes(FloatTag());
    const std::size_t num_vectors = n / lanes;
    if (num_vectors == 1) return first_stages<1>(source, x, n);
    if (num_vectors == 2) return first_stages<2>(source, x, n);
    if (num_vectors == 4) return first_stages<4>(source, x, n);
    first_stages<8>(source, x, n);
    std::size_t h = 8 * lanes;
    const int num_left = std::countr_zero(n / h);
    if (num_left % 2 == 1) {
      later_stages<2>(x, n, h);
      h *= 2;
    }
    for (; h < n; h *= 4) later_stages<4>(x, n, h);
  }

 private:
  static constexpr int kMaxInVectorStages = 4;

  /// Stages within vectors, then those between kVectors neighbours.
  template <std::size_t kVectors>
  HWY_INLINE void first_stages(const float* HWY_RESTRICT source, float* HWY_RESTRICT x, std::size_t n) {
    const FloatTag d;
    const std::size_t lanes = hn::Lanes(d);
    for (std::size_t base = 0; base < n; base += kVectors * lanes) {
      FloatVector v[kVectors];
#pragma GCC unroll 8
      for (std::size_t i = 0; i < kVectors; ++i) v[i] = in_vector(hn::LoadU(d, source + base + i * lanes));
      between<kVectors, 1>(v);
#pragma GCC unroll 8
      for (std::size_t i = 0; i < kVectors; ++i) hn::Store(v[i], d, x + base + i * lanes);
    }
  }

  /// Stages h, 2h, ... between kVectors vectors h elements apart.
  template <std::size_t kVectors>
  HWY_INLINE void later_stages(float* HWY_RESTRICT x, std::size_t n, std::size_t h) {
    const FloatTag d;
    for (std::size_t base = 0; base < n; base += kVectors * h) {
      for (std::size_t i = base; i < base + h; i += hn::Lanes(d)) {
        FloatVector v[kVectors];
#pragma GCC unroll 4
        for (std::size_t j = 0; j < kVectors; ++j) v[j] = hn::Load(d, x + i + j * h);
        between<kVectors, 1>(v);
#pragma GCC unroll 4
        for (std::size_t j = 0; j < kVectors; ++j) hn::Store(v[j], d, x + i + j * h);
      }
    }
  }

  template <std::size_t kVectors, std::size_t kDistance>
  HWY_INLINE void between(FloatVector (&v)[kVectors]) {
    if constexpr (kDistance < kVectors) {
#pragma GCC unroll 8
      for (std::size_t i = 0; i < kVectors; ++i) {
        if ((i & kDistance) != 0) continue;
        const auto a = v[i];
        const auto b = v[i + kDistance];
        v[i] = finish_.round(hn::Add(a, b), a, b);
        v[i + kDistance] = finish_.round(hn::Sub(a, b), a, hn::Neg(b));
      }
      between<kVectors, 2 * kDistance>(v);
    }
  }

  HWY_INLINE FloatVector in_vector(FloatVector v) {
    const FloatTag d;
    v = cross(v, hn::Shuffle2301(v), 0);
    v = cross(v, hn::Shuffle1032(v), 1);
    if (hn::Lanes(d) > 4) v = cross(v, partners(v, 4), 2);
    if (hn::Lanes(d) > 8) v = cross(v, partners(v, 8), 3);
    return v;
  }
  static HWY_INLINE FloatVector partners(FloatVector v, int distance) {
    const IntTag di;
    const auto lane = hn::Xor(hn::Iota(di, 0), hn::Set(di, distance));
    return hn::TableLookupLanes(v, hn::IndicesFromVec(FloatTag(), lane));
  }
  /// A lane has the sum or, where its bit is set, partner - own; the product with 1 or -1 is exact, fused or not.
  HWY_INLINE FloatVector cross(FloatVector own, FloatVector partner, int stage) {
    return finish_.round(hn::MulAdd(own, signs_[stage], partner), partner, hn::Mul(own, signs_[stage]));
  }

  Finish& finish_;
  FloatVector signs_[kMaxInVectorStages];
};

#endif

}  // namespace guardbit::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
