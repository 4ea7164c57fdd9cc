#include "sim/trace/strict_json.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <nlohmann/json.hpp>

#include "models/numerics/check.h"
#include "sim/base/error.h"
#include "sim/base/plural.h"
#include "sim/trace/known_formats.h"

namespace guardbit::sim {
namespace {

using Kind = JsonValue::Kind;

/// "a/b~c" -> "a~1b~0c" (RFC 6901).
std::string pointer_token(std::string_view key) {
  std::string token;
  for (const char c : key) {
    if (c == '~') {
      token += "~0";
    } else if (c == '/') {
      token += "~1";
    } else {
      token += c;
    }
  }
  return token;
}

/// Receives the events of nlohmann's parser and builds the tree, checking what the parser does not.
class TreeBuilder : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit TreeBuilder(const JsonLimits& limits) : limits_(limits) {}

  JsonValue take() { return std::move(root_); }
  const std::string& problem() const { return problem_; }

  bool null() override { return add({}); }
  bool boolean(bool value) override {
    JsonValue added;
    added.kind = Kind::kBoolean;
    added.boolean = value;
    return add(std::move(added));
  }
  bool number_unsigned(std::uint64_t value) override {
    JsonValue added;
    added.kind = Kind::kUnsigned;
    added.unsigned_value = value;
    added.number = static_cast<double>(value);
    return add(std::move(added));
  }
  bool number_integer(std::int64_t value) override {
    JsonValue added;
    added.kind = Kind::kNegative;
    added.number = static_cast<double>(value);
    added.text = value == 0 ? "-0" : std::to_string(value);
    return add(std::move(added));
  }
  bool number_float(double value, const std::string& text) override {
    JsonValue added;
    added.kind = Kind::kFloat;
    added.number = value;
    added.text = text;
    return add(std::move(added));
  }
  bool string(std::string& value) override {
    JsonValue added;
    added.kind = Kind::kString;
    added.text = std::move(value);
    return add(std::move(added));
  }
  bool binary(nlohmann::json::binary_t&) override { return fail("binary value"); }

  bool start_object(std::size_t) override { return open(Kind::kObject); }
  bool start_array(std::size_t) override { return open(Kind::kArray); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }

  bool key(std::string& name) override {
    Level& level = levels_.back();
    level.key = name;
    if (level.container->members.size() >= limits_.max_members) {
      return fail(fmt::format("more than {} members; expected at most that many", limits_.max_members));
    }
    const auto [position, is_new] = level.container->members.try_emplace(name);
    if (!is_new) return fail("key given twice; expected one");
    level.slot = &position->second;
    return true;
  }

  bool parse_error(std::size_t position, const std::string&, const nlohmann::json::exception& error) override {
    // "[json.exception.parse_error.101] parse error at line 1, column 2: syntax error while ...": the part after the
    // bracket is for readers.
    std::string_view text = error.what();
    if (const std::size_t end = text.find("] "); end != std::string_view::npos) text.remove_prefix(end + 2);
    problem_ = fmt::format(": got {} (byte {}); expected JSON", text, position);
    return false;
  }

 private:
  struct Level {
    JsonValue* container = nullptr;
    JsonValue* slot = nullptr;  ///< where an object's next value goes
    std::string key;            ///< of that slot
  };

  bool fail(std::string_view text) {
    std::string pointer;
    for (const Level& level : levels_) {
      pointer += '/';
      pointer += level.container->kind == Kind::kObject
                     ? pointer_token(level.key)
                     : std::to_string(std::max<std::size_t>(level.container->items.size(), 1) - 1);
    }
    problem_ = fmt::format("{}{}: got {}", pointer.empty() ? "" : ":", pointer, text);
    return false;
  }

  /// Where the next value goes; null if the document may not hold more.
  JsonValue* next_slot() {
    if (++num_values_ > limits_.max_values) {
      fail(fmt::format("more than {} values; expected at most that many", limits_.max_values));
      return nullptr;
    }
    if (levels_.empty()) return &root_;
    Level& level = levels_.back();
    if (level.container->kind == Kind::kObject) return level.slot;
    return &level.container->items.emplace_back();
  }

  bool add(JsonValue&& value) {
    JsonValue* slot = next_slot();
    if (slot == nullptr) return false;
    *slot = std::move(value);
    return true;
  }

  bool open(Kind kind) {
    JsonValue* slot = next_slot();
    if (slot == nullptr) return false;
    slot->kind = kind;
    if (levels_.size() >= limits_.max_depth) {
      return fail(fmt::format("nesting deeper than {}; expected at most that", limits_.max_depth));
    }
    levels_.push_back({slot, nullptr, {}});
    return true;
  }

  bool close() {
    levels_.pop_back();
    return true;
  }

  JsonLimits limits_;
  JsonValue root_;
  std::vector<Level> levels_;  // containers do not move while open: maps are node based, and an array grows only at its
                               // end, after the element that was open there has been closed
  std::size_t num_values_ = 0;
  std::string problem_;
};

bool has_control_character(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte == 0x7F;
  });
}

}  // namespace

JsonValue parse_json(std::string_view content, const std::filesystem::path& file, const JsonLimits& limits) {
  const auto fail = [&](std::string_view problem) {
    throw UserError(ExitCode::kMalformedInput, fmt::format("{}{}", file.string(), problem));
  };
  if (content.starts_with("\xEF\xBB\xBF")) fail(": got a byte order mark; expected JSON to start at the first byte");
  if (const std::string_view other = other_format(content); !other.empty()) {
    fail(fmt::format(": got no JSON{}; expected JSON", other));
  }
  // nlohmann's lexer takes a NUL for the end of the input and would not look behind it.
  if (content.find('\0') != std::string_view::npos) fail(": got a NUL byte; expected JSON");
  TreeBuilder builder(limits);
  const bool is_valid = nlohmann::json::sax_parse(content.begin(), content.end(), &builder);
  if (!is_valid) fail(builder.problem());
  return builder.take();
}

void JsonProblems::add(std::string_view pointer, std::string_view found, std::string_view expected) {
  const std::string place = pointer.empty() ? "" : fmt::format(":{}", pointer);  // the whole document has no pointer
  messages_.push_back(fmt::format("{}{}: got {}; expected {}", file_.string(), place, found, expected));
}

void JsonProblems::throw_if_any() const {
  constexpr std::size_t kMaxShown = 20;
  if (messages_.empty()) return;
  std::string text = fmt::format(
      "{}", fmt::join(messages_.begin(),
                      messages_.begin() + static_cast<std::ptrdiff_t>(std::min(messages_.size(), kMaxShown)), "\n"));
  if (messages_.size() > kMaxShown) {
    text += fmt::format("\n{}: and {} more {}", file_.string(), messages_.size() - kMaxShown,
                        plural(messages_.size() - kMaxShown, "problem"));
  }
  throw UserError(ExitCode::kMalformedInput, text);
}

std::string describe(const JsonValue& value) {
  constexpr std::size_t kMaxShownBytes = 80;
  switch (value.kind) {
    case Kind::kNull: return "null";
    case Kind::kBoolean: return value.boolean ? "true" : "false";
    case Kind::kUnsigned: return std::to_string(value.unsigned_value);
    case Kind::kNegative:
    case Kind::kFloat: return value.text;
    case Kind::kString:
      return value.text.size() <= kMaxShownBytes
                 ? fmt::format("\"{}\"", value.text)
                 : fmt::format("\"{}...\" ({} bytes)", value.text.substr(0, kMaxShownBytes), value.text.size());
    case Kind::kArray: return fmt::format("an array of {}", value.items.size());
    case Kind::kObject: return fmt::format("an object with {} members", value.members.size());
  }
  return {};  // unreachable
}

std::string file_name_problem(std::string_view name) {
  constexpr std::size_t kMaxNameBytes = 255;
  if (name.empty()) return "it is empty";
  if (name.size() > kMaxNameBytes) return "it is longer than 255 bytes";
  if (has_control_character(name)) return "it has control characters";
  if (name.find_first_of("/\\") != std::string_view::npos) return "it has a path separator";
  if (name.front() == '.' || name.front() == '-') return "it starts with a dot or a dash";
  if (name.find(':') != std::string_view::npos) return "it has a colon";
  return {};
}

const JsonValue& JsonCursor::value() const {
  GUARDBIT_CHECK(value_ != nullptr, "asked exists() first");
  return *value_;
}

void JsonCursor::expected(std::string_view rule) const {
  if (value_ != nullptr) problems_->add(pointer_, describe(*value_), rule);
}

bool JsonCursor::has(Kind kind, std::string_view rule) const {
  if (value_ == nullptr) return false;
  if (value_->kind == kind) return true;
  expected(rule);
  return false;
}

JsonCursor JsonCursor::child(const JsonValue* value, std::string_view key) const {
  return {value, *problems_, pointer_ + "/" + pointer_token(key)};
}

std::optional<JsonCursor> JsonCursor::find(std::string_view key) const {
  if (value_ == nullptr || value_->kind != Kind::kObject) return std::nullopt;
  const auto member = value_->members.find(key);
  if (member == value_->members.end()) return std::nullopt;
  return child(&member->second, key);
}

JsonCursor JsonCursor::at(std::string_view key) const {
  if (!has(Kind::kObject, "an object")) return child(nullptr, key);
  if (const std::optional<JsonCursor> member = find(key)) return *member;
  problems_->add(child(nullptr, key).pointer_, "nothing", "this key");
  return child(nullptr, key);
}

void JsonCursor::allow_only(std::span<const std::string_view> keys) const {
  if (!has(Kind::kObject, "an object")) return;
  for (const auto& [key, member] : value_->members) {
    if (std::find(keys.begin(), keys.end(), key) == keys.end()) {
      problems_->add(child(nullptr, key).pointer_, "an unknown key", fmt::format("one of: {}", fmt::join(keys, ", ")));
    }
  }
}

std::vector<JsonCursor> JsonCursor::items() const {
  std::vector<JsonCursor> result;
  if (!has(Kind::kArray, "an array")) return result;
  result.reserve(value_->items.size());
  for (const JsonValue& item : value_->items) result.push_back(child(&item, std::to_string(result.size())));
  return result;
}

std::vector<std::pair<std::string, JsonCursor>> JsonCursor::members() const {
  std::vector<std::pair<std::string, JsonCursor>> result;
  if (!has(Kind::kObject, "an object")) return result;
  for (const auto& [key, member] : value_->members) result.emplace_back(key, child(&member, key));
  return result;
}

std::uint64_t JsonCursor::unsigned_in(std::uint64_t low, std::uint64_t high) const {
  if (value_ == nullptr) return low;
  if (value_->kind != Kind::kUnsigned || value_->unsigned_value < low || value_->unsigned_value > high) {
    expected(fmt::format("an integer in {}..{}", low, high));
    return low;
  }
  return value_->unsigned_value;
}

int JsonCursor::int_in(int low, int high) const {
  GUARDBIT_CHECK(low >= 0 && high >= low, "a range of non-negative integers");
  return static_cast<int>(unsigned_in(static_cast<std::uint64_t>(low), static_cast<std::uint64_t>(high)));
}

double JsonCursor::number_in(double low, double high) const {
  if (value_ == nullptr) return low;
  const bool is_number =
      value_->kind == Kind::kUnsigned || value_->kind == Kind::kNegative || value_->kind == Kind::kFloat;
  if (!is_number || !(value_->number >= low && value_->number <= high)) {
    expected(fmt::format("a number in {}..{}", low, high));
    return low;
  }
  return value_->number;
}

bool JsonCursor::boolean() const { return has(Kind::kBoolean, "true or false") && value_->boolean; }

std::string JsonCursor::string(std::size_t max_bytes) const {
  if (!has(Kind::kString, "a string")) return {};
  if (value_->text.empty() || value_->text.size() > max_bytes || has_control_character(value_->text)) {
    expected(fmt::format("a string of 1..{} bytes without control characters", max_bytes));
    return {};
  }
  return value_->text;
}

std::string JsonCursor::sha256() const {
  constexpr std::size_t kNumDigits = 64;
  const bool is_hash = value_ != nullptr && value_->kind == Kind::kString && value_->text.size() == kNumDigits &&
                       value_->text.find_first_not_of("0123456789abcdef") == std::string::npos;
  if (!is_hash) {
    expected("a SHA-256 in 64 lower-case hexadecimal digits");
    return {};
  }
  return value_->text;
}

std::string JsonCursor::file_name() const {
  if (!has(Kind::kString, "a file name")) return {};
  if (const std::string problem = file_name_problem(value_->text); !problem.empty()) {
    expected(fmt::format("a plain name of a file in the same directory ({})", problem));
    return {};
  }
  return value_->text;
}

}  // namespace guardbit::sim
