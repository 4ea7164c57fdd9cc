#pragma once
/// Strict JSON (RFC 8259): parsing that rejects what other readers let pass, and typed access whose complaints read
/// `<file>:<json pointer>: got <value>; expected <rule>` and are collected, so that one run reports all of them.
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace guardbit::sim {

/// A parsed value. Integers keep their exact value; whatever has a point, an exponent or needs more than 64 bits is
/// kFloat and never accepted where an integer is expected.
struct JsonValue {
  enum class Kind : std::uint8_t { kNull, kBoolean, kUnsigned, kNegative, kFloat, kString, kArray, kObject };
  Kind kind = Kind::kNull;
  bool boolean = false;
  std::uint64_t unsigned_value = 0;
  double number = 0;                                      ///< kUnsigned, kNegative, kFloat: nearest binary64
  std::string text;                                       ///< kString: content; kFloat: as written
  std::vector<JsonValue> items;                           ///< kArray
  std::map<std::string, JsonValue, std::less<>> members;  ///< kObject
};

struct JsonLimits {
  std::size_t max_depth = 16;           ///< nested arrays and objects; a bare number has depth 0
  std::size_t max_members = 1'000'000;  ///< of one object
  std::size_t max_values = 50'000'000;  ///< of the document
};

/// Parses `content`; `file` only names it in messages. UserError kMalformedInput, one message, on: text that is not
/// UTF-8 or has a byte order mark, a syntax error, anything but blanks after the value, a duplicate key (named by its
/// pointer), a limit exceeded, a number too large for binary64.
[[nodiscard]] JsonValue parse_json(std::string_view content, const std::filesystem::path& file,
                                   const JsonLimits& limits = {});

/// What is wrong with one file.
class JsonProblems {
 public:
  explicit JsonProblems(std::filesystem::path file) : file_(std::move(file)) {}
  /// Adds `<file>:<pointer>: got <found>; expected <rule>`.
  void add(std::string_view pointer, std::string_view found, std::string_view expected);
  bool empty() const { return messages_.empty(); }
  /// UserError with all messages (of very many, the first ones and their number).
  void throw_if_any() const;

 private:
  std::filesystem::path file_;
  std::vector<std::string> messages_;
};

/// A place in a document. Accessors of a value that is missing or wrong report it once and return a default, so that
/// reading goes on to the next problem; callers must not use results before throw_if_any().
class JsonCursor {
 public:
  JsonCursor(const JsonValue& value, JsonProblems& problems) : value_(&value), problems_(&problems) {}

  /// Member that must be there (else a problem) / may be there. Both expect an object.
  JsonCursor at(std::string_view key) const;
  std::optional<JsonCursor> find(std::string_view key) const;
  /// Every member whose name is not listed is a problem. Expects an object.
  void allow_only(std::span<const std::string_view> keys) const;
  void allow_only(std::initializer_list<std::string_view> keys) const { allow_only(std::span(keys)); }
  /// Elements in order / members in key order.
  std::vector<JsonCursor> items() const;
  std::vector<std::pair<std::string, JsonCursor>> members() const;

  std::uint64_t unsigned_in(std::uint64_t low, std::uint64_t high) const;
  int int_in(int low, int high) const;  ///< 0 <= low
  double number_in(double low, double high) const;
  bool boolean() const;
  /// Any text without control characters, 1..max_bytes bytes.
  std::string string(std::size_t max_bytes = 4096) const;
  /// 64 lower-case hexadecimal digits.
  std::string sha256() const;
  /// A plain file name: no separators, not "." or "..", no drive letter, no leading dash or dot, no control
  /// characters, at most 255 bytes.
  std::string file_name() const;

  bool exists() const { return value_ != nullptr; }
  const JsonValue& value() const;
  const std::string& pointer() const { return pointer_; }
  void expected(std::string_view rule) const;  ///< reports: got <this value>; expected <rule>

 private:
  JsonCursor(const JsonValue* value, JsonProblems& problems, std::string pointer)
      : value_(value), problems_(&problems), pointer_(std::move(pointer)) {}
  bool has(JsonValue::Kind kind, std::string_view rule) const;
  JsonCursor child(const JsonValue* value, std::string_view key) const;

  const JsonValue* value_ = nullptr;  ///< null: missing, already reported
  JsonProblems* problems_;
  std::string pointer_;
};

/// Short text of a value for messages: numbers as written, strings quoted and cut, "object with 3 members".
[[nodiscard]] std::string describe(const JsonValue& value);

/// Why `name` is not a plain file name as JsonCursor::file_name() wants it; empty if it is one.
[[nodiscard]] std::string file_name_problem(std::string_view name);

}  // namespace guardbit::sim
