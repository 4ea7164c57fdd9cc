#include "sim/trace/npy_element.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "models/numerics/codec.h"
#include "sim/base/error.h"

namespace guardbit::sim {
namespace {

template <class T>
T value_from(const unsigned char* bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof value);
  return value;
}

template <class T>
double exact_or_inexact(T value) {
  const double nearest = static_cast<double>(value);
  const bool is_exact = std::fabs(nearest) < 0x1p63 && static_cast<T>(nearest) == value;
  return is_exact ? nearest : std::nextafter(nearest, 2 * nearest);
}

[[noreturn]] void refuse(std::string_view place, const std::string& text) {
  throw UserError(ExitCode::kMalformedInput, fmt::format("{}: {}", place, text));
}

}  // namespace

const NpyTypeRow* find_npy_type(std::string_view name) {
  const auto* row = std::find_if(kNpyTypes.begin(), kNpyTypes.end(),
                                 [&](const NpyTypeRow& candidate) { return candidate.name == name; });
  return row == kNpyTypes.end() ? nullptr : row;
}

std::size_t bytes_of(NpyType type) {
  return std::find_if(kNpyTypes.begin(), kNpyTypes.end(), [&](const NpyTypeRow& row) { return row.type == type; })
      ->num_bytes;
}

double npy_element(const unsigned char* bytes, NpyType type) {
  switch (type) {
    case NpyType::kF2:
      return static_cast<double>(numerics::to_carrier(value_from<std::uint16_t>(bytes), numerics::kFp16));
    case NpyType::kF4: return static_cast<double>(value_from<float>(bytes));
    case NpyType::kF8: return value_from<double>(bytes);
    case NpyType::kI1: return value_from<std::int8_t>(bytes);
    case NpyType::kU1: return value_from<std::uint8_t>(bytes);
    case NpyType::kI2: return value_from<std::int16_t>(bytes);
    case NpyType::kU2: return value_from<std::uint16_t>(bytes);
    case NpyType::kI4: return value_from<std::int32_t>(bytes);
    case NpyType::kU4: return value_from<std::uint32_t>(bytes);
    case NpyType::kI8: return exact_or_inexact(value_from<std::int64_t>(bytes));
    case NpyType::kU8: return exact_or_inexact(value_from<std::uint64_t>(bytes));
  }
  return 0;  // unreachable: the switch is exhaustive (-Wswitch-enum)
}

float exact_float(double value, bool require_finite, std::uint64_t index, std::string_view place) {
  if (std::isnan(value) && !require_finite) return std::bit_cast<float>(0x7FC00000U);
  if (!std::isfinite(value)) {
    if (!require_finite) return static_cast<float>(value);
    refuse(place, fmt::format("got {} at element {}; expected finite values", value, index));
  }
  const bool is_binary32 = std::fabs(value) <= static_cast<double>(numerics::max_finite(numerics::kFp32)) &&
                           static_cast<double>(static_cast<float>(value)) == value;
  if (!is_binary32) {
    refuse(place, fmt::format("got {:a} at element {}; expected values that binary32 holds exactly", value, index));
  }
  return static_cast<float>(value);
}

}  // namespace guardbit::sim
