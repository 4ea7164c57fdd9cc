#pragma once
/// The reference for single operations: exact in 127-bit integers, rounded once. Slow and obviously right; every fast
/// path is compared with these.
#include "models/numerics/codec.h"
#include "models/numerics/rounding.h"

namespace guardbit::arith {

using numerics::FloatFormat;
using numerics::FloatSpec;
using numerics::Rounded;
using numerics::Unrounded;

/// Exact product and exact-enough sum: the sum of two values whose exponents lie far apart keeps the larger one and a
/// sticky bit far below any rounding position (IEEE 754-2019 section 4.3 needs no more). NaN, infinity and signed-zero
/// rules of section 6. `rounding` only decides the sign of an exact zero sum (-0 for kTowardNegative).
/// An invalid operation (inf - inf, 0 * inf) yields a NaN and sets *invalid.
Unrounded exact_product(const Unrounded& a, const Unrounded& b, bool* invalid);
Unrounded exact_sum(const Unrounded& a, const Unrounded& b, numerics::RoundingMode rounding, bool* invalid);

/// Operands are codes of `from`; the result is rounded into `to` once. Operands that are subnormal in `from` are
/// treated as zero (event flushed) if `to.flush_input`.
Rounded convert(std::uint32_t x, const FloatFormat& from, const FloatSpec& to, std::uint32_t random = 0);
Rounded add(std::uint32_t a, std::uint32_t b, const FloatFormat& from, const FloatSpec& to, std::uint32_t random = 0);
Rounded multiply(std::uint32_t a, std::uint32_t b, const FloatFormat& from, const FloatSpec& to,
                 std::uint32_t random = 0);
/// a * b + c with one rounding; c is a code of `from_c`.
Rounded multiply_add(std::uint32_t a, std::uint32_t b, const FloatFormat& from_ab, std::uint32_t c,
                     const FloatFormat& from_c, const FloatSpec& to, std::uint32_t random = 0);

}  // namespace guardbit::arith
