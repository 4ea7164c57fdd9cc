#include "models/kernels/float_gemm_tree.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "models/kernels/float_gemm_narrow_tree.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "models/kernels/float_gemm_lanes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace guardbit::kernels::HWY_NAMESPACE {

#if HWY_TARGET <= HWY_AVX2

inline constexpr std::size_t kTrees = 4;  // rows whose trees are evaluated side by side
inline constexpr std::size_t kMaxWidth = 64;
inline constexpr std::size_t kMaxGroup = 8;  // leaves whose nodes stay in registers
inline constexpr std::size_t kMaxDepth = 4;  // open roots of groups

/// The same node of kTrees trees, of one vector of columns.
struct Nodes {
  SingleVector values[kTrees];
};

/// a*b + c rounded to odd, a*b being a binary32. Without directed roundings: TwoSum's error tells the neighbour's
/// direction. It is a NaN if the sum overflows, which is then left as it is.
HWY_INLINE SingleVector sum_to_odd(SingleVector a, SingleVector b, SingleVector c) {
#if HWY_TARGET <= HWY_AVX3
  return fused_odd(a, b, c);
#else
  const SingleTag d;
  const WordTag du;
  const auto product = hn::Mul(a, b);
  const auto s = hn::Add(product, c);
  const auto c_virtual = hn::Sub(s, product);
  const auto error = hn::Add(hn::Sub(product, hn::Sub(s, c_virtual)), hn::Sub(c, c_virtual));
  const auto is_even = hn::Sub(hn::And(hn::BitCast(du, s), hn::Set(du, 1)), hn::Set(du, 1));  // all ones, or zero
  const auto is_inexact = hn::VecFromMask(du, hn::RebindMask(du, hn::Gt(hn::Abs(error), hn::Zero(d))));
  const auto signs_differ = hn::ShiftRight<31>(hn::BitCast(du, hn::Xor(s, error)));
  const auto step = hn::Sub(hn::Set(du, 1), hn::Add(signs_differ, signs_differ));  // 1 or -1
  return hn::BitCast(d, hn::Add(hn::BitCast(du, s), hn::And(step, hn::And(is_even, is_inexact))));
#endif
}

/// Operands from a step's first product and the trees' first row and column on.
struct Leaves {
  const float* a;
  const float* b;
};

/// What is a constant of the compiled kernel; TreeMethod says what it means.
template <bool kLeavesAreExactValue, bool kPlainValue, bool kBoundedValue, bool kCountValue>
struct TreePolicy {
  static constexpr bool kLeavesAreExact = kLeavesAreExactValue;
  static constexpr bool kPlain = kPlainValue;
  static constexpr bool kBounded = kBoundedValue;
  static constexpr bool kCount = kCountValue;
};

/// The signs of zeros do not matter: an accumulator starts at +0 and does not become -0, since its sums are exact where
/// they are subnormal; and any other sum is the same with either zero.
template <class Policy>
class NarrowTree {
 public:
  HWY_INLINE NarrowTree(const NarrowRounding& rounding, bool counts_swamped)
      : lanes_(rounding), counts_swamped_(counts_swamped) {}

  /// acc + the root over `width` products, in groups of kGroup.
  template <std::size_t kGroup>
  HWY_INLINE void step(const Leaves& leaves, std::size_t width, Nodes& acc) {
    if (width == kGroup) {
      accumulate(root_of<kGroup>(leaves), acc);
      return;
    }
    Nodes stack[kMaxDepth];
    std::size_t depth = 0;
    for (std::size_t group = 0; group < width / kGroup; ++group) {
      Nodes node = root_of<kGroup>({leaves.a + group * kGroup * kTileRows, leaves.b + group * kGroup * kTileCols});
      for (std::size_t index = group; index % 2 == 1; index /= 2) node = add(stack[--depth], node);
      stack[depth++] = node;
    }
    accumulate(stack[0], acc);
  }

  HWY_INLINE bool is_within(float limit) const {
    return Policy::kBounded || hn::AllTrue(SingleTag(), hn::Le(lanes_.largest, hn::Set(SingleTag(), limit)));
  }

  StepLanes counts;

 private:
  template <std::size_t kWidth>
  HWY_INLINE Nodes root_of(const Leaves& leaves) {
    if constexpr (kWidth == 2) {
      return leaf_pair(leaves);
    } else {
      const Nodes left = root_of<kWidth / 2>(leaves);
      return add(left, root_of<kWidth / 2>({leaves.a + kWidth / 2 * kTileRows, leaves.b + kWidth / 2 * kTileCols}));
    }
  }

  /// Two products and their sum. The first is exact; the second is fused into the sum.
  HWY_INLINE Nodes leaf_pair(const Leaves& leaves) {
    const SingleTag d;
    const auto b0 = hn::LoadU(d, leaves.b);
    const auto b1 = hn::LoadU(d, leaves.b + kTileCols);
    Nodes nodes;
#pragma GCC unroll 4
    for (std::size_t t = 0; t < kTrees; ++t) {
      const auto first = hn::Mul(hn::Set(d, leaves.a[t]), b0);
      const auto a1 = hn::Set(d, leaves.a[kTileRows + t]);
      if constexpr (Policy::kLeavesAreExact && !Policy::kCount) {
        nodes.values[t] = round</*kLeaf=*/true>(hn::MulAdd(a1, b1, first));
      } else {
        nodes.values[t] = round</*kLeaf=*/true>(sum_to_odd(a1, b1, first));
      }
    }
    return nodes;
  }

  /// Sums of two p-bit numbers, p <= 11: rounding to binary32 first is harmless, since 24 >= 2p + 2 (Figueroa 1995),
  /// and subnormal results are exact. Events need the sum to odd.
  HWY_INLINE SingleVector sum(SingleVector x, SingleVector y) const {
    if constexpr (Policy::kCount) return sum_to_odd(x, hn::Set(SingleTag(), 1.0F), y);
    return hn::Add(x, y);
  }
  HWY_INLINE Nodes add(const Nodes& x, const Nodes& y) {
    Nodes nodes;
#pragma GCC unroll 4
    for (std::size_t t = 0; t < kTrees; ++t) {
      nodes.values[t] = round</*kLeaf=*/false>(sum(x.values[t], y.values[t]));
    }
    return nodes;
  }

  /// A non-zero root that leaves a non-zero accumulator as it was swamps it.
  HWY_INLINE void accumulate(const Nodes& root, Nodes& acc) {
    const Nodes result = add(acc, root);
    if (counts_swamped_) {
      const auto zero = hn::Zero(SingleTag());
#pragma GCC unroll 4
      for (std::size_t t = 0; t < kTrees; ++t) {
        const auto old = acc.values[t];
        const auto are_not_zero = hn::And(hn::Ne(old, zero), hn::Ne(root.values[t], zero));
        counts.swamped = counted(counts.swamped, hn::And(hn::Eq(result.values[t], old), are_not_zero));
      }
    }
    acc = result;
  }

  /// Only sums of leaves may be inexact below the smallest normal number.
  template <bool kLeaf>
  HWY_INLINE SingleVector round(SingleVector s) {
    if constexpr (!Policy::kBounded) lanes_.largest = max_magnitude(lanes_.largest, s);
    constexpr bool kMayUnderflow = kLeaf && !Policy::kPlain;
    const auto r = round_nearest<!kMayUnderflow>(s, lanes_);
    if constexpr (Policy::kCount) {
      const auto inexact = hn::Ne(r, s);
      counts.inexact = counted(counts.inexact, inexact);
      if constexpr (kMayUnderflow) {
        counts.flushed = counted(counts.flushed, hn::And(inexact, hn::Eq(r, hn::Zero(SingleTag()))));
        counts.underflow = counted(counts.underflow, hn::And(inexact, hn::Lt(hn::Abs(s), lanes_.tiny_threshold)));
      }
    }
    return r;
  }

  NarrowLanes lanes_;
  bool counts_swamped_;
};

/// Operands of the last, partial group, padded with +0.
struct PaddedGroup {
  PaddedGroup(const StepRange& range, std::size_t begin, std::size_t width) {
    if (begin == range.length) return;
    float* const a_end = std::copy(range.a + begin * kTileRows, range.a + range.length * kTileRows, a);
    float* const b_end = std::copy(range.b + begin * kTileCols, range.b + range.length * kTileCols, b);
    std::fill(a_end, a + width * kTileRows, 0.0F);
    std::fill(b_end, b + width * kTileCols, 0.0F);
  }
  HWY_ALIGN float a[kMaxWidth * kTileRows];
  HWY_ALIGN float b[kMaxWidth * kTileCols];
};

template <class Policy, std::size_t kGroup>
HWY_NOINLINE bool run_trees(const StepRange& range, std::size_t width, const NarrowRounding& rounding,
                            const TreeMethod& method, StepCounts& counts) {
  const SingleTag d;
  const std::size_t lanes = hn::Lanes(d);
  HWY_ALIGN float result[kTileRows * kTileCols];
  NarrowTree<Policy> tree(rounding, method.counting != StepCounting::kNone);
  const std::size_t whole = range.length / width * width;
  const PaddedGroup last(range, whole, width);
  for (std::size_t row = 0; row < kTileRows; row += kTrees) {
    for (std::size_t col = 0; col < kTileCols; col += lanes) {
      const auto place = [&](std::size_t t) { return (row + t) * kTileCols + col; };
      Nodes acc;
      for (std::size_t t = 0; t < kTrees; ++t) acc.values[t] = hn::LoadU(d, range.acc + place(t));
      for (std::size_t k = 0; k < whole; k += width) {
        tree.template step<kGroup>({range.a + k * kTileRows + row, range.b + k * kTileCols + col}, width, acc);
      }
      if (whole < range.length) tree.template step<kGroup>({last.a + row, last.b + col}, width, acc);
      for (std::size_t t = 0; t < kTrees; ++t) hn::Store(acc.values[t], d, result + place(t));
    }
  }
  if (!tree.is_within(rounding.sum_limit)) return false;
  std::copy(result, result + kTileRows * kTileCols, range.acc);
  tree.counts.add_to(counts);
  return true;
}

template <class Policy>
bool run_policy(const StepRange& range, std::size_t width, const NarrowRounding& rounding, const TreeMethod& method,
                StepCounts& counts) {
  if (width == 2) return run_trees<Policy, 2>(range, width, rounding, method, counts);
  if (width == 4) return run_trees<Policy, 4>(range, width, rounding, method, counts);
  return run_trees<Policy, kMaxGroup>(range, width, rounding, method, counts);
}

bool run_narrow_tree_here(const StepRange& range, std::size_t width, const NarrowRounding& rounding,
                          const TreeMethod& method, StepCounts& counts) {
  const auto run = [&]<bool kLeavesAreExact, bool kPlain, bool kCount>() {
    return method.bounded
               ? run_policy<TreePolicy<kLeavesAreExact, kPlain, true, kCount>>(range, width, rounding, method, counts)
               : run_policy<TreePolicy<kLeavesAreExact, kPlain, false, kCount>>(range, width, rounding, method, counts);
  };
  const bool counts_all = method.counting == StepCounting::kAll;
  if (method.leaves_are_exact && !counts_all) return run.template operator()<true, true, false>();
  if (counts_all) {
    return method.plain ? run.template operator()<false, true, true>() : run.template operator()<false, false, true>();
  }
  return method.plain ? run.template operator()<false, true, false>() : run.template operator()<false, false, false>();
}

#else

bool run_narrow_tree_here(const StepRange&, std::size_t, const NarrowRounding&, const TreeMethod&, StepCounts&) {
  return false;
}

#endif

}  // namespace guardbit::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace guardbit::kernels {

HWY_EXPORT(run_narrow_tree_here);

bool run_narrow_tree(const StepRange& range, std::size_t width, const NarrowRounding& rounding,
                     const TreeMethod& method, StepCounts& counts) {
  return HWY_DYNAMIC_DISPATCH(run_narrow_tree_here)(range, width, rounding, method, counts);
}

}  // namespace guardbit::kernels
#endif
