#pragma once
/// Codes <-> values. decode() and carriers are exact; the only rounding is in round_to_format().
#include <bit>
#include <cstdint>

#include "models/numerics/rounding.h"

namespace guardbit::numerics {

/// The exact value of a code. Codes wider than the format are an internal error of the caller.
Unrounded decode(std::uint32_t code, const FloatFormat& format);

/// The code as a binary32 that has exactly its value ("carrier"); NaNs become the quiet NaN 0x7FC00000.
float to_carrier(std::uint32_t code, const FloatFormat& format);

/// The code of a carrier. Internal error if `value` is a number or an infinity that the format does not have. A NaN in
/// a format without NaN gives the largest finite value, -0 in one without it +0 (as round_to_format() delivers them).
std::uint32_t from_carrier(float value, const FloatFormat& format);

/// The exact value of a binary32 or binary64.
Unrounded decode(float value);
Unrounded decode(double value);

/// Rounds a binary32/64 into the format and returns the carrier of the result; events are added to `events`.
float round_carrier(double value, const FloatSpec& spec, EventSet& events, std::uint32_t random = 0);

/// Largest finite value and smallest normal of a format, exactly.
float max_finite(const FloatFormat& format);
float min_normal(const FloatFormat& format);

}  // namespace guardbit::numerics
