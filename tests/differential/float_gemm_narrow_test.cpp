/// The sequential kernels of p <= 11 bits where their proofs are tight: every significand near a boundary of rounding,
/// accumulators that climb to the overflow limit, zero operands and flushed products beside swamped ones, promotion
/// into fp32. Bits and events equal arith::gemm_reference on every vector target.
#include <limits>

#include "tests/differential/float_gemm_random.h"
#include "tests/support/trials.h"

namespace guardbit::kernels {
namespace {

using numerics::Event;
using numerics::EventSet;
using numerics::kBf16;
using numerics::kFp16;
using numerics::kFp32;
using numerics::kFp8E4M3;
using numerics::kFp8E5M2;
using numerics::OverflowPolicy;

constexpr FloatFormat ieee(int exponent_bits, int trailing_bits) {
  return {exponent_bits, trailing_bits, (1 << (exponent_bits - 1)) - 1, numerics::SpecialCodes::kIeee};
}
constexpr FloatFormat kAccumulators[] = {kFp16,      kBf16,       kFp8E4M3,   kFp8E5M2,
                                         ieee(4, 6), ieee(8, 10), ieee(5, 1), ieee(3, 2)};

/// Operands given value by value.
struct Operands {
  Matrix<float> a, b;
  OperandFormats formats;
  std::vector<float> scales = {};
};

void expect_reference(const Operands& operands, const AccumulationSpec& spec) {
  const numerics::RandomStream stream{.seed = 3, .unit = 1};
  Matrix<float> want(operands.a.rows(), operands.b.cols());
  AccumulationEvents want_events;
  arith::gemm_reference(operands.a.view(), operands.b.view(), spec, operands.scales, stream, {}, want.view(),
                        want_events);
  for (const std::string& target : vector_targets()) {
    limit_vector_target(target);
    for (const EventSet wanted : {EventSet{}, EventSet{Event::kOverflow, Event::kSaturated, Event::kInvalid},
                                  EventSet{Event::kSwamped}, EventSet::all()}) {
      Matrix<float> result(want.rows(), want.cols());
      AccumulationEvents events;
      gemm(operands.a.view(), operands.b.view(), operands.formats, spec, operands.scales,
           {.wanted = wanted, .stream = stream, .first = {}, .parallel_for = {}}, result.view(), events);
      const std::string where = describe(spec) + " on " + target;
      for (std::size_t row = 0; row < want.rows(); ++row) {
        for (std::size_t col = 0; col < want.cols(); ++col) {
          ASSERT_EQ(std::bit_cast<std::uint32_t>(result(row, col)), std::bit_cast<std::uint32_t>(want(row, col)))
              << where << ": output (" << row << ", " << col << ") is " << hex(result(row, col)) << ", must be "
              << hex(want(row, col));
        }
      }
      ASSERT_EQ(events, only(want_events, wanted))
          << where << ": events are " << describe(events) << ", must be " << describe(only(want_events, wanted));
    }
  }
  limit_vector_target("best");
}

/// 24-bit significands around every p-bit number and every midpoint of one binade, both signs.
std::vector<float> values_near_boundaries(const FloatFormat& format, int exponent) {
  const int drop_bits = 24 - format.precision_bits();
  const std::int64_t step = std::int64_t{1} << (drop_bits - 1);
  std::vector<float> values;
  for (std::int64_t base = std::int64_t{1} << 23; base <= std::int64_t{1} << 24; base += step) {
    for (const std::int64_t offset : {-2, -1, 0, 1, 2}) {
      const float value = std::ldexp(static_cast<float>(base + offset), exponent - 23);
      values.push_back(values.size() % 2 == 0 ? value : -value);
    }
  }
  return values;
}

/// One product with 1, so that the sum is any binary32 value: normal binades, where operands prove that nothing
/// underflows and where they do not, the smallest one, subnormal ones and those that round to zero.
TEST(FloatGemmNarrowTest, SumsNearBoundariesAreRoundedRight) {
  unsigned turn = 0;
  for (const FloatFormat& format : kAccumulators) {
    for (const RoundingMode mode : kModes) {
      AccumulationSpec spec;
      spec.inner = {.format = format, .rounding = mode, .overflow = OverflowPolicy::kSaturate, .random_bits = 8};
      for (const int exponent :
           {format.quantum_exponent() - 2, format.quantum_exponent(), format.emin() - 1, format.emin(),
            format.emin() + 1, 2, format.max_exponent() - 1, format.max_exponent()}) {
        if (!tests::is_trial(++turn)) continue;
        const std::vector<float> values = values_near_boundaries(format, exponent);
        expect_reference({.a = Matrix<float>(1, 1, {1.0F}),
                          .b = Matrix<float>(1, values.size(), values),
                          .formats = {kFp8E4M3, kFp32}},
                         spec);
        if (HasFatalFailure()) return;
      }
    }
  }
}

/// Constant addends that change sign at another step in every column: sums pass the overflow limit at every place of a
/// stride, or turn just before it.
TEST(FloatGemmNarrowTest, SumsThatClimbToTheLimit) {
  constexpr std::size_t kLength = 100;
  unsigned turn = 0;
  for (const FloatFormat& format : kAccumulators) {
    for (const RoundingMode mode : kModes) {
      for (const int part : {3, 9, 20, 45, 90}) {  // of the largest finite value, a step
        if (!tests::is_trial(++turn)) continue;
        Operands operands{.a = Matrix<float>(9, kLength), .b = Matrix<float>(kLength, 33), .formats = {kBf16, kBf16}};
        EventSet ignored;
        const FloatSpec into{.format = format.precision_bits() < 8 ? format : kBf16};
        const float addend =
            numerics::round_carrier(static_cast<double>(numerics::max_finite(format)) / part, into, ignored);
        for (std::size_t k = 0; k < kLength; ++k) {
          for (std::size_t row = 0; row < 9; ++row) operands.a(row, k) = row % 2 == 0 ? 1.0F : 0.5F;
          for (std::size_t col = 0; col < 33; ++col) operands.b(k, col) = k < 3 * col ? addend : -addend;
        }
        AccumulationSpec spec;
        spec.inner = {.format = format, .rounding = mode, .overflow = kPolicies[turn % 3], .random_bits = 8};
        expect_reference(operands, spec);
        if (HasFatalFailure()) return;
      }
    }
  }
}

/// Zero operands, products that round to zero from a zero accumulator, products too small for binary32 beside the
/// accumulator, and steps that change it; in one accumulator or in several in turn.
TEST(FloatGemmNarrowTest, SwampedStepsAreNeitherZeroProductsNorFlushedOnes) {
  constexpr std::size_t kLength = 70;
  unsigned seed = 0;
  for (const FloatFormat& format : kAccumulators) {
    for (const RoundingMode mode : kModes) {
      for (const int zeros_in : {3, 40, 100000}) {
        if (!tests::is_trial(++seed)) continue;
        std::mt19937 generator(seed);
        Operands operands{
            .a = Matrix<float>(11, kLength), .b = Matrix<float>(kLength, 40), .formats = {kFp8E5M2, kFp8E5M2}};
        for (Matrix<float>* matrix : {&operands.a, &operands.b}) {
          for (float& value : matrix->data()) {
            const bool is_tiny = generator() % 4 == 0;
            const float magnitude = std::ldexp(is_tiny ? 0x1p-16F : 1.0F, static_cast<int>(generator() % 3));
            const bool is_zero = generator() % static_cast<unsigned>(zeros_in) == 0;
            value = (is_zero ? 0.0F : magnitude) * (generator() % 2 == 0 ? 1.0F : -1.0F);
          }
        }
        for (std::size_t k = 0; k < kLength; ++k) operands.a(4, k) = -0.0F;
        AccumulationSpec spec;
        spec.inner = {.format = format, .rounding = mode, .overflow = OverflowPolicy::kSaturate, .random_bits = 8};
        spec.interleave = 1 + static_cast<int>(seed % 3);
        expect_reference(operands, spec);
        if (HasFatalFailure()) return;
      }
    }
  }
}

/// Scales that overflow, underflow or are special; of one accumulator, and of several that were merged.
TEST(FloatGemmNarrowTest, PromotionIntoFp32) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const std::vector<float> kinds[] = {{1, 0.5F, 3, -1, 0x1.8p-3F, 1, 1},
                                      {0x1p-149F, 0x1p-140F, 0x1.8p-130F, -0x1p-136F, 0x1p-126F, 0x1p-128F, 1},
                                      {0x1p+120F, 0x1p+100F, 0x1p+126F, 0x1p+127F, -0x1p+127F, 1, 0x1p+120F},
                                      {1, 0, -0.0F, 1, kInfinity, 1, 1},
                                      {1, std::numeric_limits<float>::quiet_NaN(), 1, 1, 1, 1, 1}};
  for (const std::vector<float>& scales : kinds) {
    for (const OverflowPolicy policy : {OverflowPolicy::kInfinity, OverflowPolicy::kNan, OverflowPolicy::kSaturate}) {
      for (const auto tininess : {numerics::Tininess::kAfterRounding, numerics::Tininess::kBeforeRounding}) {
        std::mt19937 generator(21);
        Operands operands{.a = random_matrix(9, 40, kFp8E4M3, Spread::kNormal, generator),
                          .b = random_matrix(40, 33, kFp8E4M3, Spread::kNormal, generator),
                          .formats = {kFp8E4M3, kFp8E4M3},
                          .scales = scales};
        AccumulationSpec spec;
        spec.inner.format = kFp16;
        spec.promote_every = 6;
        spec.outer = {.format = kFp32, .overflow = policy, .tininess = tininess};
        for (spec.interleave = 1; spec.interleave <= 4; spec.interleave += 3) {
          expect_reference(operands, spec);
          if (HasFatalFailure()) return;
        }
      }
    }
  }
}

/// Every step adds -0 to an accumulator that became -0 by underflow, in blocks that cannot underflow too.
TEST(FloatGemmNarrowTest, NegativeZeroStays) {
  constexpr std::size_t kLength = 80;
  Operands operands{.a = Matrix<float>(1, kLength), .b = Matrix<float>(kLength, 40), .formats = {kFp16, kFp16}};
  for (float& value : operands.a.data()) value = -1;
  operands.a(0, 0) = -0x1p-14F;
  for (std::size_t col = 0; col < 40; ++col) operands.b(0, col) = 0x1p-14F;
  AccumulationSpec spec;
  spec.inner.format = kFp16;
  expect_reference(operands, spec);
  Matrix<float> result(1, 40);
  AccumulationEvents events;
  gemm(operands.a.view(), operands.b.view(), operands.formats, spec, {}, {}, result.view(), events);
  for (const float value : result.data()) EXPECT_TRUE(value == 0 && std::signbit(value));
}

/// An infinity of an early block stays one, whatever overflow delivers, and a NaN a NaN.
TEST(FloatGemmNarrowTest, InfinitiesStay) {
  constexpr std::size_t kLength = 80;
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  for (const FloatFormat& format : {kFp16, kBf16, kFp8E5M2, ieee(4, 6)}) {
    for (const RoundingMode mode : kModes) {
      std::mt19937 generator(23);
      Operands operands{.a = random_matrix(9, kLength, kFp16, Spread::kNormal, generator),
                        .b = random_matrix(kLength, 40, kFp16, Spread::kNormal, generator),
                        .formats = {kFp16, kFp16}};
      operands.a(1, 2) = kInfinity;
      operands.a(2, 2) = -kInfinity;
      operands.b(3, 5) = std::numeric_limits<float>::quiet_NaN();
      AccumulationSpec spec;
      spec.inner = {.format = format, .rounding = mode, .overflow = OverflowPolicy::kInfinity, .random_bits = 8};
      expect_reference(operands, spec);
      if (HasFatalFailure()) return;
    }
  }
}

/// 2^-126 (1 - 2^-33) rounds to the smallest normal number: tiny before rounding only.
TEST(FloatGemmNarrowTest, PromotionToTheSmallestNormalNumber) {
  for (const auto tininess : {numerics::Tininess::kAfterRounding, numerics::Tininess::kBeforeRounding}) {
    AccumulationSpec spec;
    spec.inner.format = kFp16;
    spec.promote_every = 1;
    spec.outer = {.format = kFp32, .tininess = tininess};
    expect_reference({.a = Matrix<float>(1, 1, {0x1.ffcp-1F}),
                      .b = Matrix<float>(1, 1, {0.125F}),
                      .formats = {kFp16, kFp16},
                      .scales = {0x1.002004p-123F}},
                     spec);
  }
}

/// A GEMM inside another one's scheduler, on the same thread, does not touch the other's packed operands.
TEST(FloatGemmNarrowTest, GemmsNest) {
  std::mt19937 generator(22);
  const Matrix<float> a = random_matrix(40, 50, kFp16, Spread::kNormal, generator);
  const Matrix<float> b = random_matrix(50, 70, kFp16, Spread::kNormal, generator);
  AccumulationSpec spec;
  spec.inner.format = kFp16;
  const auto run = [&](const numerics::ParallelFor& parallel_for) {
    Matrix<float> result(40, 70);
    AccumulationEvents events;
    gemm(a.view(), b.view(), {kFp16, kFp16}, spec, {},
         {.wanted = {}, .stream = {}, .first = {}, .parallel_for = parallel_for}, result.view(), events);
    return result;
  };
  const Matrix<float> alone = run({});
  const Matrix<float> nested = run([&](std::size_t count, const std::function<void(std::size_t)>& body) {
    for (std::size_t i = 0; i < count; ++i) {
      Matrix<float> inner(9, 9);
      gemm_fp32(b.view().rows_range(0, 9), b.view().rows_range(9, 18).transposed(), {}, inner.view());
      body(i);
    }
  });
  EXPECT_EQ(alone.data(), nested.data());
}

}  // namespace
}  // namespace guardbit::kernels
