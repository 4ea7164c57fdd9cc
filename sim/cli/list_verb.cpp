#include <fmt/format.h>

#include <memory>

#include "models/arith/accumulators/accumulator_registry.h"
#include "models/arith/presets.h"
#include "models/calibration/method.h"
#include "models/numerics/block_format.h"
#include "models/numerics/codec.h"
#include "models/transformer/family.h"
#include "sim/cli/verbs.h"
#include "sim/report/report_registry.h"

namespace guardbit::sim::cli {
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

std::string list_formats() {
  return list_float_formats() + "\n" + list_block_formats() +
         "\nint2 .. int32: two's complement, -2^(N-1) .. 2^(N-1) - 1\n"
         "uint2 .. uint32: unsigned, 0 .. 2^N - 1; codes of guardbit quantize, with a zero point where there is a "
         "scale\n"
         "q<I>.<F>: two's-complement fixed point, multiples of 2^-F in -2^(I-1) .. 2^(I-1) - 2^-F; the I integer bits\n"
         "          include the sign, I = 1 .. 320, F = 0 .. 320, I + F >= 2; no NaN, no infinity, no -0\n";
}

std::string list_accumulators() {
  std::string text;
  for (const arith::Accumulator& row : arith::accumulators()) text += fmt::format("{:<24}{}\n", row.name, row.summary);
  text += fmt::format("{:<24}{}\n\n", "promote",
                      "with each of them: a second accumulator takes in the first after so many products");
  for (const arith::Preset& row : arith::presets()) {
    text += fmt::format("{:<24}{} x {}: {}\n{:<24}source: {}\n", row.name, numerics::name_of(row.a),
                        numerics::name_of(row.b), row.summary, "", row.source);
  }
  return text;
}

template <class Entries>
std::string list_entries(const Entries& entries) {
  std::string text;
  for (const auto& entry : entries) text += fmt::format("{:<16}{}\n", entry.name, entry.summary);
  return text;
}

std::string list_methods() {
  std::string text;
  for (const calibration::Method& method : calibration::methods()) {
    text += fmt::format("{:<16}{}\n", method.name, method.summary);
    for (const calibration::Parameter& parameter : method.parameters) {
      text += fmt::format("  {:<14}{}, default {}: {}\n", parameter.name, calibration::range_text(parameter),
                          calibration::value_text(parameter, parameter.default_value), parameter.help);
    }
  }
  return text +
         "\nA variant joins parts by +: methods, as name or name(argument,name=value), and widths of linear layers "
         "and\n"
         "KV cache: wN (2..8, 16), aN (3..8, 16), kvN (4, 8, 16), as in rrs(qkv)+w4a4kv4.\n";
}

}  // namespace

void add_list(CLI::App& app, Action& action) {
  CLI::App* list = app.add_subcommand("list", "List what this build knows");
  list->require_subcommand(1);
  const auto add = [list, &action](const std::string& name, const std::string& summary, std::string (*text)()) {
    list->add_subcommand(name, summary)->final_callback([text, &action] {
      action = [text] {
        print(text());
        return 0;
      };
    });
  };
  add("formats", "Number formats with their ranges and sources", list_formats);
  add("accumulators", "Accumulators of a matrix unit, and published ones by name", list_accumulators);
  add("methods", "Calibration methods, the parts of a variant", list_methods);
  add("families", "Model families", [] { return list_entries(transformer::families()); });
  add("reports", "Reports for --format", [] { return list_entries(reports()); });
  list->footer("Example: guardbit list formats");
}

}  // namespace guardbit::sim::cli
