#pragma once
/// Two's-complement integer formats int2..int32 and what happens when a sum leaves them.
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

/// Delivery of an integer result outside the format.
enum class IntOverflow {
  kWrap,      ///< "wrap": keep the low bits (event wrapped)
  kSaturate,  ///< "saturate": clamp to the nearest representable (event saturated)
};

/// "int2" .. "int32", else nothing.
constexpr std::optional<IntFormat> parse_int_format(std::string_view name) {
  if (!name.starts_with("int") || name.size() < 4 || name.size() > 5) return std::nullopt;
  int bits = 0;
  for (const char digit : name.substr(3)) {
    if (digit < '0' || digit > '9') return std::nullopt;
    bits = bits * 10 + (digit - '0');
  }
  if (name[3] == '0' || bits < 2 || bits > 32) return std::nullopt;
  return IntFormat{bits};
}

inline std::string name_of(const IntFormat& format) { return "int" + std::to_string(format.bits); }

}  // namespace guardbit::numerics
