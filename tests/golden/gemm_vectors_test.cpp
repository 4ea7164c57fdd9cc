// gemm_reference against every accumulator line of vectors/gemm_8x8x64: SoftFloat-3e and gfloat, chained.
#include <gtest/gtest.h>

#include <cstdio>
#include <map>

#include "models/arith/accumulator.h"
#include "models/numerics/codec.h"
#include "tests/support/golden_vectors.h"
#include "tests/support/shared_data.h"

namespace guardbit::tests {
namespace {

using numerics::Matrix;

constexpr std::size_t kNumLinesPerBlock = 10;

class GemmVectorsTest : public testing::TestWithParam<std::string> {};

void check_line(const GemmVectors& block, const GemmVectorLine& line) {
  const arith::AccumulationSpec spec = accumulator_of(line.accumulator);
  Matrix<float> c(block.a.rows(), block.b.cols());
  arith::AccumulationEvents events;
  arith::gemm_reference(block.a.view(), block.b.view(), spec, {}, {}, {}, c.view(), events);
  const numerics::FloatFormat format = result_format(spec);
  for (std::size_t m = 0; m < c.rows(); ++m) {
    for (std::size_t n = 0; n < c.cols(); ++n) {
      const std::uint32_t code = numerics::from_carrier(c(m, n), format);
      EXPECT_TRUE(same_code(code, line.c(m, n), format))
          << block.title << line.accumulator << " c(" << m << ", " << n << ") = " << std::hex << code << " ("
          << std::hexfloat << c(m, n) << "), expected " << line.c(m, n);
    }
  }
  if (!line.flags) return;
  const VectorFlagTotals totals = flag_totals(events);
  EXPECT_EQ(totals.overflow, line.flags->overflow) << block.title << line.accumulator;
  EXPECT_EQ(totals.underflow, line.flags->underflow) << block.title << line.accumulator;
  EXPECT_EQ(totals.inexact, line.flags->inexact) << block.title << line.accumulator;
}

TEST_P(GemmVectorsTest, EveryBlockMatchesBitForBit) {
  GUARDBIT_REQUIRE_SHARED("vectors");
  std::size_t num_lines = 0;
  for (const GemmVectors& block : read_gemm_vectors()) {
    EXPECT_EQ(block.lines.size(), kNumLinesPerBlock) << block.title;
    for (const GemmVectorLine& line : block.lines) {
      if (line.accumulator != GetParam()) continue;
      check_line(block, line);
      ++num_lines;
    }
  }
  EXPECT_EQ(num_lines, 24U) << "blocks in gemm_8x8x64";
}

INSTANTIATE_TEST_SUITE_P(Accumulators, GemmVectorsTest,
                         testing::Values("fp16_fma_seq", "bf16_fma_seq", "fp16_mul_then_add_seq", "fp16_tree",
                                         "fp16_chunk16_fp32", "fp32_fma_seq", "e4m3_fma_seq_nonsat", "e4m3_fma_seq_sat",
                                         "e5m2_fma_seq_nonsat", "e5m2_fma_seq_sat"),
                         [](const auto& test) { return test.param; });

}  // namespace
}  // namespace guardbit::tests
