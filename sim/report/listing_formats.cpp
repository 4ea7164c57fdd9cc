#include "sim/report/listing_formats.h"

#include <fmt/format.h>

#include <cstdint>
#include <utility>

#include "models/numerics/block_format.h"
#include "models/numerics/codec.h"

namespace guardbit::sim {
namespace {

using numerics::FloatFormat;

std::string specials_of(const FloatFormat& format) {
  switch (format.specials) {
    case numerics::SpecialCodes::kIeee: return "inf, NaN";
    case numerics::SpecialCodes::kNanAllOnes: return "NaN 1..1";
    case numerics::SpecialCodes::kNanNegZero: return "NaN 10..0, no -0";
    case numerics::SpecialCodes::kNone: return "none";
  }
  return "";  // unreachable
}

std::string list_float_formats() {
  std::string text = fmt::format("{:<14}{:>5}{:>3}{:>4}{:>6}{:>15}{:>15}{:>15}  {:<18}{}\n", "float", "bits", "w", "t",
                                 "bias", "max", "min normal", "min subnormal", "specials", "source");
  for (const numerics::NamedFloatFormat& row : numerics::kFloatFormats) {
    const FloatFormat& format = row.format;
    text += fmt::format("{:<14}{:>5}{:>3}{:>4}{:>6}{:>15.8g}{:>15.8g}{:>15.8g}  {:<18}{}\n", row.name,
                        format.storage_bits(), format.exponent_bits, format.trailing_bits, format.bias,
                        numerics::max_finite(format), numerics::min_normal(format), numerics::to_carrier(1, format),
                        specials_of(format), row.standard);
  }
  return text +
         "eXmY: IEEE-style, w = X = 2 .. 8 exponent bits, t = Y = 1 .. 23 trailing significand bits, bias 2^(X-1) - "
         "1\n";
}

std::string list_block_formats() {
  std::string text = fmt::format("{:<14}{:>5}{:>6}{:>9}{:>15}{:>15}{:>15}  {:<18}{}\n", "block", "bits", "size",
                                 "scale", "element max", "min normal", "min subnormal", "block of NaN", "source");
  for (const numerics::NamedBlockFormat& row : numerics::kBlockFormats) {
    const numerics::BlockFormat& format = row.format;
    const bool is_integer = format.element_kind == numerics::BlockElement::kInt8;
    constexpr std::uint8_t kOne = 127;  // scale 2^0
    const double max =
        is_integer ? numerics::dequantize(127, kOne, format, 1.0F) : numerics::max_finite(format.element);
    const double least =
        is_integer ? numerics::dequantize(1, kOne, format, 1.0F) : numerics::to_carrier(1, format.element);
    const std::string min_normal = is_integer ? "-" : fmt::format("{:.8g}", numerics::min_normal(format.element));
    const bool has_e4m3_scale = format.scale == numerics::BlockScale::kE4M3;
    const bool element_has_nan = !is_integer && format.element.has_nan();
    text += fmt::format("{:<14}{:>5}{:>6}{:>9}{:>15.8g}{:>15}{:>15.8g}  {:<18}{}\n", row.name, format.element_bits(),
                        format.block_size, has_e4m3_scale ? "e4m3" : "e8m0", max, min_normal, least,
                        has_e4m3_scale    ? "scale 0x7F"
                        : element_has_nan ? "scale 0xFF, NaN"
                                          : "scale 0xFF",
                        row.standard);
  }
  return text +
         "e8m0: 8-bit scale 2^(code - 127), 2^-127 .. 2^127, 0xFF is NaN; no sign, zero or infinity. nvfp4 has a\n"
         "binary32 scale per tensor too. Elements are those of the float table; of mxint8, int8 * 2^-6.\n";
}

}  // namespace

std::string list_formats() {
  return list_float_formats() + "\n" + list_block_formats() +
         "\nint2 .. int32: two's complement, -2^(N-1) .. 2^(N-1) - 1\n"
         "uint2 .. uint32: unsigned, 0 .. 2^N - 1; codes of guardbit quantize, with a zero point where there is a "
         "scale\n"
         "q<I>.<F>: two's-complement fixed point, multiples of 2^-F in -2^(I-1) .. 2^(I-1) - 2^-F; the I integer bits\n"
         "          include the sign, I = 1 .. 320, F = 0 .. 320, I + F >= 2; no NaN, no infinity, no -0\n";
}

Json formats_json() {
  Json list = Json::array();
  for (const numerics::NamedFloatFormat& row : numerics::kFloatFormats) {
    const FloatFormat& format = row.format;
    list.push_back({{"name", row.name},
                    {"summary", fmt::format("float, {} bits ({})", format.storage_bits(), row.standard)},
                    {"kind", "float"},
                    {"bits", format.storage_bits()},
                    {"exponent_bits", format.exponent_bits},
                    {"trailing_bits", format.trailing_bits},
                    {"bias", format.bias},
                    {"max", numerics::max_finite(format)},
                    {"min_normal", numerics::min_normal(format)},
                    {"min_subnormal", numerics::to_carrier(1, format)},
                    {"specials", specials_of(format)},
                    {"source", row.standard}});
  }
  for (const numerics::NamedBlockFormat& row : numerics::kBlockFormats) {
    list.push_back({{"name", row.name},
                    {"summary", fmt::format("blocks of {}, {} bits an element ({})", row.format.block_size,
                                            row.format.element_bits(), row.standard)},
                    {"kind", "block"},
                    {"bits", row.format.element_bits()},
                    {"block_size", row.format.block_size},
                    {"scale", row.format.scale == numerics::BlockScale::kE4M3 ? "e4m3" : "e8m0"},
                    {"source", row.standard}});
  }
  for (const auto& [name, summary] :
       {std::pair{"eXmY", "IEEE-style float, X = 2 .. 8 exponent bits, Y = 1 .. 23 trailing significand bits"},
        std::pair{"intN", "two's complement, N = 2 .. 32"}, std::pair{"uintN", "unsigned, N = 2 .. 32 (quantize)"},
        std::pair{"qI.F", "two's-complement fixed point, multiples of 2^-F (accumulators)"}}) {
    list.push_back({{"name", name}, {"summary", summary}, {"kind", "pattern"}});
  }
  return list;
}

}  // namespace guardbit::sim
