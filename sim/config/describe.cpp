#include "sim/config/describe.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "sim/config/fields.h"
#include "sim/config/toml_files.h"

namespace guardbit::sim {
namespace {

constexpr std::string_view kIntroduction = R"(# Accelerator files

An accelerator is one TOML file. Every key has a default, so a file says only what differs; `accelerators/` holds complete,
commented examples.

    schema = "{schema}"    # optional: the version of this reference
    extends = ["edge.toml"]              # optional, first: files to start from, relative to this one, in its directory tree
    [array]
    rows = 64

Later settings override earlier ones: defaults, then the files in `extends` in their order, then the file itself, then
`--set section.key=value` on the command line. Unknown keys, wrong types and values out of range are errors, all reported in
one run as `file:line: key: got X; expected Y` (exit code 78). Integers are plain numbers in the unit of the table: no `64KiB`,
no `2.0`.

A *float format* is one of {formats} or `eXmY`: an IEEE-style format with X = 2..8 exponent bits and Y = 1..23 trailing
significand bits. *intN* is a two's-complement integer of N = 2..32 bits; *qI.F* is two's-complement fixed point with I = 1..320
bits before the binary point, the sign among them, and F = 0..320 behind it.

This page is generated: `GUARDBIT_UPDATE_GOLDEN=1 ctest --test-dir build/release -R ConfigReferenceTest` rewrites it.
)";

/// "`a`, `b`"
template <class Range, class Name>
std::string code_list(const Range& range, const Name& name) {
  std::string list;
  for (const auto& item : range) list += fmt::format("{}`{}`", list.empty() ? "" : ", ", name(item));
  return list;
}

std::string accepted_values(const FieldRule& rule) {
  if (const auto* integer = std::get_if<units::IntRange>(&rule)) {
    return fmt::format("integer {}..{}", integer->min, integer->max);
  }
  if (const auto* real = std::get_if<units::RealRange>(&rule)) {
    return fmt::format("number {}..{}", real->min, real->max);
  }
  if (const auto* one_of = std::get_if<units::OneOf>(&rule)) {
    return code_list(one_of->values, [](std::string_view value) { return fmt::format("\"{}\"", value); });
  }
  if (const auto* format = std::get_if<units::FormatName>(&rule)) {
    return std::string("float format") + (format->integers ? ", intN" : "") + (format->exact ? ", `\"exact\"`" : "") +
           (format->empty ? ", `\"\"`" : "");
  }
  if (std::holds_alternative<units::FixedFormatName>(rule)) return "qI.F";
  return "`true`, `false`";
}

}  // namespace

std::string key_reference() {
  units::AcceleratorConfig defaults;
  std::string text =
      fmt::format(fmt::runtime(kIntroduction), fmt::arg("schema", kAcceleratorSchema),
                  fmt::arg("formats", code_list(numerics::kFloatFormats, [](const auto& row) { return row.name; })));
  std::string section;
  for (const Field& field : fields_of(defaults)) {
    if (field.section != section) {
      section = field.section;
      text += fmt::format("\n## [{}]\n\n| key | values | default | unit | meaning |\n| --- | --- | --- | --- | --- |\n",
                          section);
    }
    text += fmt::format("| `{}` | {} | `{}` | {} | {} |\n", field.key.substr(section.size() + 1),
                        accepted_values(field.rule), value_toml(field), field.unit, field.sentence);
  }
  return text;
}

std::string show(const LoadedAccelerator& accelerator, bool origins) {
  constexpr std::size_t kCommentColumn = 40;
  units::AcceleratorConfig config = accelerator.config;
  std::string text =
      fmt::format("# {}, sha256 {}\nschema = \"{}\"\n", accelerator.name, accelerator.sha256, kAcceleratorSchema);
  std::string section;
  for (const Field& field : fields_of(config)) {
    if (field.section != section) {
      section = field.section;
      text += fmt::format("\n[{}]\n", section);
    }
    const std::string line = fmt::format("{} = {}", field.key.substr(section.size() + 1), value_toml(field));
    text += origins ? fmt::format("{:<{}}# {}\n", line, std::max(kCommentColumn, line.size() + 1),
                                  accelerator.origins.at(field.key))
                    : line + "\n";
  }
  return text;
}

}  // namespace guardbit::sim
