#include "sim/config/fields.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <system_error>
#include <type_traits>

#include "models/numerics/block_format.h"
#include "models/numerics/fixed_format.h"
#include "models/numerics/float_format.h"
#include "models/numerics/int_format.h"
#include "sim/base/error.h"
#include "sim/config/suggest.h"

namespace guardbit::sim {
namespace {

template <class... Cases>
struct Overloaded : Cases... {
  using Cases::operator()...;
};
template <class... Cases>
Overloaded(Cases...) -> Overloaded<Cases...>;  // clang 14 does not deduce aggregates

std::string quoted(std::string_view text) {
  constexpr std::size_t kShown = 60;
  const bool cut = text.size() > kShown;
  return "\"" + printable(text.substr(0, kShown)) + (cut ? "...\"" : "\"");
}

/// "\"a\", \"b\", \"c\""
std::string quoted_list(std::span<const std::string_view> values) {
  std::string list;
  for (const std::string_view value : values) list += (list.empty() ? "" : ", ") + quoted(value);
  return list;
}

bool accepts(const units::FormatName& rule, const std::string& name) {
  if (name.empty()) return rule.empty;
  if (rule.exact && name == "exact") return true;
  if (rule.integers && numerics::parse_int_format(name)) return true;
  return numerics::parse_float_format(name).has_value();
}

/// Strings that the rule accepts, as candidates for "did you mean".
std::vector<std::string> candidates_of(const FieldRule& rule) {
  std::vector<std::string> names;
  if (const auto* one_of = std::get_if<units::OneOf>(&rule)) {
    names.assign(one_of->values.begin(), one_of->values.end());
  } else if (const auto* format = std::get_if<units::FormatName>(&rule)) {
    for (const auto& row : numerics::kFloatFormats) names.emplace_back(row.name);
    if (format->exact) names.emplace_back("exact");
  }
  return names;
}

/// Why a format that exists elsewhere is none of a key; empty if it is no such format.
std::string reason_against(const std::string& name) {
  if (numerics::parse_uint_format(name)) {
    return "unsigned integers are formats of guardbit quantize: a PE multiplies and adds signed ones";
  }
  if (numerics::find_block_format(name) != nullptr) {
    return "block formats are formats of guardbit quantize: the described units have no scales per block";
  }
  return "";
}

std::string mismatch(const Field& field, const ConfigValue& value) {
  std::string text = "got " + as_written(value) + "; expected " + describe(field.rule, field.unit);
  const auto* name = std::get_if<std::string>(&value);
  if (name == nullptr) return text;
  const bool is_format = std::holds_alternative<units::FormatName>(field.rule);
  const std::string reason = is_format ? reason_against(*name) : "";
  if (!reason.empty()) return text + "; " + reason;
  const std::vector<std::string> candidates = candidates_of(field.rule);
  if (const auto hint = nearest(*name, candidates)) text += "; did you mean \"" + *hint + "\"?";
  return text;
}

bool store(const Field& field, const ConfigValue& value) {
  return std::visit(
      Overloaded{[&](const units::AnyBool&) {
                   const bool* flag = std::get_if<bool>(&value);
                   if (flag != nullptr) *std::get<bool*>(field.member) = *flag;
                   return flag != nullptr;
                 },
                 [&](const units::IntRange& range) {
                   const std::int64_t* number = std::get_if<std::int64_t>(&value);
                   const bool good = number != nullptr && *number >= range.min && *number <= range.max;
                   if (good) *std::get<std::int64_t*>(field.member) = *number;
                   return good;
                 },
                 [&](const units::RealRange& range) {
                   double number = std::nan("");
                   if (const auto* real = std::get_if<double>(&value)) number = *real;
                   if (const auto* integer = std::get_if<std::int64_t>(&value)) number = static_cast<double>(*integer);
                   const bool good = number >= range.min && number <= range.max;  // false for NaN and infinity
                   if (good) *std::get<double*>(field.member) = number + 0.0;     // -0 becomes 0: one text per value
                   return good;
                 },
                 [&](const units::OneOf& one_of) {
                   const std::string* name = std::get_if<std::string>(&value);
                   const bool good = name != nullptr && std::find(one_of.values.begin(), one_of.values.end(), *name) !=
                                                            one_of.values.end();
                   if (good) *std::get<std::string*>(field.member) = *name;
                   return good;
                 },
                 [&](const units::FormatName& format) {
                   const std::string* name = std::get_if<std::string>(&value);
                   const bool good = name != nullptr && accepts(format, *name);
                   if (good) *std::get<std::string*>(field.member) = *name;
                   return good;
                 },
                 [&](const units::FixedFormatName&) {
                   const std::string* name = std::get_if<std::string>(&value);
                   const bool good = name != nullptr && numerics::parse_fixed_format(*name).has_value();
                   if (good) *std::get<std::string*>(field.member) = *name;
                   return good;
                 }},
      field.rule);
}

std::string describe_formats(const units::FormatName& rule) {
  std::string text = "a float format (";
  for (const auto& row : numerics::kFloatFormats) text += std::string(row.name) + ", ";
  text += "or eXmY with X 2..8, Y 1..23)";
  if (rule.integers) text += " or intN with N 2..32";
  if (rule.exact) text += " or \"exact\"";
  if (rule.empty) text += " or \"\" for none";
  return text;
}

}  // namespace

std::vector<Field> fields_of(units::AcceleratorConfig& config) {
  std::vector<Field> fields;
  units::AcceleratorConfig::visit_sections(config, [&](std::string_view section, auto& part) {
    std::decay_t<decltype(part)>::visit_fields(part, [&](const units::FieldInfo& info, auto& member, auto rule) {
      fields.push_back(Field{.section = std::string(section),
                             .key = std::string(section) + "." + std::string(info.key),
                             .unit = std::string(info.unit),
                             .sentence = std::string(info.sentence),
                             .rule = rule,
                             .member = &member});
    });
  });
  return fields;
}

std::optional<std::string> assign(const Field& field, const ConfigValue& value) {
  if (store(field, value)) return std::nullopt;
  return mismatch(field, value);
}

std::string value_text(const Field& field) {
  return std::visit([](const auto* member) { return fmt::format("{}", *member); }, field.member);
}

ConfigValue parse_value_text(const Field& field, std::string_view text) {
  const char* const end = text.data() + text.size();
  if (std::holds_alternative<bool*>(field.member) && (text == "true" || text == "false")) return text == "true";
  if (std::holds_alternative<std::int64_t*>(field.member)) {
    std::int64_t number = 0;
    const auto [stop, error] = std::from_chars(text.data(), end, number);
    if (error == std::errc{} && stop == end) return number;
  }
  if (std::holds_alternative<double*>(field.member)) {
    double number = 0;
    const auto [stop, error] = std::from_chars(text.data(), end, number);
    if (error == std::errc{} && stop == end) return number;
  }
  return std::string(text);
}

std::string value_toml(const Field& field) {
  // Strings are names out of closed sets (see store): they need no escapes.
  if (std::holds_alternative<std::string*>(field.member)) return "\"" + value_text(field) + "\"";
  return value_text(field);
}

std::string describe(const ConfigValue& value) {
  return std::visit(Overloaded{[](const std::string& text) { return quoted(text); },
                               [](const OtherValue& other) { return other.what; },
                               [](const auto& plain) { return fmt::format("{}", plain); }},
                    value);
}

std::string as_written(const ConfigValue& value) {
  const std::string text = describe(value);
  const bool is_real = std::holds_alternative<double>(value);
  return is_real && text.find_first_not_of("-0123456789") == std::string::npos ? text + ".0" : text;
}

std::string describe(const FieldRule& rule, const std::string& unit) {
  const std::string suffix = unit.empty() ? "" : " (" + unit + ")";
  return std::visit(Overloaded{[](const units::AnyBool&) { return std::string("true or false"); },
                               [&](const units::IntRange& range) {
                                 return fmt::format("an integer {}..{}{}", range.min, range.max, suffix);
                               },
                               [&](const units::RealRange& range) {
                                 return fmt::format("a number {}..{}{}", range.min, range.max, suffix);
                               },
                               [](const units::OneOf& one_of) { return "one of " + quoted_list(one_of.values); },
                               [](const units::FormatName& format) { return describe_formats(format); },
                               [](const units::FixedFormatName&) {
                                 return fmt::format("a fixed-point format qI.F with I 1..{0}, F 0..{0}, I + F >= 2",
                                                    numerics::FixedFormat::kMaxBits);
                               }},
                    rule);
}

}  // namespace guardbit::sim
