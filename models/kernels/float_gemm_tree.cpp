#include "models/kernels/float_gemm_tree.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "models/kernels/float_gemm_proof.h"
#include "models/kernels/float_gemm_ranges.h"

namespace guardbit::kernels {
namespace {

constexpr std::size_t kSegmentBlocks = 8;  // of whole groups, since a group has at most two blocks

double max_magnitude(const float* acc) {
  std::uint32_t largest = 0;
  for (std::size_t i = 0; i < kTileRows * kTileCols; ++i) {
    largest = std::max(largest, std::bit_cast<std::uint32_t>(acc[i]) & 0x7FFFFFFF);
  }
  return static_cast<double>(std::bit_cast<float>(largest));
}

/// First-level sums are rounded once although binary32 rounds them first: either they are binary32 numbers, or products
/// have w <= p <= 11 bits. Then binary32 loses something only of a smaller product that ends 24 bits below the larger
/// one's top, and so starts more than p + 1 bits below it: beside a larger product of w <= p bits, which is no midpoint
/// of p-bit numbers, it decides nothing. Subnormal sums are exact, as no sum underflows.
bool leaves_are_exact(const GemmPlan& plan, const BlockProducts& products) {
  const int product_bits = plan.operands.a.precision_bits() + plan.operands.b.precision_bits();
  return product_bits <= plan.spec.inner.format.precision_bits() ||
         2 * products.max_magnitude <= std::ldexp(1.0, products.quantum_exponent + numerics::kFp32.precision_bits());
}

/// The method for blocks [first, end), before which the accumulators are at most `max_acc`. A sum of a group passes
/// through at most as many roundings as bound_after() assumes: log2 W + 32 / W accumulations in a block of 32 products.
TreeMethod method_of(const TileJob& job, std::size_t first, std::size_t end, double max_acc) {
  const GemmPlan& plan = *job.plan;
  TreeMethod method{.leaves_are_exact = true, .plain = true, .bounded = true, .counting = wanted_counting(plan.wanted)};
  double bound = max_acc;
  for (std::size_t block = first; block < end; ++block) {
    const BlockProducts products(job, block);
    method.plain = method.plain && cannot_underflow(plan, products);
    method.leaves_are_exact = method.leaves_are_exact && leaves_are_exact(plan, products);
    bound = bound_after(plan.inner, bound, products, plan.blocks[block].end - plan.blocks[block].begin);
  }
  method.leaves_are_exact = method.leaves_are_exact && method.plain;
  method.bounded = bound <= std::min(plan.inner.max_finite, static_cast<double>(plan.narrow.sum_limit));
  return method;
}

bool run_half_chunk(const TileJob& job, const KChunk& chunk, float* acc) {
  bool exact_products = true;
  for (std::size_t block = chunk.first_block; block < chunk.end_block; ++block) {
    exact_products = exact_products && products_fit_half(*job.plan, BlockProducts(job, block));
  }
  const StepRange range = step_range(job, chunk.range, acc);
  return run_half_tree(range, static_cast<std::size_t>(job.plan->spec.width), exact_products);
}

}  // namespace

bool run_tree_chunk(const TileJob& job, const KChunk& chunk, float* acc) {
  const GemmPlan& plan = *job.plan;
  if (plan.fast != FastKernel::kNarrowTree && plan.fast != FastKernel::kHalfTree) return false;
  for (std::size_t block = chunk.first_block; block < chunk.end_block; ++block) {
    if (!BlockProducts(job, block).all_finite) return false;
  }
  if (plan.fast == FastKernel::kHalfTree && wanted_counting(plan.wanted) == StepCounting::kNone &&
      run_half_chunk(job, chunk, acc)) {
    return true;
  }
  alignas(64) float sums[kTileRows * kTileCols] = {};
  StepCounts counts;
  for (std::size_t first = chunk.first_block; first < chunk.end_block; first += kSegmentBlocks) {
    const std::size_t end = std::min(first + kSegmentBlocks, chunk.end_block);
    const StepRange range = step_range(job, {plan.blocks[first].begin, plan.blocks[end - 1].end}, sums);
    const TreeMethod method = method_of(job, first, end, max_magnitude(sums));
    if (!run_narrow_tree(range, static_cast<std::size_t>(plan.spec.width), plan.narrow, method, counts)) return false;
  }
  std::copy(std::begin(sums), std::end(sums), acc);
  add_events(job, counts, job.events->inner);
  return true;
}

}  // namespace guardbit::kernels
