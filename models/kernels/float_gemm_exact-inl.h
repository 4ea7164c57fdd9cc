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

/// Calls body with the rounding mode and whether events are counted as types' constants.
template <class Body>
void with_mode(numerics::RoundingMode mode, bool counts, const Body& body) {
  using Mode = numerics::RoundingMode;
  const auto with_counts = [&](auto constant) {
    counts ? body(constant, std::true_type()) : body(constant, std::false_type());
  };
  switch (mode) {
    case Mode::kTiesToEven: return with_counts(std::integral_constant<Mode, Mode::kTiesToEven>());
    case Mode::kTiesToAway: return with_counts(std::integral_constant<Mode, Mode::kTiesToAway>());
    case Mode::kTowardZero: return with_counts(std::integral_constant<Mode, Mode::kTowardZero>());
    case Mode::kTowardPositive: return with_counts(std::integral_constant<Mode, Mode::kTowardPositive>());
    case Mode::kTowardNegative: return with_counts(std::integral_constant<Mode, Mode::kTowardNegative>());
    case Mode::kToOdd: return with_counts(std::integral_constant<Mode, Mode::kToOdd>());
    case Mode::kStochastic: return with_counts(std::integral_constant<Mode, Mode::kStochastic>());
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

/// 2^n minus the n bits from `shift` up of row word XOR column words.
HWY_INLINE DoubleVector random_lanes(const RoundingConstants& constants, std::uint32_t row_word,
                                     const std::uint32_t* column_words, int shift) {
  const NarrowWordTag tag;
  const auto set = [&](std::uint32_t word) HWY_ATTR { return hn::Set(tag, static_cast<std::int32_t>(word)); };
  const auto columns = hn::LoadU(tag, reinterpret_cast<const std::int32_t*>(column_words));
  const auto words = hn::ShiftRightSame(hn::Xor(columns, set(row_word)), shift);
  const auto bits = hn::Xor(hn::And(words, set(constants.random_mask)), set(constants.random_flip));
  const DoubleTag d;
  return hn::Sub(hn::Set(d, constants.random_top), hn::PromoteTo(d, bits));
}

/// acc + addend, rounded once and counted, with event swamped. Where acc is not zero and the finite sum is inexact, the
/// addend is finite and not zero; and only an inexact sum can equal acc with such an addend.
template <bool kCount, numerics::RoundingMode kMode, class OperandIsNan>
HWY_INLINE DoubleVector accumulate(const LaneRounder<kMode>& rounder, DoubleVector acc, DoubleVector addend,
                                   DoubleVector random, const OperandIsNan& operand_is_nan, LaneCounts& counts) {
  DoubleMask inexact;
  const auto sum = add_to_odd<kMode>(acc, addend);
  const auto value = rounder.template round<kCount>(sum, random, operand_is_nan, counts, inexact);
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

template <numerics::RoundingMode kMode, bool kCount>
HWY_INLINE DoubleVector round_product_in_mode(const RoundingConstants& constants, DoubleVector product,
                                              DoubleVector random, DoubleMask operand_is_nan, LaneCounts& counts) {
  DoubleMask inexact;
  const auto is_operand_nan = [&] { return operand_is_nan; };
  return LaneRounder<kMode>(constants).template round<kCount>(product, random, is_operand_nan, counts, inexact);
}

/// The rounding of single products; out of line, since few configurations have it.
template <bool kCount>
HWY_NOINLINE DoubleVector round_product(const RoundingConstants& constants, DoubleVector product, DoubleVector random,
                                        DoubleMask is_nan, LaneCounts& counts) {
  using Mode = numerics::RoundingMode;
  switch (constants.rounding) {
    case Mode::kTiesToEven: break;
    case Mode::kTiesToAway:
      return round_product_in_mode<Mode::kTiesToAway, kCount>(constants, product, random, is_nan, counts);
    case Mode::kTowardZero:
      return round_product_in_mode<Mode::kTowardZero, kCount>(constants, product, random, is_nan, counts);
    case Mode::kTowardPositive:
      return round_product_in_mode<Mode::kTowardPositive, kCount>(constants, product, random, is_nan, counts);
    case Mode::kTowardNegative:
      return round_product_in_mode<Mode::kTowardNegative, kCount>(constants, product, random, is_nan, counts);
    case Mode::kToOdd: return round_product_in_mode<Mode::kToOdd, kCount>(constants, product, random, is_nan, counts);
    case Mode::kStochastic:
      return round_product_in_mode<Mode::kStochastic, kCount>(constants, product, random, is_nan, counts);
  }
  return round_product_in_mode<Mode::kTiesToEven, kCount>(constants, product, random, is_nan, counts);
}

/// Product k of a row and a vector of columns; `b` are those columns.
template <bool kCount>
HWY_INLINE LaneProduct multiply(const TileJob& job, std::size_t k, std::size_t row, std::size_t col, DoubleVector b,
                                LaneCounts& counts) {
  const GemmPlan& plan = *job.plan;
  const auto a = hn::Set(DoubleTag(), static_cast<double>(job.a->values[k * kTileRows + row]));
  LaneProduct product{hn::Mul(a, b), a, b, plan.spec.product.has_value()};
  if (product.rounded) {
    auto random = hn::Zero(DoubleTag());
    if (plan.num_product_random_steps != 0) {
      random = random_lanes(plan.product, job.a->product_random_words[k * kTileRows + row],
                            job.b->product_random_words.data() + k * kTileCols + col, /*shift=*/0);
    }
    product.value = round_product<kCount>(plan.product, product.value, random, hn::Or(is_nan(a), is_nan(b)), counts);
  }
  return product;
}

/// Sequential accumulation of `range` into kRows rows and one vector of columns of the tile.
template <numerics::RoundingMode kMode, bool kCount, std::size_t kRows>
HWY_INLINE void run_sequential_rows(const TileJob& job, KBlock range, std::size_t row, std::size_t col,
                                    float* acc_carriers, LaneCounts& inner_counts, LaneCounts& product_counts) {
  const GemmPlan& plan = *job.plan;
  const LaneRounder<kMode> rounder(plan.inner);
  DoubleVector acc[kRows];
  for (std::size_t i = 0; i < kRows; ++i) acc[i] = load_lanes(acc_carriers + (row + i) * kTileCols + col);
  auto random = hn::Zero(DoubleTag());
  for (std::size_t k = range.begin; k < range.end; ++k) {
    const auto b = load_lanes(job.b->values.data() + k * kTileCols + col);
    for (std::size_t i = 0; i < kRows; ++i) {
      if constexpr (kMode == numerics::RoundingMode::kStochastic) {
        random = random_lanes(plan.inner, job.a->random_words[k * kTileRows + row + i],
                              job.b->random_words.data() + k * kTileCols + col, plan.narrow.random_shift);
      }
      const LaneProduct product = multiply<kCount>(job, k, row + i, col, b, product_counts);
      const auto operand_is_nan = [&] { return hn::Or(is_nan(acc[i]), product.is_operand_nan()); };
      acc[i] = accumulate<kCount>(rounder, acc[i], product.value, random, operand_is_nan, inner_counts);
    }
  }
  for (std::size_t i = 0; i < kRows; ++i) store_lanes(acc[i], acc_carriers + (row + i) * kTileCols + col);
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
HWY_NOINLINE void run_exact_sequential(const TileJob& job, KBlock range, float* acc) {
  for_each_vector<kCount>(job, [&](std::size_t col, LaneCounts& inner, LaneCounts& products) HWY_ATTR {
    constexpr std::size_t kGroup = 4;
    std::size_t row = 0;
    for (; row + kGroup <= job.rows; row += kGroup) {
      run_sequential_rows<kMode, kCount, kGroup>(job, range, row, col, acc, inner, products);
    }
    for (; row < job.rows; ++row) run_sequential_rows<kMode, kCount, 1>(job, range, row, col, acc, inner, products);
  });
}

/// A rounded addition to every accumulator of a tile.
struct TileSum {
  const RoundingConstants& rounding;
  arith::RandomStage stage;
  std::uint32_t random_step;
  float scale;  ///< of the addends
  numerics::EventCounts& events;
};

/// acc = round(acc + scale * addend); both (kTileRows, kTileCols) carriers.
template <numerics::RoundingMode kMode, bool kCount>
HWY_NOINLINE void add_tile(const TileJob& job, const TileSum& sum, const float* addend, float* acc) {
  const LaneRounder<kMode> rounder(sum.rounding);
  const auto scale = hn::Set(DoubleTag(), static_cast<double>(sum.scale));
  const std::size_t lanes = hn::Lanes(DoubleTag());
  const numerics::RandomStream stream = arith::stage_stream(job.plan->stream, sum.stage);
  auto random = hn::Zero(DoubleTag());
  HWY_ALIGN std::uint32_t column_words[kTileCols] = {};
  for (std::size_t col = 0; col < kTileCols && kMode == numerics::RoundingMode::kStochastic; ++col) {
    column_words[col] = stream.column_word(job.first.column + static_cast<std::uint32_t>(col), sum.random_step);
  }
  for (std::size_t col = 0; col < job.cols; col += lanes) {
    LaneCounts counts;
    for (std::size_t row = 0; row < job.rows; ++row) {
      if constexpr (kMode == numerics::RoundingMode::kStochastic) {
        random = random_lanes(sum.rounding,
                              stream.row_word(job.first.row + static_cast<std::uint32_t>(row), sum.random_step),
                              column_words + col, /*shift=*/0);
      }
      const auto x = load_lanes(addend + row * kTileCols + col);
      const auto old = load_lanes(acc + row * kTileCols + col);
      const auto operand_is_nan = [&] { return hn::Or(is_nan(old), hn::Or(is_nan(x), is_nan(scale))); };
      const auto value = accumulate<kCount>(rounder, old, hn::Mul(x, scale), random, operand_is_nan, counts);
      store_lanes(value, acc + row * kTileCols + col);
    }
    if (kCount) add_counts(counts, std::min(lanes, job.cols - col), job.plan->wanted, sum.events);
  }
}

}  // namespace guardbit::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
