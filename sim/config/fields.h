#pragma once
/// The keys of an accelerator as a flat list: name, rule and place of the member, taken from the structs' own
/// visit_fields(). Checking and formatting of one value lives here; files and overrides live in accelerator.h.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "models/units/accelerator_config.h"

namespace guardbit::sim {

/// A value that no key takes: an array, a date, a table. `what` names it in messages.
struct OtherValue {
  std::string what;
  friend bool operator==(const OtherValue&, const OtherValue&) = default;
};

/// A value as written, with its TOML type.
using ConfigValue = std::variant<bool, std::int64_t, double, std::string, OtherValue>;

/// What a member accepts; the alternatives are those of models/units/field_info.h.
using FieldRule = std::variant<units::AnyBool, units::IntRange, units::RealRange, units::OneOf, units::FormatName,
                               units::FixedFormatName>;

/// One key. `member` points into the configuration that fields_of() was given.
struct Field {
  std::string section;  ///< "norm.accumulator"
  std::string key;      ///< full: "norm.accumulator.format"
  std::string unit;     ///< "cycles", "bytes", ..., "" for none
  std::string sentence;
  FieldRule rule;
  std::variant<bool*, std::int64_t*, double*, std::string*> member;
};

/// All keys in the order of the key reference. Several structs may share a section; a key is listed once.
[[nodiscard]] std::vector<Field> fields_of(units::AcceleratorConfig& config);

/// Stores `value` in the member and returns nothing, or returns "got X; expected Y" and changes nothing. Types are
/// strict: no float, string or boolean for an integer; an integer is accepted for a real; NaN and infinity are refused.
[[nodiscard]] std::optional<std::string> assign(const Field& field, const ConfigValue& value);

/// The member's value: true/false, decimal integer, shortest decimal that reads back as the same double, or the string
/// itself. Independent of the locale.
[[nodiscard]] std::string value_text(const Field& field);

/// The value that value_text() wrote as `text`: a boolean, a number or a string, as the field's rule wants it; text
/// that is none stays a string, which assign() refuses.
[[nodiscard]] ConfigValue parse_value_text(const Field& field, std::string_view text);

/// The member's value as a TOML literal (strings quoted).
[[nodiscard]] std::string value_toml(const Field& field);

/// `value` as shown in messages: strings quoted and escaped, long ones shortened.
[[nodiscard]] std::string describe(const ConfigValue& value);

/// The same, and a whole real number with the point that makes it one: "4.0".
[[nodiscard]] std::string as_written(const ConfigValue& value);

/// What the key accepts, in words: "integer 1..1024 (PEs)", "one of \"os\", \"ws\"".
[[nodiscard]] std::string describe(const FieldRule& rule, const std::string& unit);

}  // namespace guardbit::sim
