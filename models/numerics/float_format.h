#pragma once
/// Binary floating-point formats as data: layout, special codes, and the table of named formats.
/// Rounding lives in rounding.h, encoding and decoding of values in codec.h.
///
/// Symbols are those of IEEE 754-2019 section 3.3: w exponent bits, t trailing significand bits, p = t + 1.
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace guardbit::numerics {

/// Which bit patterns of the all-ones exponent (or of negative zero) are not finite numbers.
enum class SpecialCodes {
  kIeee,        ///< all-ones exponent: infinity if the significand field is 0, else NaN
  kNanAllOnes,  ///< only S.1..1.1..1 is NaN, no infinity (OCP OFP8 E4M3; "fn" in LLVM and ml_dtypes)
  kNanNegZero,  ///< only 1.0..0.0..0 is NaN, no infinity, no negative zero ("fnuz")
  kNone,        ///< every code is finite (OCP MX element formats, e.g. E2M1)
};

/// A binary floating-point interchange format of 1 + w + t bits. Every value of every format accepted here
/// (2 <= w <= 8, 0 <= t <= 23) is exactly representable in binary32, which therefore carries values between
/// functions ("carrier"): a float that holds exactly a value of the format, negative zero included.
struct FloatFormat {
  int exponent_bits = 8;   ///< w
  int trailing_bits = 23;  ///< t: stored significand bits, without the implicit leading bit
  int bias = 127;          ///< exponent = biased_exponent - bias
  SpecialCodes specials = SpecialCodes::kIeee;

  constexpr int storage_bits() const { return 1 + exponent_bits + trailing_bits; }
  constexpr int precision_bits() const { return trailing_bits + 1; }         ///< p = t + 1
  constexpr int emin() const { return 1 - bias; }                            ///< exponent of the smallest normal number
  constexpr int quantum_exponent() const { return emin() - trailing_bits; }  ///< of the smallest subnormal number
  constexpr bool has_infinity() const { return specials == SpecialCodes::kIeee; }
  constexpr bool has_nan() const { return specials != SpecialCodes::kNone; }
  constexpr bool has_negative_zero() const { return specials != SpecialCodes::kNanNegZero; }
  constexpr std::uint32_t sign_code() const { return 1u << (exponent_bits + trailing_bits); }

  /// Code of the largest finite magnitude, sign bit clear.
  constexpr std::uint32_t max_finite_code() const {
    const std::uint32_t all_ones = sign_code() - 1;
    switch (specials) {
      case SpecialCodes::kIeee: return all_ones - (1u << trailing_bits);
      case SpecialCodes::kNanAllOnes: return all_ones - 1;
      case SpecialCodes::kNanNegZero:
      case SpecialCodes::kNone: return all_ones;
    }
    return 0;  // unreachable: the switch is exhaustive (-Wswitch-enum)
  }
  /// Code of positive infinity; only where has_infinity().
  constexpr std::uint32_t infinity_code() const { return max_finite_code() + 1; }
  /// Code of the NaN that results carry: the quiet NaN with sign and payload clear, or the only NaN there is;
  /// only where has_nan(). E5M2: 0x7E, fp16: 0x7E00, as RISC-V and the golden vectors write it.
  constexpr std::uint32_t nan_code() const {
    switch (specials) {
      case SpecialCodes::kIeee: return infinity_code() | (1u << (trailing_bits - 1));
      case SpecialCodes::kNanAllOnes: return sign_code() - 1;
      case SpecialCodes::kNanNegZero: return sign_code();
      case SpecialCodes::kNone: return 0;
    }
    return 0;  // unreachable
  }
  /// Exponent of the largest finite number: its value is significand * 2^max_exponent with 1 <= significand < 2.
  constexpr int max_exponent() const { return static_cast<int>(max_finite_code() >> trailing_bits) - bias; }

  friend constexpr bool operator==(const FloatFormat&, const FloatFormat&) = default;
};

struct NamedFloatFormat {
  std::string_view name;      ///< key used in configs, traces and reports
  std::string_view standard;  ///< defining document, and the format's name there
  FloatFormat format;
};

/// Adding a format = adding one row. The exhaustive tests, the config parser and the format report iterate over
/// this table, so nothing else changes.
// clang-format off
inline constexpr std::array kFloatFormats = {
    //               name             standard                                   w   t  bias  specials
    NamedFloatFormat{"fp32",          "IEEE 754-2019 binary32",                 {8, 23, 127, SpecialCodes::kIeee}},
    NamedFloatFormat{"tf32",          "NVIDIA A100 whitepaper, TF32",           {8, 10, 127, SpecialCodes::kIeee}},
    NamedFloatFormat{"bf16",          "RISC-V BF16 1.0",                        {8,  7, 127, SpecialCodes::kIeee}},
    NamedFloatFormat{"fp16",          "IEEE 754-2019 binary16",                 {5, 10,  15, SpecialCodes::kIeee}},
    NamedFloatFormat{"fp8_e5m2",      "OCP OFP8 1.0 E5M2",                      {5,  2,  15, SpecialCodes::kIeee}},
    NamedFloatFormat{"fp8_e4m3",      "OCP OFP8 1.0 E4M3",                      {4,  3,   7, SpecialCodes::kNanAllOnes}},
    NamedFloatFormat{"fp8_e5m2fnuz",  "arXiv 2206.02915 E5M2 (LLVM FNUZ)",      {5,  2,  16, SpecialCodes::kNanNegZero}},
    NamedFloatFormat{"fp8_e4m3fnuz",  "arXiv 2206.02915 E4M3 (LLVM FNUZ)",      {4,  3,   8, SpecialCodes::kNanNegZero}},
    NamedFloatFormat{"fp6_e3m2",      "OCP MX 1.0 E3M2",                        {3,  2,   3, SpecialCodes::kNone}},
    NamedFloatFormat{"fp6_e2m3",      "OCP MX 1.0 E2M3",                        {2,  3,   1, SpecialCodes::kNone}},
    NamedFloatFormat{"fp4_e2m1",      "OCP MX 1.0 E2M1",                        {2,  1,   1, SpecialCodes::kNone}},
};
// clang-format on
inline constexpr FloatFormat kFp32 = kFloatFormats[0].format;
inline constexpr FloatFormat kBf16 = kFloatFormats[2].format;
inline constexpr FloatFormat kFp16 = kFloatFormats[3].format;
inline constexpr FloatFormat kFp8E5M2 = kFloatFormats[4].format;
inline constexpr FloatFormat kFp8E4M3 = kFloatFormats[5].format;

// Sanity of the table, checked by the compiler: 0b0.1111.110 = 1.75 * 2^8 = 448.
static_assert(kFp8E4M3.max_finite_code() == 0x7E && kFp8E4M3.nan_code() == 0x7F);
static_assert(kFp16.max_finite_code() == 0x7BFF && kFp16.nan_code() == 0x7E00);
static_assert(kFp8E5M2.max_finite_code() == 0x7B && kFp8E5M2.nan_code() == 0x7E);

/// The registered format of that name, or an IEEE-style `eXmY` one with 2 <= X <= 8, 1 <= Y <= 23 and bias 2^(X-1) - 1;
/// nothing if the name is neither. Exact match, lower case.
std::optional<FloatFormat> parse_float_format(std::string_view name);

/// The registered name, else `eXmY`.
std::string name_of(const FloatFormat& format);

}  // namespace guardbit::numerics
