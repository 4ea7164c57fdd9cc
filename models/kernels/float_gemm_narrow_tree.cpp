#include "models/kernels/float_gemm_steps.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "models/kernels/float_gemm_narrow_tree.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "models/kernels/float_gemm_lanes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace guardbit::kernels::HWY_NAMESPACE {

#if HWY_TARGET <= HWY_AVX3  // has sums rounded to odd

inline constexpr std::size_t kTreeRows = 2;
inline constexpr std::size_t kTreeVectors = 2;  // of 16 columns
inline constexpr std::size_t kTrees = kTreeRows * kTreeVectors;
inline constexpr std::size_t kMaxDepth = 6;  // a tree of 64 leaves

/// The same node of kTrees trees that are evaluated side by side.
struct Nodes {
  SingleVector values[kTrees];
};

template <bool kCount>
class NarrowTree {
 public:
  HWY_INLINE NarrowTree(const StepRange& range, std::size_t width, const NarrowRounding& rounding)
      : range_(range), width_(width), lanes_(rounding) {}

  /// acc + the root over products begin .. begin + width - 1 of rows row, row + 1.
  HWY_INLINE void step(std::size_t begin, std::size_t row, Nodes& acc) {
    Nodes stack[kMaxDepth];
    std::size_t depth = 0;
    for (std::size_t pair = 0; pair < width_ / 2; ++pair) {
      Nodes node = leaf_pair(begin + 2 * pair, row);
      for (std::size_t index = pair; index % 2 == 1; index /= 2) {
        --depth;
        for (std::size_t t = 0; t < kTrees; ++t) node.values[t] = add(stack[depth].values[t], node.values[t]);
      }
      stack[depth++] = node;
    }
    for (std::size_t t = 0; t < kTrees; ++t) {
      const auto old = acc.values[t];
      SingleMask inexact;
      const auto sum = round(exact_enough_sum(old, stack[0].values[t]), inexact);
      if (kCount) {
        const auto is_swamped = hn::And(hn::And(inexact, hn::Eq(sum, old)), hn::Ne(old, hn::Zero(SingleTag())));
        counts.swamped = counted(counts.swamped, is_swamped);
      }
      acc.values[t] = sum;
    }
  }

  HWY_INLINE bool is_within(float limit) const {
    return hn::AllTrue(SingleTag(), hn::Le(lanes_.largest, hn::Set(SingleTag(), limit)));
  }

  StepLanes counts;

 private:
  /// Products k and k + 1, +0 beyond the end. The first is exact; the second is fused into the sum.
  HWY_INLINE Nodes leaf_pair(std::size_t k, std::size_t row) {
    Nodes nodes;
    for (std::size_t t = 0; t < kTrees; ++t) {
      const auto first = hn::Mul(a(k, row + t / kTreeVectors), b(k, t % kTreeVectors));
      SingleMask inexact;
      nodes.values[t] = round(fused_odd(a(k + 1, row + t / kTreeVectors), b(k + 1, t % kTreeVectors), first), inexact);
    }
    return nodes;
  }
  HWY_INLINE SingleVector a(std::size_t k, std::size_t row) const {
    return hn::Set(SingleTag(), k < range_.length ? range_.a[k * kTileRows + row] : 0.0F);
  }
  HWY_INLINE SingleVector b(std::size_t k, std::size_t vector) const {
    const SingleTag d;
    if (k >= range_.length) return hn::Zero(d);
    return hn::LoadU(d, range_.b + k * kTileCols + vector * hn::Lanes(d));
  }

  /// Sums of two p-bit numbers, p <= 11: rounding to binary32 first is harmless, since 24 >= 2p + 2 (Figueroa 1995),
  /// and subnormal results are exact. Events need the sum to odd.
  HWY_INLINE SingleVector exact_enough_sum(SingleVector x, SingleVector y) const {
    return kCount ? fused_odd(x, hn::Set(SingleTag(), 1.0F), y) : hn::Add(x, y);
  }
  HWY_INLINE SingleVector add(SingleVector x, SingleVector y) {
    SingleMask inexact;
    return round(exact_enough_sum(x, y), inexact);
  }

  HWY_INLINE SingleVector round(SingleVector s, SingleMask& inexact) {
    lanes_.largest = max_magnitude(lanes_.largest, s);
    const auto r = round_nearest</*kPlain=*/false>(s, lanes_);
    if (kCount) {
      inexact = hn::Ne(r, s);
      counts.inexact = counted(counts.inexact, inexact);
      counts.flushed = counted(counts.flushed, hn::And(inexact, hn::Eq(r, hn::Zero(SingleTag()))));
      counts.underflow = counted(counts.underflow, hn::And(inexact, hn::Lt(hn::Abs(s), lanes_.tiny_threshold)));
    }
    return r;
  }

  const StepRange& range_;
  std::size_t width_;
  NarrowLanes lanes_;
};

template <bool kCount>
bool run_trees(const StepRange& range, std::size_t width, const NarrowRounding& rounding, StepCounts& counts) {
  const SingleTag d;
  HWY_ALIGN float result[kTileRows * kTileCols];
  NarrowTree<kCount> tree(range, width, rounding);
  for (std::size_t row = 0; row < kTileRows; row += kTreeRows) {
    Nodes acc;
    for (auto& value : acc.values) value = hn::Zero(d);
    for (std::size_t begin = 0; begin < range.length; begin += width) tree.step(begin, row, acc);
    for (std::size_t t = 0; t < kTrees; ++t) {
      hn::Store(acc.values[t], d, result + (row + t / kTreeVectors) * kTileCols + t % kTreeVectors * hn::Lanes(d));
    }
  }
  if (!tree.is_within(rounding.sum_limit)) return false;
  std::copy(result, result + kTileRows * kTileCols, range.acc);
  if (kCount) tree.counts.add_to(counts);
  return true;
}

bool run_narrow_tree_here(const StepRange& range, std::size_t width, const NarrowRounding& rounding,
                          StepCounting counting, StepCounts& counts) {
  return counting == StepCounting::kNone ? run_trees<false>(range, width, rounding, counts)
                                         : run_trees<true>(range, width, rounding, counts);
}

#else

bool run_narrow_tree_here(const StepRange&, std::size_t, const NarrowRounding&, StepCounting, StepCounts&) {
  return false;
}

#endif

}  // namespace guardbit::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace guardbit::kernels {

HWY_EXPORT(run_narrow_tree_here);

bool run_narrow_tree(const StepRange& range, std::size_t width, const NarrowRounding& rounding, StepCounting counting,
                     StepCounts& counts) {
  return HWY_DYNAMIC_DISPATCH(run_narrow_tree_here)(range, width, rounding, counting, counts);
}

}  // namespace guardbit::kernels
#endif
