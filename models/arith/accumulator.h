#pragma once
/// Reference execution of accumulation_spec.h for one output and for a whole GEMM. Slow, exact, in plain loops.
#include <span>

#include "models/arith/accumulation_spec.h"
#include "models/numerics/matrix.h"

namespace guardbit::arith {

/// Position of an output, for the random bits of stochastic rounding.
struct OutputIndex {
  std::uint32_t row = 0;
  std::uint32_t column = 0;
};

/// Sum of a[k]*b[k] after `spec`. Operands and result are carriers (codec.h); `scales` has one carrier per chunk, or is
/// empty (all 1). Events are added to `events`. K = 0 gives +0.
/// swamped is counted at the inner stage for accumulations and merges (not for tree nodes), where accumulator and
/// addend are non-zero and finite and the rounded sum equals the accumulator; at the outer stage likewise;
/// aligned steps and fixed-point sums as accumulation_spec.h says.
float dot_reference(std::span<const float> a, std::span<const float> b, const AccumulationSpec& spec,
                    std::span<const float> scales, const numerics::RandomStream& stream, OutputIndex index,
                    AccumulationEvents& events);

/// The same for integers. swamped is counted at the outer stage only; inner events are wrapped and saturated.
float dot_reference(std::span<const std::int8_t> a, std::span<const std::int8_t> b, const IntAccumulationSpec& spec,
                    std::span<const float> scales, const numerics::RandomStream& stream, OutputIndex index,
                    AccumulationEvents& events);

/// outer + scale * sum, one rounding: a sum leaves its PE at the end of chunk `chunk_index`. Events at the outer stage.
float promote(float outer, float scale, float sum, const numerics::FloatSpec& spec,
              const numerics::RandomStream& stream, OutputIndex index, std::uint32_t chunk_index,
              AccumulationEvents& events);
float promote(float outer, float scale, std::int64_t sum, const numerics::FloatSpec& spec,
              const numerics::RandomStream& stream, OutputIndex index, std::uint32_t chunk_index,
              AccumulationEvents& events);

/// c = a * b, one dot_reference per output. a (M, K), b (K, N), c (M, N); any strides. Output (m, n) has index
/// (first_row + m, first_column + n), so that a tile of a larger GEMM draws the larger one's random bits.
void gemm_reference(numerics::MatrixView<const float> a, numerics::MatrixView<const float> b,
                    const AccumulationSpec& spec, std::span<const float> scales, const numerics::RandomStream& stream,
                    OutputIndex first, numerics::MatrixView<float> c, AccumulationEvents& events);
void gemm_reference(numerics::MatrixView<const std::int8_t> a, numerics::MatrixView<const std::int8_t> b,
                    const IntAccumulationSpec& spec, std::span<const float> scales,
                    const numerics::RandomStream& stream, OutputIndex first, numerics::MatrixView<float> c,
                    AccumulationEvents& events);

}  // namespace guardbit::arith
