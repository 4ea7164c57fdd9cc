#include "models/units/affine_product.h"

#include <algorithm>
#include <vector>

#include "models/arith/accumulators/reduce.h"
#include "models/kernels/gemm.h"
#include "models/kernels/scalar_rounder.h"
#include "models/units/chunk_terms.h"

namespace guardbit::units {
namespace {

using arith::AccumulationEvents;
using arith::OutputIndex;
using numerics::Event;
using numerics::Stage;

void add(const AccumulationEvents& events, EventLedger& ledger) {
  ledger[Stage::kProduct] += events.product;
  ledger[Stage::kInnerAccumulator] += events.inner;
  ledger[Stage::kOuterAccumulator] += events.outer;
}

/// Sums of a chunk's products: integers, or floats of the inner format.
struct ChunkSums {
  Matrix<std::int64_t> integers;
  Matrix<float> floats;
};

class AffineProduct {
 public:
  AffineProduct(const Operand& a, const Operand& b, IndexRange rows, IndexRange cols, const MatrixMode& mode,
                std::span<const float> chunk_scales, const MatrixProductOptions& options)
      : a_(a),
        b_(b),
        rows_(rows),
        cols_(cols),
        mode_(mode),
        chunk_scales_(chunk_scales),
        options_(options),
        outer_spec_(mode.integer ? mode.int_spec.outer : mode.float_spec.outer),
        round_(outer_spec_) {}

  void run(MatrixView<float> acc, EventLedger& ledger);

 private:
  void sum_integers(IndexRange chunk, ChunkSums& sums, EventLedger& ledger) const;
  void sum_integers_stepwise(IndexRange chunk, ChunkSums& sums, EventLedger& ledger) const;
  void sum_floats(IndexRange chunk, ChunkSums& sums, EventLedger& ledger) const;
  void promote(std::uint32_t number, IndexRange chunk, const ChunkSums& sums, const ChunkTerms& terms,
               MatrixView<float> acc, EventLedger& ledger) const;

  /// |I| and every partial sum of n products of codes are at most this.
  std::int64_t largest_sum(std::size_t n) const {
    return static_cast<std::int64_t>(n) << (mode_.activation_bits + mode_.weight_bits - 2);
  }

  const Operand& a_;
  const Operand& b_;
  const IndexRange rows_;
  const IndexRange cols_;
  const MatrixMode& mode_;
  const std::span<const float> chunk_scales_;
  const MatrixProductOptions& options_;
  const numerics::FloatSpec outer_spec_;
  const kernels::ScalarRounder round_;
};

/// Exact: a slice short enough that its sum is at most 2^24 in magnitude is a binary32 number, so an fp32 outer
/// accumulator that takes in that one sum holds it; slices are added as integers.
void AffineProduct::sum_integers(IndexRange chunk, ChunkSums& sums, EventLedger& ledger) const {
  const std::int64_t inner_max = (std::int64_t{1} << (mode_.int_spec.inner.bits - 1)) - 1;
  if (largest_sum(chunk.size()) > inner_max) return sum_integers_stepwise(chunk, sums, ledger);
  const std::size_t slice = std::size_t{1} << (26 - mode_.activation_bits - mode_.weight_bits);
  const arith::IntAccumulationSpec exact{.inner = {32}, .outer = conversion_spec("fp32")};
  const kernels::GemmOptions gemm_options{
      .wanted = {}, .stream = {}, .first = {}, .parallel_for = options_.parallel_for};
  Matrix<float> part(rows_.size(), cols_.size());
  for (std::size_t begin = chunk.begin; begin < chunk.end; begin += slice) {
    const std::size_t end = std::min(begin + slice, chunk.end);
    AccumulationEvents none;
    kernels::gemm(a_.codes.view().rows_range(rows_.begin, rows_.end).cols_range(begin, end),
                  b_.codes.view().rows_range(cols_.begin, cols_.end).cols_range(begin, end).transposed(),
                  std::max(mode_.activation_bits, mode_.weight_bits), exact, {}, gemm_options, part.view(), none);
    std::transform(part.data().begin(), part.data().end(), sums.integers.data().begin(), sums.integers.data().begin(),
                   [](float sum, std::int64_t total) { return total + static_cast<std::int64_t>(sum); });
  }
}

/// An accumulator that the sums may leave: one product after the other, as it counts.
void AffineProduct::sum_integers_stepwise(IndexRange chunk, ChunkSums& sums, EventLedger& ledger) const {
  for_row_blocks(rows_.size(), cols_.size() * chunk.size(), options_.parallel_for, ledger,
                 [&](std::size_t begin, std::size_t end, EventLedger& block) {
                   AccumulationEvents events;
                   for (std::size_t i = begin; i < end; ++i) {
                     const std::span<const std::int8_t> x(a_.codes.row(rows_.begin + i) + chunk.begin, chunk.size());
                     for (std::size_t j = 0; j < cols_.size(); ++j) {
                       const std::span<const std::int8_t> w(b_.codes.row(cols_.begin + j) + chunk.begin, chunk.size());
                       sums.integers(i, j) = arith::reduce_integer(x, w, mode_.int_spec, events);
                     }
                   }
                   add(events, block);
                 });
}

void AffineProduct::sum_floats(IndexRange chunk, ChunkSums& sums, EventLedger& ledger) const {
  arith::AccumulationSpec spec = mode_.float_spec;
  GUARDBIT_CHECK(spec.inner.rounding != numerics::RoundingMode::kStochastic,
                 "steps of a chunk that is summed on its own draw no random bits");
  spec.promote_every = 0;
  spec.outer = {};
  AccumulationEvents events;
  kernels::gemm(a_.values.view().rows_range(rows_.begin, rows_.end).cols_range(chunk.begin, chunk.end),
                b_.values.view().rows_range(cols_.begin, cols_.end).cols_range(chunk.begin, chunk.end).transposed(),
                {mode_.activation, mode_.weight}, spec, {},
                {.wanted = options_.wanted, .stream = {}, .first = {}, .parallel_for = options_.parallel_for},
                sums.floats.view(), events);
  add(events, ledger);
}

void AffineProduct::promote(std::uint32_t number, IndexRange chunk, const ChunkSums& sums, const ChunkTerms& terms,
                            MatrixView<float> acc, EventLedger& ledger) const {
  // |I'| <= n 2^activation_bits 2^weight_bits; with a scale's 24 bits ScalarRounder takes in 53.
  constexpr std::int64_t kLargestSum = std::int64_t{1} << 29;
  const bool is_short = !mode_.integer || largest_sum(chunk.size()) * 4 < kLargestSum;
  const bool is_fast = is_short && outer_spec_.rounding != numerics::RoundingMode::kStochastic;
  for_row_blocks(
      acc.rows, acc.cols, options_.parallel_for, ledger, [&](std::size_t begin, std::size_t end, EventLedger& block) {
        EventCounts& events = block[Stage::kOuterAccumulator];
        AccumulationEvents slow;
        for (std::size_t i = begin; i < end; ++i) {
          for (std::size_t j = 0; j < acc.cols; ++j) {
            const float scale = terms.scale(i, j, events);
            const std::int64_t sum = mode_.integer ? sums.integers(i, j) + terms.correction(i, j) : 0;
            float& outer = acc(i, j);
            const OutputIndex index{options_.origin.row + static_cast<std::uint32_t>(rows_.begin + i),
                                    options_.origin.column + static_cast<std::uint32_t>(cols_.begin + j)};
            if (is_fast && mode_.integer) {
              outer = round_.accumulate_scaled(outer, scale, static_cast<std::int32_t>(sum), events);
            } else if (is_fast) {
              outer = round_.accumulate_product(outer, scale, sums.floats(i, j), events);
            } else if (mode_.integer) {
              outer = arith::promote(outer, scale, sum, outer_spec_, options_.stream, index, number, slow);
            } else {
              outer =
                  arith::promote(outer, scale, sums.floats(i, j), outer_spec_, options_.stream, index, number, slow);
            }
          }
        }
        add(slow, block);
      });
}

void AffineProduct::run(MatrixView<float> acc, EventLedger& ledger) {
  const std::size_t depth = a_.cols();
  const auto length = static_cast<std::size_t>(mode_.chunk);
  for (std::size_t i = 0; i < acc.rows; ++i) {
    for (std::size_t j = 0; j < acc.cols; ++j) acc(i, j) = 0;
  }
  std::uint32_t number = 0;
  for (std::size_t begin = 0; begin < depth; begin += length, ++number) {
    const IndexRange chunk{begin, std::min(begin + length, depth)};
    ChunkSums sums;
    if (mode_.integer) {
      sums.integers = Matrix<std::int64_t>(rows_.size(), cols_.size());
      sum_integers(chunk, sums, ledger);
    } else {
      sums.floats = Matrix<float>(rows_.size(), cols_.size());
      sum_floats(chunk, sums, ledger);
    }
    const ChunkTerms terms(a_, b_, rows_, cols_, chunk, chunk_scales_.empty() ? 1.0F : chunk_scales_[number]);
    promote(number, chunk, sums, terms, acc, ledger);
  }
}

}  // namespace

void affine_product(const Operand& a, const Operand& b, IndexRange rows, IndexRange cols, const MatrixMode& mode,
                    std::span<const float> chunk_scales, const MatrixProductOptions& options, MatrixView<float> acc,
                    EventLedger& ledger) {
  GUARDBIT_CHECK(options.wanted == numerics::EventSet::all(), "affine products count every event");
  GUARDBIT_CHECK(mode.chunk > 0, "an affine product has an outer accumulator");
  GUARDBIT_CHECK(chunk_scales.empty() || (a.group == 0 && b.group == 0), "smoothing goes with no groups");
  for (const std::size_t group : {a.group, b.group}) {
    GUARDBIT_CHECK(group == 0 || group % static_cast<std::size_t>(mode.chunk) == 0, "a chunk lies in one group");
  }
  AffineProduct(a, b, rows, cols, mode, chunk_scales, options).run(acc, ledger);
}

}  // namespace guardbit::units
