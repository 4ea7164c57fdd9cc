// The float GEMM's general kernel: every accumulation that is_vectorized() accepts, in binary64 lanes, all events.
// Products of carriers are exact in binary64 (48 bits); sums are rounded to odd and then once into the format.
// Included once per Highway target.
#if defined(GUARDBIT_FLOAT_GEMM_EXACT_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef GUARDBIT_FLOAT_GEMM_EXACT_INL
#undef GUARDBIT_FLOAT_GEMM_EXACT_INL
#else
#define GUARDBIT_FLOAT_GEMM_EXACT_INL
#endif

#include <algorithm>

#include "models/kernels/float_gemm_round-inl.h"

HWY_BEFORE_NAMESPACE();
namespace guardbit::kernels::HWY_NAMESPACE {

/// Carriers of one tile's accumulators, between blocks.
struct TileState {
  HWY_ALIGN float inner[kTileRows * kTileCols];
  HWY_ALIGN float outer[kTileRows * kTileCols];
};

HWY_INLINE DoubleVector load_lanes(const float* values) {
  return hn::PromoteTo(DoubleTag(), hn::LoadU(NarrowTag(), values));
}

/// Values are carriers, so the conversion is exact; NaNs become the canonical one.
HWY_INLINE void store_lanes(DoubleVector value, float* values) {
  const DoubleTag d;
  const auto nan = hn::Set(d, std::numeric_limits<double>::quiet_NaN());
  const auto carrier = hn::IfThenElse(hn::IsNaN(value), nan, value);
#if HWY_TARGET == HWY_SCALAR
  *values = static_cast<float>(hn::GetLane(carrier));  // the scalar target's DemoteTo clamps infinities
#else
  hn::StoreU(hn::DemoteTo(NarrowTag(), carrier), NarrowTag(), values);
#endif
}

HWY_INLINE DoubleMask is_nan(DoubleVector x) { return hn::IsNaN(x); }

/// The low n bits of row word XOR column words, as numbers.
HWY_INLINE DoubleVector random_lanes(std::uint32_t row_word, const std::uint32_t* column_words, std::uint32_t mask) {
  const NarrowWordTag tag;
  const auto columns = hn::LoadU(tag, reinterpret_cast<const std::int32_t*>(column_words));
  const auto bits = hn::Xor(columns, hn::Set(tag, static_cast<std::int32_t>(row_word)));
  return hn::PromoteTo(DoubleTag(), hn::And(bits, hn::Set(tag, static_cast<std::int32_t>(mask))));
}

/// acc + addend, rounded once and counted, with event swamped. Where acc is not zero and the finite sum is inexact, the
/// addend is finite and not zero; and only an inexact sum can equal acc with such an addend.
template <bool kCount, class Rounder, class OperandIsNan>
HWY_INLINE DoubleVector accumulate(const Rounder& rounder, DoubleVector acc, DoubleVector addend, DoubleVector random,
                                   const OperandIsNan& operand_is_nan, LaneCounts& counts) {
  DoubleMask inexact;
  const auto value = rounder.template round<kCount>(add_to_odd(acc, addend), random, operand_is_nan, counts, inexact);
  if (kCount) {
    count(counts.swamped, hn::And(inexact, hn::And(hn::Eq(value, acc), hn::Ne(acc, hn::Zero(DoubleTag())))));
  }
  return value;
}

/// One product as the accumulator sees it.
struct LaneProduct {
  DoubleVector value;
  DoubleVector a, b;
  bool rounded;
  /// Lanes in which a NaN is an operand of the sum: a rounded product, or an operand of an exact one.
  HWY_INLINE DoubleMask is_operand_nan() const { return rounded ? is_nan(value) : hn::Or(is_nan(a), is_nan(b)); }
};

/// The rounding of single products; out of line, since few configurations have it.
template <bool kCount>
HWY_NOINLINE DoubleVector round_product(const RoundingConstants& constants, DoubleVector product,
                                        DoubleMask operand_is_nan, LaneCounts& counts) {
  const auto random = hn::Zero(DoubleTag());
  const auto is_operand_nan = [&] { return operand_is_nan; };
  DoubleMask inexact;
  if (constants.rounding == numerics::RoundingMode::kTowardZero) {
    const LaneRounder<numerics::RoundingMode::kTowardZero> rounder(constants);
    return rounder.round<kCount>(product, random, is_operand_nan, counts, inexact);
  }
  const LaneRounder<numerics::RoundingMode::kTiesToEven> rounder(constants);
  return rounder.round<kCount>(product, random, is_operand_nan, counts, inexact);
}

template <bool kCount>
HWY_INLINE LaneProduct multiply(const GemmPlan& plan, DoubleVector a, DoubleVector b, LaneCounts& counts) {
  LaneProduct product{hn::Mul(a, b), a, b, plan.spec.product.has_value()};
  if (product.rounded) {
    product.value = round_product<kCount>(plan.product, product.value, hn::Or(is_nan(a), is_nan(b)), counts);
  }
  return product;
}

/// Sequential accumulation of `range` into kRows rows and one vector of columns of the tile.
template <numerics::RoundingMode kMode, bool kCount, std::size_t kRows>
HWY_INLINE void run_sequential_rows(const TileJob& job, KBlock range, std::size_t row, std::size_t col,
                                    TileState& state, LaneCounts& inner_counts, LaneCounts& product_counts) {
  const GemmPlan& plan = *job.plan;
  const LaneRounder<kMode> rounder(plan.inner);
  DoubleVector acc[kRows];
  for (std::size_t i = 0; i < kRows; ++i) acc[i] = load_lanes(state.inner + (row + i) * kTileCols + col);
  auto random = hn::Zero(DoubleTag());
  for (std::size_t k = range.begin; k < range.end; ++k) {
    const auto b = load_lanes(job.b->values.data() + k * kTileCols + col);
    for (std::size_t i = 0; i < kRows; ++i) {
      const auto a = hn::Set(DoubleTag(), static_cast<double>(job.a->values[k * kTileRows + row + i]));
      if constexpr (kMode == numerics::RoundingMode::kStochastic) {
        random = random_lanes(job.a->random_words[k * kTileRows + row + i],
                              job.b->random_words.data() + k * kTileCols + col, plan.inner.random_mask);
      }
      const LaneProduct product = multiply<kCount>(plan, a, b, product_counts);
      const auto operand_is_nan = [&] { return hn::Or(is_nan(acc[i]), product.is_operand_nan()); };
      acc[i] = accumulate<kCount>(rounder, acc[i], product.value, random, operand_is_nan, inner_counts);
    }
  }
  for (std::size_t i = 0; i < kRows; ++i) store_lanes(acc[i], state.inner + (row + i) * kTileCols + col);
}

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
    const auto a = hn::Set(DoubleTag(), static_cast<double>(job_.a->values[k * kTileRows + row_]));
    return multiply<kCount>(*job_.plan, a, load_lanes(job_.b->values.data() + k * kTileCols + col_), products_);
  }
  template <class OperandIsNan>
  HWY_INLINE DoubleVector add(DoubleVector x, DoubleVector y, std::size_t random_step,
                              const OperandIsNan& operand_is_nan) {
    DoubleMask inexact;
    return rounder_.template round<kCount>(add_to_odd(x, y), random(random_step), operand_is_nan, inner_, inexact);
  }
  HWY_INLINE DoubleVector random(std::size_t step) const {
    if constexpr (kMode != numerics::RoundingMode::kStochastic) return hn::Zero(DoubleTag());
    return random_lanes(job_.a->random_words[step * kTileRows + row_],
                        job_.b->random_words.data() + step * kTileCols + col_, job_.plan->inner.random_mask);
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
HWY_INLINE void run_tree_row(const TileJob& job, const KChunk& chunk, std::size_t chunk_index, std::size_t row,
                             std::size_t col, TileState& state, LaneCounts& inner_counts, LaneCounts& product_counts) {
  const auto width = static_cast<std::size_t>(job.plan->spec.width);
  const std::size_t steps_per_chunk = (static_cast<std::size_t>(job.plan->spec.promote_every) + width - 1) / width;
  std::size_t random_step = chunk_index * steps_per_chunk * width;
  LaneTree<kMode, kCount> tree(job, row, col, inner_counts, product_counts);
  float* const carriers = state.inner + row * kTileCols + col;
  auto acc = load_lanes(carriers);
  for (std::size_t begin = chunk.range.begin; begin < chunk.range.end; begin += width, random_step += width) {
    acc = tree.step(acc, begin, std::min(begin + width, chunk.range.end), random_step);
  }
  store_lanes(acc, carriers);
}

/// Runs body(col, lanes, inner counts, product counts) for each vector of valid columns and adds its counts.
template <bool kCount, class Body>
HWY_INLINE void for_each_vector(const TileJob& job, const Body& body) {
  const std::size_t lanes = hn::Lanes(DoubleTag());
  for (std::size_t col = 0; col < job.cols; col += lanes) {
    LaneCounts inner_counts;
    LaneCounts product_counts;
    body(col, inner_counts, product_counts);
    if (!kCount) continue;
    const std::size_t valid = std::min(lanes, job.cols - col);
    add_counts(inner_counts, valid, job.plan->wanted, job.events->inner);
    if (job.plan->spec.product) add_counts(product_counts, valid, job.plan->wanted, job.events->product);
  }
}

template <numerics::RoundingMode kMode, bool kCount>
HWY_NOINLINE void run_exact_sequential(const TileJob& job, KBlock range, TileState& state) {
  for_each_vector<kCount>(job, [&](std::size_t col, LaneCounts& inner, LaneCounts& products) HWY_ATTR {
    constexpr std::size_t kGroup = 4;
    std::size_t row = 0;
    for (; row + kGroup <= job.rows; row += kGroup) {
      run_sequential_rows<kMode, kCount, kGroup>(job, range, row, col, state, inner, products);
    }
    for (; row < job.rows; ++row) run_sequential_rows<kMode, kCount, 1>(job, range, row, col, state, inner, products);
  });
}

template <numerics::RoundingMode kMode, bool kCount>
HWY_NOINLINE void run_exact_tree(const TileJob& job, std::size_t chunk_index, TileState& state) {
  for_each_vector<kCount>(job, [&](std::size_t col, LaneCounts& inner, LaneCounts& products) HWY_ATTR {
    for (std::size_t row = 0; row < job.rows; ++row) {
      run_tree_row<kMode, kCount>(job, job.plan->chunks[chunk_index], chunk_index, row, col, state, inner, products);
    }
  });
}

/// outer = round(outer + scale * inner), inner = +0.
template <numerics::RoundingMode kMode, bool kCount>
HWY_NOINLINE void promote(const TileJob& job, std::size_t chunk_index, TileState& state) {
  const GemmPlan& plan = *job.plan;
  const LaneRounder<kMode> rounder(plan.outer);
  const auto scale = hn::Set(DoubleTag(), job.scales.empty() ? 1.0 : static_cast<double>(job.scales[chunk_index]));
  const std::size_t lanes = hn::Lanes(DoubleTag());
  const auto step = static_cast<std::uint32_t>(chunk_index);
  const numerics::RandomStream stream = arith::stage_stream(plan.stream, arith::RandomStage::kOuter);
  auto random = hn::Zero(DoubleTag());
  HWY_ALIGN std::uint32_t column_words[kTileCols] = {};
  for (std::size_t col = 0; col < kTileCols && kMode == numerics::RoundingMode::kStochastic; ++col) {
    column_words[col] = stream.column_word(job.first.column + static_cast<std::uint32_t>(col), step);
  }
  for (std::size_t col = 0; col < job.cols; col += lanes) {
    LaneCounts counts;
    for (std::size_t row = 0; row < job.rows; ++row) {
      if constexpr (kMode == numerics::RoundingMode::kStochastic) {
        random = random_lanes(stream.row_word(job.first.row + static_cast<std::uint32_t>(row), step),
                              column_words + col, plan.outer.random_mask);
      }
      const auto inner = load_lanes(state.inner + row * kTileCols + col);
      const auto outer = load_lanes(state.outer + row * kTileCols + col);
      const auto operand_is_nan = [&] { return hn::Or(is_nan(outer), hn::Or(is_nan(inner), is_nan(scale))); };
      const auto value = accumulate<kCount>(rounder, outer, hn::Mul(inner, scale), random, operand_is_nan, counts);
      store_lanes(value, state.outer + row * kTileCols + col);
    }
    if (kCount) add_counts(counts, std::min(lanes, job.cols - col), plan.wanted, job.events->outer);
  }
  std::fill(std::begin(state.inner), std::end(state.inner), 0.0F);
}

}  // namespace guardbit::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
