/// Where the adder trees' kernels change their method, they still equal arith::gemm_reference: bits and every event
/// counter, on every vector target.
#include "tests/differential/float_gemm_cases.h"

namespace guardbit::kernels {
namespace {

using numerics::kBf16;
using numerics::kFp16;
using numerics::kFp8E4M3;
using numerics::OverflowPolicy;

GemmCase tree_case(int width, const FloatFormat& inputs, const FloatSpec& inner) {
  GemmCase c;
  c.m = 9;
  c.n = 33;
  c.k = 101;
  c.a_format = c.b_format = inputs;
  c.spec.reduce = arith::Reduce::kTree;
  c.spec.width = width;
  c.spec.inner = inner;
  return c;
}

/// Expects equality on operands that are `a` and `b` everywhere but in one place, where a is `odd_one`.
void expect_equal_on(const GemmCase& c, float a, float b, float odd_one) {
  PreparedCase prepared(c);
  std::fill(prepared.a.data().begin(), prepared.a.data().end(), a);
  std::fill(prepared.b.data().begin(), prepared.b.data().end(), b);
  prepared.a(c.m / 2, c.k / 2) = odd_one;
  prepared.reference_events = {};
  arith::gemm_reference(prepared.a.view(), prepared.b_view(), c.spec, {}, prepared.stream, prepared.first,
                        prepared.reference.view(), prepared.reference_events);
  for (const std::string& target : vector_targets()) {
    limit_vector_target(target);
    for (const numerics::EventSet wanted :
         {numerics::EventSet{}, numerics::EventSet{numerics::Event::kSwamped}, numerics::EventSet::all()}) {
      expect_equal(prepared, wanted, /*threads=*/false);
    }
  }
  limit_vector_target("best");
}

/// Products of 22 bits that do not underflow: some first-level sums differ from a midpoint of fp16 by less than
/// binary32 shows.
TEST(TreeGemmTest, WideProductsAreRoundedOnce) {
  for (const int width : {2, 4, 8}) {
    GemmCase c = tree_case(width, kFp16, {.format = kFp16});
    c.m = 64;
    c.n = 96;
    c.k = 256;
    c.spread = Spread::kNarrow;
    c.seed = static_cast<unsigned>(width);
    expect_equal_everywhere(c);
  }
}

/// The last sums are the largest finite value, the tie above it, and beyond: bounds on either side of the limit.
TEST(TreeGemmTest, OverflowAtTheLimitIsNoticed) {
  for (const int width : {2, 8, 64}) {
    for (const OverflowPolicy policy : {OverflowPolicy::kInfinity, OverflowPolicy::kSaturate, OverflowPolicy::kNan}) {
      GemmCase c = tree_case(width, kFp16, {.format = kFp16, .overflow = policy});
      c.k = 64;
      expect_equal_on(c, 32, 31.98F, 32);  // 65495.04, in fp16 steps of 32
      expect_equal_on(c, 32, 32, 31);      // 65504, one row
      expect_equal_on(c, 32, 32, 31.5F);   // 65520, the tie
      expect_equal_on(c, 32, 32, -31.5F);
      expect_equal_on(c, 64, 32, 64);      // twice the limit
      expect_equal_on(c, 256, 256, -256);  // a product
    }
  }
}

/// K of several segments, so that bounds are refreshed from the accumulators, and tails of all lengths.
TEST(TreeGemmTest, LongSumsEqualTheReference) {
  unsigned seed = 9000;
  for (const FloatFormat& inputs : {kFp8E4M3, kFp16, kBf16}) {
    for (const FloatFormat& accumulator : {kFp16, kBf16, kFp8E4M3}) {
      for (const std::size_t length : {255, 256, 257, 300, 521, 1031}) {
        GemmCase c = tree_case(2 << ++seed % 6, inputs, {.format = accumulator});
        c.m = 3;
        c.n = 7;
        c.k = length;
        c.seed = seed;
        expect_equal_everywhere(c);
        if (HasFailure()) return;
      }
    }
  }
}

/// Sums of one sign stop growing: almost every step swamps the accumulator, and zero roots do not.
TEST(TreeGemmTest, SwampedIsCountedAlone) {
  for (const float odd_one : {0.0F, 1.0F, -0.0F}) {
    GemmCase c = tree_case(2, kFp16, {.format = kFp8E4M3, .overflow = OverflowPolicy::kSaturate});
    expect_equal_on(c, 0.25F, 0.25F, odd_one);
    expect_equal_on(c, 0, 0.25F, 1);
  }
}

}  // namespace
}  // namespace guardbit::kernels
