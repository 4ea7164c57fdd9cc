#include "sim/probe/coding_words.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "models/units/field_info.h"
#include "sim/base/error.h"
#include "sim/config/suggest.h"

namespace guardbit::sim {
namespace {

[[noreturn]] void refuse(const std::string& text) { throw UserError(ExitCode::kUsage, text); }

template <std::size_t N>
void expect_one_of(const char* option, const std::string& got, const std::array<std::string_view, N>& words) {
  if (std::find(words.begin(), words.end(), got) != words.end()) return;
  refuse(fmt::format("{}: got '{}'; expected one of {}", option, got, fmt::join(words, ", ")));
}

/// An option that the format has no use for, unless it has its default.
void expect(const std::string& format, const char* option, const std::string& got, const std::string& expected,
            const char* why) {
  if (got == expected) return;
  refuse(fmt::format("--format {}: got {} {}; expected {}, {}", format, option, got, expected, why));
}

numerics::RoundingMode parse_rounding(const std::string& word) {
  if (const auto rounding = numerics::parse_rounding(word)) return *rounding;
  refuse(fmt::format("--rounding: got '{}'; expected rne, rtz, rup, rdn, rna, odd or stochastic", word));
}

numerics::FloatSpec float_spec(const numerics::FloatFormat& format, const CodingWords& words) {
  const auto overflow = numerics::parse_overflow(words.overflow);
  if (!overflow) {
    refuse(fmt::format("--overflow: got '{}'; expected infinity, nan or saturate", words.overflow));
  }
  return {.format = format,
          .rounding = parse_rounding(words.rounding),
          .overflow = *overflow,
          .flush_output = words.subnormals == "flush"};
}

}  // namespace

TensorCoding parse_coding(const CodingWords& words) {
  const std::string& name = words.format;
  const numerics::RoundingMode rounding = parse_rounding(words.rounding);
  expect_one_of("--scale", words.scale, kScaleWords);
  expect_one_of("--subnormals", words.subnormals, units::kSubnormalValues);
  TensorCoding coding;
  coding.scale = words.scale == "none"            ? ScaleKind::kNone
                 : words.scale.starts_with("row") ? ScaleKind::kRow
                                                  : ScaleKind::kTensor;
  coding.pow2 = words.scale.ends_with("pow2");
  coding.seed = words.seed;
  const numerics::NamedBlockFormat* blocks = numerics::find_block_format(name);
  if (words.axis && blocks == nullptr) {
    refuse(
        fmt::format("--axis: got {} for {}; expected a block format (mxfp8_e4m3, nvfp4, ...), whose blocks run "
                    "along an axis",
                    *words.axis, name));
  }
  if (const auto format = numerics::parse_float_format(name)) {
    coding.destination = float_spec(*format, words);
    return coding;
  }
  const auto integer = numerics::parse_int_format(name);
  const auto unsigned_integer = numerics::parse_uint_format(name);
  if (!integer && !unsigned_integer && blocks == nullptr) {
    refuse(
        fmt::format("--format: got '{}'; expected a float format, a block format, intN or uintN with N 2..32 "
                    "(guardbit list formats){}",
                    printable(name), did_you_mean_format(name)));
  }
  expect(name, "--overflow", words.overflow, "saturate", "as this format has neither infinities nor NaNs to choose");
  expect(name, "--subnormals", words.subnormals, "keep", "as only float formats flush");
  if (blocks != nullptr) {
    expect(name, "--scale", words.scale, "none", "as its blocks have scales of their own");
    coding.destination = BlockCoding{.format = *blocks, .rounding = rounding, .axis = words.axis.value_or(-1)};
    return coding;
  }
  expect(name, "--rounding", words.rounding, "rne", "the rounding of integers");
  if (integer) coding.destination = *integer;
  if (unsigned_integer) coding.destination = *unsigned_integer;
  return coding;
}

}  // namespace guardbit::sim
