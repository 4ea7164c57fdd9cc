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
#include <type_traits>

#include "models/kernels/float_gemm_round-inl.h"

HWY_BEFORE_NAMESPACE();
namespace guardbit::kernels::HWY_NAMESPACE {

/// Carriers of one tile's accumulators, between blocks.
struct TileState {
  HWY_ALIGN float inner[kTileRows * kTileCols];
  HWY_ALIGN float outer[kTileRows * kTileCols];
};

/// Calls body with the rounding mode and whether events are counted as types' constants.
template <class Body>
void with_mode(numerics::RoundingMode mode, bool counts, const Body& body) {
  const auto with_counts = [&](auto constant) {
    counts ? body(constant, std::true_type()) : body(constant, std::false_type());
  };
  if (mode == numerics::RoundingMode::kTowardZero) {
    with_counts(std::integral_constant<numerics::RoundingMode, numerics::RoundingMode::kTowardZero>());
  } else if (mode == numerics::RoundingMode::kStochastic) {
    with_counts(std::integral_constant<numerics::RoundingMode, numerics::RoundingMode::kStochastic>());
  } else {
    with_counts(std::integral_constant<numerics::RoundingMode, numerics::RoundingMode::kTiesToEven>());
  }
}

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

/// The n bits from `shift` up of row word XOR column words, as numbers.
HWY_INLINE DoubleVector random_lanes(std::uint32_t row_word, const std::uint32_t* column_words, std::uint32_t mask,
                                     int shift) {
  const NarrowWordTag tag;
  const auto columns = hn::LoadU(tag, reinterpret_cast<const std::int32_t*>(column_words));
  const auto words = hn::Xor(columns, hn::Set(tag, static_cast<std::int32_t>(row_word)));
  const auto bits = hn::ShiftRightSame(words, shift);
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
        random =
            random_lanes(job.a->random_words[k * kTileRows + row + i], job.b->random_words.data() + k * kTileCols + col,
                         plan.inner.random_mask, plan.narrow.random_shift);
      }
      const LaneProduct product = multiply<kCount>(plan, a, b, product_counts);
      const auto operand_is_nan = [&] { return hn::Or(is_nan(acc[i]), product.is_operand_nan()); };
      acc[i] = accumulate<kCount>(rounder, acc[i], product.value, random, operand_is_nan, inner_counts);
    }
  }
  for (std::size_t i = 0; i < kRows; ++i) store_lanes(acc[i], state.inner + (row + i) * kTileCols + col);
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
                              column_words + col, plan.outer.random_mask, /*shift=*/0);
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
