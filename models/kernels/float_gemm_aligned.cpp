#include "models/kernels/float_gemm_aligned.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "models/kernels/float_gemm_proof.h"

namespace guardbit::kernels {
namespace {

using numerics::Event;
using numerics::FloatSpec;
using numerics::RoundingMode;

/// Bounds of the products of some of a tile's blocks.
struct TileProducts {
  bool in_range = true;  ///< of the kernel, every operand
  double max_magnitude = 0;
  int quantum_exponent = 0;  ///< all are multiples of 2^this, if any is not zero
};

bool in_range(const BlockSummary& summary) {
  const bool all_zero = summary.min_code > summary.max_code;
  return all_zero || (summary.min_code >= std::bit_cast<std::uint32_t>(kAlignedMin) &&
                      summary.max_code <= std::bit_cast<std::uint32_t>(kAlignedMax));
}

TileProducts products_of(const TileJob& job, std::size_t first_block, std::size_t end_block) {
  TileProducts tile;
  bool any = false;
  for (std::size_t block = first_block; block < end_block; ++block) {
    tile.in_range = tile.in_range && in_range(job.a->summaries[block]) && in_range(job.b->summaries[block]);
    const BlockProducts products(job, block);
    if (!(products.max_magnitude > 0)) continue;
    tile.max_magnitude = std::max(tile.max_magnitude, products.max_magnitude);
    tile.quantum_exponent =
        any ? std::min(tile.quantum_exponent, products.quantum_exponent) : products.quantum_exponent;
    any = true;
  }
  return tile;
}

/// Multiples of 2^h and rests: with h = quantum + 48, a step's rests, each at most 2^(h-1), add up to less than 2^53
/// quanta; its multiples do to less than 2^53 * 2^h if products are small enough.
constexpr int kSplitBits = 48;

bool can_split(const TileProducts& products, int width) {
  constexpr int kMultipleBits = 51;
  return static_cast<double>(width) * products.max_magnitude <=
         std::ldexp(1.0, products.quantum_exponent + kSplitBits + kMultipleBits);
}

bool counts_steps(const GemmPlan& plan) { return plan.wanted.has(Event::kInexact) || plan.wanted.has(Event::kSwamped); }

}  // namespace

AlignedRounding aligned_rounding(const arith::AccumulationSpec& spec) {
  AlignedRounding rounding;
  rounding.fraction_bits = spec.alignment.fraction_bits;
  rounding.quantum = std::ldexp(1.0F, -spec.alignment.fraction_bits);
  rounding.least_power_a = std::ldexp(1.0F, spec.alignment.emin_a);
  rounding.least_power_b = std::ldexp(1.0F, spec.alignment.emin_b);
  rounding.floors_terms = spec.alignment.rounding == RoundingMode::kTowardNegative;
  rounding.separate = !spec.alignment.align_accumulator;
  rounding.nearest = spec.inner.rounding == RoundingMode::kTiesToEven;
  rounding.keep_mask = ~((1u << (numerics::kFp32.precision_bits() - spec.inner.format.precision_bits())) - 1);
  return rounding;
}

bool has_aligned_kernel(const OperandFormats& operands, const arith::AccumulationSpec& spec) {
  constexpr int kMaxTerms = 32;
  constexpr int kMaxFractionBits = 30;
  const auto has_emin = [](int emin) { return emin >= numerics::kFp32.emin() && emin <= 0; };
  const FloatSpec& inner = spec.inner;
  const bool is_single = inner.format == numerics::kFp32 && inner.rounding == RoundingMode::kTiesToEven;
  const bool truncates = inner.format.exponent_bits == numerics::kFp32.exponent_bits &&
                         inner.format.bias == numerics::kFp32.bias && inner.format.has_infinity() &&
                         inner.rounding == RoundingMode::kTowardZero;
  // A product is below 2^(F+2) quanta, the accumulator below 2^(F+1): their sum has to fit 31 bits and a sign, which
  // leaves room for the quantum by which rounding down makes a term larger.
  const int fraction_bits = spec.alignment.fraction_bits;
  const bool sum_fits = spec.width <= kMaxTerms && fraction_bits <= kMaxFractionBits &&
                        (std::int64_t{2 * spec.width + 1} << (fraction_bits + 1)) <= std::int64_t{1} << 31;
  const bool truncates_terms =
      spec.alignment.rounding == RoundingMode::kTowardZero || spec.alignment.rounding == RoundingMode::kTowardNegative;
  return spec.reduce == arith::Reduce::kAligned && !spec.product && truncates_terms && sum_fits &&
         (is_single || truncates) && !inner.flush_output && has_emin(spec.alignment.emin_a) &&
         has_emin(spec.alignment.emin_b) &&
         operands.a.precision_bits() + operands.b.precision_bits() <= numerics::kFp32.precision_bits();
}

bool can_run_aligned(const TileJob& job) {
  AlignedCounts ignored;
  if (!run_aligned_steps({.width = 1}, job.plan->aligned, ignored)) return false;
  const TileProducts products = products_of(job, 0, job.plan->blocks.size());
  return products.in_range && (!counts_steps(*job.plan) || can_split(products, job.plan->spec.width));
}

void run_aligned_chunk(const TileJob& job, const KChunk& chunk, float* acc) {
  AlignedRange range{.a = job.a->values.data() + chunk.range.begin * kTileRows,
                     .b = job.b->values.data() + chunk.range.begin * kTileCols,
                     .length = chunk.range.end - chunk.range.begin,
                     .width = static_cast<std::size_t>(job.plan->spec.width),
                     .counts_events = counts_steps(*job.plan),
                     .acc = acc};
  AlignedCounts counts;
  if (range.counts_events) {
    constexpr int kDoubleBits = 52;
    const int quantum_exponent = products_of(job, chunk.first_block, chunk.end_block).quantum_exponent;
    range.split_magic = std::ldexp(1.5, kDoubleBits + quantum_exponent + kSplitBits);
  }
  run_aligned_steps(range, job.plan->aligned, counts);
  job.events->inner[Event::kInexact] += counts.inexact;
  job.events->inner[Event::kSwamped] += counts.swamped;
}

}  // namespace guardbit::kernels
