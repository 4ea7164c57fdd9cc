/// Aligned (tensor-core-like) accumulation in vectors equals arith::gemm_reference: bits and the events inexact and
/// swamped, on every vector target.
#include "tests/differential/float_gemm_random.h"
#include "tests/support/trials.h"

namespace guardbit::kernels {
namespace {

using numerics::Event;
using numerics::kBf16;
using numerics::kFp16;
using numerics::kFp32;
using numerics::kFp8E4M3;
using numerics::kFp8E5M2;

constexpr FloatFormat kTruncated14 = {8, 13, 127, numerics::SpecialCodes::kIeee};

GemmCase aligned_case(const FloatFormat& inputs, int width, int fraction_bits, unsigned seed) {
  GemmCase c;
  c.m = 5;
  c.n = 33;
  c.k = 101;
  c.seed = seed;
  c.a_format = c.b_format = inputs;
  c.spec.reduce = arith::Reduce::kAligned;
  c.spec.width = width;
  c.spec.alignment = {.fraction_bits = fraction_bits, .emin_a = inputs.emin(), .emin_b = inputs.emin()};
  c.spec.inner = {.format = kFp32, .rounding = RoundingMode::kTowardZero};
  return c;
}

/// Few fraction bits and short accumulators, so that steps often cut bits off and swamp; both ways to cut.
TEST(AlignedGemmTest, StepEventsEqualTheReference) {
  unsigned seed = 6000;
  for (const FloatFormat& inputs : {kFp8E4M3, kFp16, kFp8E5M2, kBf16}) {
    for (const auto& [width, fraction_bits] : {std::pair{1, 2}, {4, 5}, {8, 13}, {7, 24}, {32, 10}}) {
      for (const Spread spread : kSpreads) {
        if (!tests::is_trial(++seed)) continue;
        GemmCase c = aligned_case(inputs, width, fraction_bits, seed);
        c.spread = spread;
        if (seed % 2 == 0) c.spec.alignment.rounding = RoundingMode::kTowardNegative;
        c.spec.alignment.align_accumulator = seed % 7 < 4;
        if (seed % 3 == 0) c.spec.inner.format = kTruncated14;
        if (seed % 3 == 1) c.spec.inner.rounding = RoundingMode::kTiesToEven;
        if (seed % 5 == 0) {
          c.spec.promote_every = 45;
          c.spec.outer.format = kFp32;
        }
        EXPECT_TRUE(is_vectorized({inputs, inputs}, c.spec)) << describe(c);
        expect_equal_everywhere(c);
        if (HasFailure()) return;
      }
    }
  }
}

/// Operands given: events as the reference has them, on one output.
void expect_events(const std::vector<float>& a, const std::vector<float>& b, const AccumulationSpec& spec, float want,
                   std::uint64_t inexact, std::uint64_t swamped) {
  const Matrix<float> left(1, a.size(), a);
  const Matrix<float> right(b.size(), 1, b);
  for (const std::string& target : vector_targets()) {
    limit_vector_target(target);
    Matrix<float> result(1, 1);
    AccumulationEvents events;
    gemm(left.view(), right.view(), {kFp16, kFp16}, spec, {}, {}, result.view(), events);
    EXPECT_EQ(result(0, 0), want) << target;
    EXPECT_EQ(events.inner[Event::kInexact], inexact) << target;
    EXPECT_EQ(events.inner[Event::kSwamped], swamped) << target;
  }
  limit_vector_target("best");
}

/// By hand, two terms a step, F = 4.
TEST(AlignedGemmTest, StepEventsByHand) {
  AccumulationSpec spec = aligned_case(kFp16, 2, 4, 0).spec;
  // Cut off beside 1: 2^-5 - 2^-5 is no swamping, as the products cancel; 2^-5 + 2^-6 is.
  expect_events({1, 0, 0x1p-5F, 0x1p-5F}, {1, 0, 1, -1}, spec, 1, 1, 0);
  expect_events({1, 0, 0x1p-5F, 0x1p-6F}, {1, 0, 1, 1}, spec, 1, 1, 1);
  // Products that cancel, and products of which the sum is 2^-12: all cut off beside 1024.
  expect_events({1024, 0, 16, 16, 0, 0}, {1, 0, 1, -1, 0, 0}, spec, 1024, 1, 0);
  expect_events({1024, 0, 16, 0x1.004p-2F}, {1, 0, -0x1p-6F, 1}, spec, 1024, 1, 1);
  spec.alignment.rounding = RoundingMode::kTowardNegative;
  expect_events({1, 0, -0x1p-5F, 0}, {1, 0, 1, 0}, spec, 0.9375F, 1, 0);  // floor takes a whole quantum
}

/// Operands at the ends of the kernel's range and beyond, where the reference runs.
TEST(AlignedGemmTest, OperandsAtTheEndsOfTheRange) {
  for (const float extreme : {0x1p-44F, 0x1p-45F, 0x1.fep+30F, 0x1p+31F}) {
    GemmCase c = aligned_case(kBf16, 8, 24, 6500);
    c.spread = Spread::kNarrow;
    PreparedCase prepared(c);
    prepared.a(3, 50) = prepared.b(50, 2) = extreme;
    prepared.reference_events = {};
    arith::gemm_reference(prepared.a.view(), prepared.b_view(), c.spec, {}, prepared.stream, prepared.first,
                          prepared.reference.view(), prepared.reference_events);
    for (const std::string& target : vector_targets()) {
      limit_vector_target(target);
      expect_equal(prepared, numerics::EventSet::all(), /*threads=*/false);
      expect_equal(prepared, {}, /*threads=*/true);
    }
    limit_vector_target("best");
  }
}

/// What has no vector kernel.
TEST(AlignedGemmTest, OthersRunTheReference) {
  GemmCase c = aligned_case(kFp16, 4, 23, 6600);
  c.spec.alignment.rounding = RoundingMode::kTiesToEven;
  EXPECT_FALSE(is_vectorized({kFp16, kFp16}, c.spec));
  expect_equal_everywhere(c);
  c.spec.alignment.rounding = RoundingMode::kTowardZero;
  c.spec.inner = {.format = kFp16};
  EXPECT_FALSE(is_vectorized({kFp16, kFp16}, c.spec));
  expect_equal_everywhere(c);
}

}  // namespace
}  // namespace guardbit::kernels
