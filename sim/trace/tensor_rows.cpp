#include "sim/trace/tensor_rows.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <vector>

#include "models/numerics/codec.h"

namespace guardbit::sim {

std::size_t RowConverter::convert(const unsigned char* bytes) const {
  const std::size_t element_bytes = dtype == "F64" ? sizeof(double) : dtype == "F32" ? sizeof(float) : 2;
  for (std::size_t r = 0; r < rows; ++r) {
    const unsigned char* const stored = bytes + r * cols * element_bytes;
    float* const row = result + r * cols;
    const std::size_t first_bad = dtype == "F64" ? convert_doubles(stored, row) : convert_row(stored, row);
    if (first_bad < cols) return r * cols + first_bad;
  }
  return rows * cols;
}

std::size_t RowConverter::convert_row(const unsigned char* bytes, float* row) const {
  if (dtype == "F32") {
    std::memcpy(row, bytes, cols * sizeof(float));
  } else {
    for (std::size_t c = 0; c < cols; ++c) {
      std::uint16_t code = 0;
      std::memcpy(&code, bytes + c * sizeof code, sizeof code);
      row[c] = half_values != nullptr ? half_values[code] : std::bit_cast<float>(std::uint32_t{code} << 16);
    }
  }
  if (allow_nonfinite) return cols;
  constexpr std::uint32_t kExponent = 0x7F800000U;
  std::uint32_t num_bad = 0;
  for (std::size_t c = 0; c < cols; ++c) num_bad += (std::bit_cast<std::uint32_t>(row[c]) & kExponent) == kExponent;
  if (num_bad == 0) return cols;
  return static_cast<std::size_t>(std::find_if(row, row + cols, [](float x) { return !std::isfinite(x); }) - row);
}

std::size_t RowConverter::convert_doubles(const unsigned char* bytes, float* row) const {
  for (std::size_t c = 0; c < cols; ++c) {
    double value = 0;
    std::memcpy(&value, bytes + c * sizeof value, sizeof value);
    if (allow_nonfinite && !std::isfinite(value)) {
      row[c] = std::isnan(value) ? std::numeric_limits<float>::quiet_NaN() : static_cast<float>(value);
      continue;
    }
    // Range first: converting a double beyond binary32 is undefined behaviour.
    const bool is_binary32 = std::fabs(value) <= static_cast<double>(numerics::max_finite(numerics::kFp32)) &&
                             static_cast<double>(static_cast<float>(value)) == value;
    if (!is_binary32) return c;
    row[c] = static_cast<float>(value);
  }
  return cols;
}

/// Every binary16 value as binary32, by code; 256 KiB, made once.
const float* half_values() {
  static const std::vector<float> values = [] {
    std::vector<float> table(1U << 16);
    for (std::uint32_t code = 0; code < table.size(); ++code) table[code] = numerics::to_carrier(code, numerics::kFp16);
    return table;
  }();
  return values.data();
}

}  // namespace guardbit::sim
