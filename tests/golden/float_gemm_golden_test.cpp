// The float GEMM kernels, on every vector target, against every accumulator line of vectors/gemm_8x8x64.
#include <gtest/gtest.h>

#include "models/kernels/gemm.h"
#include "models/kernels/vector_target.h"
#include "models/numerics/codec.h"
#include "tests/support/golden_vectors.h"
#include "tests/support/shared_data.h"

namespace guardbit::tests {
namespace {

using numerics::Matrix;

void check_line(const GemmVectors& block, const GemmVectorLine& line, const std::string& target) {
  const arith::AccumulationSpec spec = accumulator_of(line.accumulator);
  EXPECT_TRUE(kernels::is_vectorized({block.operands, block.operands}, spec)) << line.accumulator;
  Matrix<float> c(block.a.rows(), block.b.cols());
  arith::AccumulationEvents events;
  kernels::gemm(block.a.view(), block.b.view(), {block.operands, block.operands}, spec, {}, {}, c.view(), events);
  const numerics::FloatFormat format = result_format(spec);
  for (std::size_t m = 0; m < c.rows(); ++m) {
    for (std::size_t n = 0; n < c.cols(); ++n) {
      const std::uint32_t code = numerics::from_carrier(c(m, n), format);
      EXPECT_TRUE(same_code(code, line.c(m, n), format))
          << target << " " << block.title << line.accumulator << " c(" << m << ", " << n << ") = " << std::hex << code
          << " (" << std::hexfloat << c(m, n) << "), expected " << line.c(m, n);
    }
  }
  if (!line.flags) return;
  const VectorFlagTotals totals = flag_totals(events);
  EXPECT_EQ(totals.overflow, line.flags->overflow) << target << " " << block.title << line.accumulator;
  EXPECT_EQ(totals.underflow, line.flags->underflow) << target << " " << block.title << line.accumulator;
  EXPECT_EQ(totals.inexact, line.flags->inexact) << target << " " << block.title << line.accumulator;
}

TEST(FloatGemmGoldenTest, EveryBlockMatchesBitForBitOnEveryTarget) {
  GUARDBIT_REQUIRE_SHARED("vectors");
  const std::vector<GemmVectors> blocks = read_gemm_vectors();
  ASSERT_FALSE(blocks.empty());
  for (const std::string& target : kernels::vector_targets()) {
    kernels::limit_vector_target(target);
    for (const GemmVectors& block : blocks) {
      for (const GemmVectorLine& line : block.lines) check_line(block, line, target);
    }
  }
  kernels::limit_vector_target("best");
}

}  // namespace
}  // namespace guardbit::tests
