#pragma once
/// Integer formats int2..int32 (two's complement) and uint2..uint32, and what happens when a sum leaves them.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace guardbit::numerics {

/// Signed two's-complement integer of `bits` bits, 2..32.
struct IntFormat {
  int bits = 32;
  constexpr std::int64_t min() const { return -(std::int64_t{1} << (bits - 1)); }
  constexpr std::int64_t max() const { return (std::int64_t{1} << (bits - 1)) - 1; }
  friend constexpr bool operator==(const IntFormat&, const IntFormat&) = default;
};

/// Unsigned integer of `bits` bits, 2..32: codes of asymmetric quantization. The described hardware computes with
/// signed integers only.
struct UintFormat {
  int bits = 8;
  constexpr std::int64_t min() const { return 0; }
  constexpr std::int64_t max() const { return (std::int64_t{1} << bits) - 1; }
  friend constexpr bool operator==(const UintFormat&, const UintFormat&) = default;
};

/// Delivery of an integer result outside the format.
enum class IntOverflow {
  kWrap,      ///< "wrap": keep the low bits (event wrapped)
  kSaturate,  ///< "saturate": clamp to the nearest representable (event saturated)
};

/// "<prefix>2" .. "<prefix>32": the number of bits, else nothing.
constexpr std::optional<int> parse_integer_bits(std::string_view name, std::string_view prefix) {
  if (!name.starts_with(prefix)) return std::nullopt;
  const std::string_view digits = name.substr(prefix.size());
  if (digits.empty() || digits.size() > 2 || digits[0] == '0') return std::nullopt;
  int bits = 0;
  for (const char digit : digits) {
    if (digit < '0' || digit > '9') return std::nullopt;
    bits = bits * 10 + (digit - '0');
  }
  if (bits < 2 || bits > 32) return std::nullopt;
  return bits;
}

/// "int2" .. "int32", else nothing.
constexpr std::optional<IntFormat> parse_int_format(std::string_view name) {
  const auto bits = parse_integer_bits(name, "int");
  return bits ? std::optional(IntFormat{*bits}) : std::nullopt;
}

/// "uint2" .. "uint32", else nothing.
constexpr std::optional<UintFormat> parse_uint_format(std::string_view name) {
  const auto bits = parse_integer_bits(name, "uint");
  return bits ? std::optional(UintFormat{*bits}) : std::nullopt;
}

inline std::string name_of(const IntFormat& format) { return "int" + std::to_string(format.bits); }
inline std::string name_of(const UintFormat& format) { return "uint" + std::to_string(format.bits); }

}  // namespace guardbit::numerics
