#include "models/arith/accumulator.h"

#include <algorithm>
#include <bit>
#include <vector>

#include "models/arith/accumulators/accumulator_registry.h"
#include "models/arith/accumulators/float_steps.h"
#include "models/arith/float_ops.h"
#include "models/numerics/check.h"
#include "models/numerics/codec.h"

namespace guardbit::arith {
namespace {

using numerics::MatrixView;
using numerics::RandomStream;

std::size_t chunk_length(int promote_every, std::size_t length) {
  return promote_every == 0 ? length : static_cast<std::size_t>(promote_every);
}

void check_scales(std::span<const float> scales, std::size_t length, std::size_t per_chunk) {
  GUARDBIT_CHECK(scales.empty() || scales.size() == (length + per_chunk - 1) / per_chunk, "there is a scale per chunk");
}

void check_alignment(const AccumulationSpec& spec) {
  const Alignment& alignment = spec.alignment;
  GUARDBIT_CHECK(spec.width >= 1 && spec.width <= 256, "an aligned step has 1..256 products");
  GUARDBIT_CHECK(alignment.fraction_bits >= 1 && alignment.fraction_bits <= 64, "alignment keeps 1..64 fraction bits");
  GUARDBIT_CHECK(alignment.rounding != numerics::RoundingMode::kStochastic, "alignment does not round stochastically");
  GUARDBIT_CHECK(alignment.emin_a >= numerics::kFp32.emin() && alignment.emin_b >= numerics::kFp32.emin(),
                 "operands are carriers");
}

void check_fixed(const FixedAccumulator& fixed) {
  GUARDBIT_CHECK(numerics::parse_fixed_format(numerics::name_of(fixed.format)).has_value(),
                 "a fixed-point format has 1..320 integer and 0..320 fraction bits");
  GUARDBIT_CHECK(fixed.rounding != numerics::RoundingMode::kStochastic, "alignment does not round stochastically");
}

void check_spec(const AccumulationSpec& spec) {
  GUARDBIT_CHECK(!spec.inner.flush_input && !spec.outer.flush_input, "accumulators do not flush inputs");
  GUARDBIT_CHECK(!spec.product || !spec.product->flush_input, "products do not flush inputs");
  GUARDBIT_CHECK(spec.interleave >= 1 && spec.interleave <= 16, "interleave is 1..16");
  GUARDBIT_CHECK(spec.promote_every >= 0, "promote_every is not negative");
  GUARDBIT_CHECK(spec.reduce != Reduce::kTree ||
                     (spec.width >= 2 && spec.width <= 64 && std::has_single_bit(static_cast<unsigned>(spec.width))),
                 "a tree's width is a power of two, 2..64");
  if (spec.reduce == Reduce::kAligned) check_alignment(spec);
  if (spec.reduce == Reduce::kFixed) check_fixed(spec.fixed);
}

void check_spec(const IntAccumulationSpec& spec) {
  GUARDBIT_CHECK(spec.inner.bits >= 2 && spec.inner.bits <= 32, "integer accumulators have 2..32 bits");
  GUARDBIT_CHECK(!spec.outer.flush_input, "accumulators do not flush inputs");
  GUARDBIT_CHECK(spec.promote_every >= 0, "promote_every is not negative");
}

/// The exact value of an integer sum.
Unrounded value_of(std::int64_t sum) {
  if (sum == 0) return {};
  return {.number_class = numerics::NumberClass::kFinite,
          .negative = sum < 0,
          .significand = static_cast<numerics::Uint128>(sum < 0 ? -sum : sum)};
}

float promote_value(float outer, float scale, const Unrounded& sum, const FloatSpec& spec, const RandomStream& stream,
                    OutputIndex index, std::uint32_t chunk_index, AccumulationEvents& events) {
  Addend scaled;
  scaled.value = exact_product(numerics::decode(scale), sum, &scaled.invalid);
  const std::uint32_t random = random_bits(spec, stage_stream(stream, RandomStage::kOuter), index, chunk_index);
  return accumulate(outer, scaled, spec, random, events.outer);
}

/// gemm_reference() for both operand types.
template <class Operand, class Spec>
void gemm_by_dots(MatrixView<const Operand> a, MatrixView<const Operand> b, const Spec& spec,
                  std::span<const float> scales, const RandomStream& stream, OutputIndex first, MatrixView<float> c,
                  AccumulationEvents& events) {
  GUARDBIT_CHECK(a.cols == b.rows && a.rows == c.rows && b.cols == c.cols, "a (M, K) * b (K, N) = c (M, N)");
  std::vector<Operand> row(a.cols);     // (K)
  std::vector<Operand> column(a.cols);  // (K)
  for (std::size_t m = 0; m < c.rows; ++m) {
    for (std::size_t k = 0; k < a.cols; ++k) row[k] = a(m, k);
    for (std::size_t n = 0; n < c.cols; ++n) {
      for (std::size_t k = 0; k < a.cols; ++k) column[k] = b(k, n);
      const OutputIndex index{first.row + static_cast<std::uint32_t>(m), first.column + static_cast<std::uint32_t>(n)};
      c(m, n) = dot_reference(std::span<const Operand>(row), std::span<const Operand>(column), spec, scales, stream,
                              index, events);
    }
  }
}

}  // namespace

float promote(float outer, float scale, float sum, const FloatSpec& spec, const RandomStream& stream, OutputIndex index,
              std::uint32_t chunk_index, AccumulationEvents& events) {
  return promote_value(outer, scale, numerics::decode(sum), spec, stream, index, chunk_index, events);
}

float promote(float outer, float scale, std::int64_t sum, const FloatSpec& spec, const RandomStream& stream,
              OutputIndex index, std::uint32_t chunk_index, AccumulationEvents& events) {
  return promote_value(outer, scale, value_of(sum), spec, stream, index, chunk_index, events);
}

float dot_reference(std::span<const float> a, std::span<const float> b, const AccumulationSpec& spec,
                    std::span<const float> scales, const RandomStream& stream, OutputIndex index,
                    AccumulationEvents& events) {
  check_spec(spec);
  GUARDBIT_CHECK(a.size() == b.size(), "both operands of a dot product have K elements");
  const bool promotes = spec.promote_every != 0;
  GUARDBIT_CHECK(promotes || scales.empty(), "scales are applied by promotion");
  if (a.empty()) return 0.0F;

  const FloatReduction& reduction = float_reduction(spec.reduce);
  const std::size_t per_chunk = chunk_length(spec.promote_every, a.size());
  check_scales(scales, a.size(), per_chunk);
  float outer = 0.0F;
  for (std::size_t begin = 0, chunk_index = 0; begin < a.size(); begin += per_chunk, ++chunk_index) {
    const std::size_t length = std::min(per_chunk, a.size() - begin);
    const FloatChunk chunk{.a = a.subspan(begin, length),
                           .b = b.subspan(begin, length),
                           .chunk_index = static_cast<std::uint32_t>(chunk_index),
                           .first_k = static_cast<std::uint32_t>(begin),
                           .stream = stream,
                           .index = index};
    const float acc = reduction.run(chunk, spec, events);
    if (!promotes) return acc;
    const float scale = scales.empty() ? 1.0F : scales[chunk_index];
    outer = promote(outer, scale, acc, spec.outer, stream, index, chunk.chunk_index, events);
  }
  return outer;
}

float dot_reference(std::span<const std::int8_t> a, std::span<const std::int8_t> b, const IntAccumulationSpec& spec,
                    std::span<const float> scales, const RandomStream& stream, OutputIndex index,
                    AccumulationEvents& events) {
  check_spec(spec);
  GUARDBIT_CHECK(a.size() == b.size(), "both operands of a dot product have K elements");
  if (a.empty()) return 0.0F;

  const std::size_t per_chunk = chunk_length(spec.promote_every, a.size());
  check_scales(scales, a.size(), per_chunk);
  float outer = 0.0F;
  for (std::size_t begin = 0, chunk_index = 0; begin < a.size(); begin += per_chunk, ++chunk_index) {
    const std::size_t length = std::min(per_chunk, a.size() - begin);
    const std::int64_t sum = reduce_integer(a.subspan(begin, length), b.subspan(begin, length), spec, events);
    const float scale = scales.empty() ? 1.0F : scales[chunk_index];
    outer = promote(outer, scale, sum, spec.outer, stream, index, static_cast<std::uint32_t>(chunk_index), events);
  }
  return outer;
}

void gemm_reference(MatrixView<const float> a, MatrixView<const float> b, const AccumulationSpec& spec,
                    std::span<const float> scales, const RandomStream& stream, OutputIndex first, MatrixView<float> c,
                    AccumulationEvents& events) {
  gemm_by_dots(a, b, spec, scales, stream, first, c, events);
}

void gemm_reference(MatrixView<const std::int8_t> a, MatrixView<const std::int8_t> b, const IntAccumulationSpec& spec,
                    std::span<const float> scales, const RandomStream& stream, OutputIndex first, MatrixView<float> c,
                    AccumulationEvents& events) {
  gemm_by_dots(a, b, spec, scales, stream, first, c, events);
}

}  // namespace guardbit::arith
