#pragma once
/// Symmetric quantization of carriers to small integers, and row/column maxima: the quantize unit's hot loops.
#include <cstdint>
#include <span>

#include "models/numerics/events.h"
#include "models/numerics/matrix.h"

namespace guardbit::kernels {

using numerics::EventCounts;
using numerics::MatrixView;

/// q = clamp(roundTiesToEven(x / scale), -2^(bits-1), 2^(bits-1) - 1), the quotient exact before its one rounding.
/// NaN gives 0 with event invalid. Events: clipped (rounded value outside the range), zeroed (x not 0, q = 0),
/// inexact (q * scale differs from x). scale > 0 and finite.
void quantize_row(std::span<const float> x, float scale, int bits, std::span<std::int8_t> q, EventCounts& events);

/// max_k |x[k]|; NaNs are ignored; 0 for an empty row.
float max_abs(std::span<const float> x);
/// maxima[c] = max_r |x(r, c)|.
void column_max_abs(MatrixView<const float> x, std::span<float> maxima);

}  // namespace guardbit::kernels
