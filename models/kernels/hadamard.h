#pragma once
/// Walsh-Hadamard transform of rows, butterflies rounded to a format: the rotate unit's hot loop.
#include <span>

#include "models/numerics/events.h"
#include "models/numerics/matrix.h"
#include "models/numerics/rounding.h"

namespace guardbit::kernels {

/// In place, each row of n = 2^m elements (n >= 1): stages h = 1, 2, 4, ... < n, each
///   (x[i], x[i+h]) <- (round(x[i] + x[i+h]), round(x[i] - x[i+h]))     for i with bit h clear
/// then every element times `scale`, rounded (skipped if scale == 1). Natural (Sylvester) order, H[i][j] =
/// (-1)^popcount(i & j). The `wanted`
/// events of every rounding are added to `events`; wanting none is several times faster. Stochastic rounding is not
/// offered. Non-power-of-two lengths are the rotate unit's: a small dense factor times this.
void hadamard_rows(numerics::MatrixView<float> x, const numerics::FloatSpec& spec, float scale,
                   const numerics::ParallelFor& parallel_for, numerics::EventCounts& events,
                   numerics::EventSet wanted = numerics::EventSet::all());

}  // namespace guardbit::kernels
