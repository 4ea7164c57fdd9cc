#include "models/numerics/float_format.h"

#include <charconv>

namespace guardbit::numerics {
namespace {

/// Reads a decimal number of one or two digits without leading zeros and advances `text` past it.
std::optional<int> take_small_number(std::string_view& text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || value < 0 || value > 99 || text.front() == '-') return std::nullopt;
  if (text.front() == '0' && end != text.data() + 1) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return value;
}

}  // namespace

std::optional<FloatFormat> parse_float_format(std::string_view name) {
  for (const NamedFloatFormat& row : kFloatFormats) {
    if (row.name == name) return row.format;
  }
  if (!name.starts_with('e')) return std::nullopt;
  name.remove_prefix(1);
  if (name.empty()) return std::nullopt;
  const std::optional<int> exponent_bits = take_small_number(name);
  if (!exponent_bits || !name.starts_with('m') || name.size() < 2) return std::nullopt;
  name.remove_prefix(1);
  const std::optional<int> trailing_bits = take_small_number(name);
  if (!trailing_bits || !name.empty()) return std::nullopt;
  if (*exponent_bits < 2 || *exponent_bits > 8 || *trailing_bits < 1 || *trailing_bits > 23) return std::nullopt;
  return FloatFormat{*exponent_bits, *trailing_bits, (1 << (*exponent_bits - 1)) - 1, SpecialCodes::kIeee};
}

std::string name_of(const FloatFormat& format) {
  for (const NamedFloatFormat& row : kFloatFormats) {
    if (row.format == format) return std::string(row.name);
  }
  return "e" + std::to_string(format.exponent_bits) + "m" + std::to_string(format.trailing_bits);
}

}  // namespace guardbit::numerics
