#include "models/kernels/float_gemm_tile.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "models/kernels/float_gemm_exact_tree.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "models/kernels/float_gemm_exact-inl.h"

HWY_BEFORE_NAMESPACE();
namespace guardbit::kernels::HWY_NAMESPACE {

/// An adder tree over one step's products, of one row and one vector of columns.
template <numerics::RoundingMode kMode, bool kCount>
class LaneTree {
 public:
  HWY_INLINE LaneTree(const TileJob& job, std::size_t row, std::size_t col, LaneCounts& inner, LaneCounts& products)
      : job_(job), row_(row), col_(col), rounder_(job.plan->inner), inner_(inner), products_(products) {}

  /// acc + root of products [begin, end), padded to the width with +0; `random_step` is that of the first node.
  HWY_INLINE DoubleVector step(DoubleVector acc, std::size_t begin, std::size_t end, std::size_t random_step) {
    const auto width = static_cast<std::size_t>(job_.plan->spec.width);
    for (std::size_t node = 0; node < width / 2; ++node, ++random_step) {
      const LaneProduct x = leaf(begin + 2 * node, end);
      const LaneProduct y = leaf(begin + 2 * node + 1, end);
      const auto operand_is_nan = [&] { return hn::Or(x.is_operand_nan(), y.is_operand_nan()); };
      nodes_[node] = add(x.value, y.value, random_step, operand_is_nan);
    }
    for (std::size_t count = width / 2; count > 1; count /= 2) {
      for (std::size_t node = 0; node < count / 2; ++node, ++random_step) {
        const auto x = nodes_[2 * node];
        const auto y = nodes_[2 * node + 1];
        nodes_[node] = add(x, y, random_step, [&] { return hn::Or(is_nan(x), is_nan(y)); });
      }
    }
    const auto root = nodes_[0];
    return accumulate<kCount>(
        rounder_, acc, root, random(random_step), [&] { return hn::Or(is_nan(acc), is_nan(root)); }, inner_);
  }

 private:
  HWY_INLINE LaneProduct leaf(std::size_t k, std::size_t end) {
    const auto zero = hn::Zero(DoubleTag());
    if (k >= end) return {zero, zero, zero, false};
    const auto b = load_lanes(job_.b->values.data() + k * kTileCols + col_);
    return multiply<kCount>(job_, k, row_, col_, b, products_);
  }
  template <class OperandIsNan>
  HWY_INLINE DoubleVector add(DoubleVector x, DoubleVector y, std::size_t random_step,
                              const OperandIsNan& operand_is_nan) {
    DoubleMask inexact;
    return rounder_.template round<kCount>(add_to_odd<kMode>(x, y), random(random_step), operand_is_nan, inner_,
                                           inexact);
  }
  HWY_INLINE DoubleVector random(std::size_t step) const {
    if constexpr (kMode != numerics::RoundingMode::kStochastic) return hn::Zero(DoubleTag());
    return random_lanes(job_.plan->inner, job_.a->random_words[step * kTileRows + row_],
                        job_.b->random_words.data() + step * kTileCols + col_, /*shift=*/0);
  }

  static constexpr std::size_t kMaxNodes = 32;  // first level of a tree of 64
  const TileJob& job_;
  std::size_t row_;
  std::size_t col_;
  LaneRounder<kMode> rounder_;
  LaneCounts& inner_;
  LaneCounts& products_;
  DoubleVector nodes_[kMaxNodes];
};

template <numerics::RoundingMode kMode, bool kCount>
HWY_INLINE void run_tree_row(const TileJob& job, const KChunk& chunk, std::size_t row, std::size_t col,
                             float* acc_carriers, LaneCounts& inner_counts, LaneCounts& product_counts) {
  const auto width = static_cast<std::size_t>(job.plan->spec.width);
  std::size_t random_step = chunk.first_random_step;
  LaneTree<kMode, kCount> tree(job, row, col, inner_counts, product_counts);
  float* const carriers = acc_carriers + row * kTileCols + col;
  auto acc = load_lanes(carriers);
  for (std::size_t begin = chunk.range.begin; begin < chunk.range.end; begin += width, random_step += width) {
    acc = tree.step(acc, begin, std::min(begin + width, chunk.range.end), random_step);
  }
  store_lanes(acc, carriers);
}

template <numerics::RoundingMode kMode, bool kCount>
HWY_NOINLINE void run_exact_tree_variant(const TileJob& job, const KChunk& chunk, float* acc) {
  for_each_vector<kCount>(job, [&](std::size_t col, LaneCounts& inner, LaneCounts& products) HWY_ATTR {
    for (std::size_t row = 0; row < job.rows; ++row) {
      run_tree_row<kMode, kCount>(job, chunk, row, col, acc, inner, products);
    }
  });
}

void run_exact_tree_here(const TileJob& job, const KChunk& chunk, float* acc) {
  with_mode(job.plan->inner.rounding, job.plan->counts,
            [&](auto mode, auto counts) { run_exact_tree_variant<mode.value, counts.value>(job, chunk, acc); });
}

}  // namespace guardbit::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace guardbit::kernels {

HWY_EXPORT(run_exact_tree_here);

void run_exact_tree(const TileJob& job, const KChunk& chunk, float* acc) {
  HWY_DYNAMIC_DISPATCH(run_exact_tree_here)(job, chunk, acc);
}

}  // namespace guardbit::kernels
#endif
