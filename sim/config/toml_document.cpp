#include "sim/config/toml_document.h"

#include <fmt/format.h>

#include <algorithm>

#include "sim/base/error.h"
#include "sim/base/input_file.h"
#include "sim/config/suggest.h"
#include "sim/config/toml_text.h"

namespace guardbit::sim {
namespace {

constexpr std::uint64_t kMaxDocumentBytes = 1 << 20;

TomlValue to_tree(const toml::node& node) {
  TomlValue tree;
  tree.line = node.source().begin.line;
  tree.value = to_value(node);
  if (const toml::table* table = node.as_table()) {
    tree.is_table = true;
    for (const auto& [name, member] : *table) {
      TomlValue value = to_tree(member);
      value.line = name.source().begin.line != 0 ? name.source().begin.line : value.line;
      tree.members.emplace(std::string(name.str()), std::move(value));
    }
  }
  if (const toml::array* array = node.as_array()) {
    tree.is_array = true;
    for (const toml::node& item : *array) tree.items.push_back(to_tree(item));
  }
  return tree;
}

std::string mismatch(const TomlValue& value, std::string_view expected) {
  return fmt::format("got {}; expected {}", as_written(value.value), expected);
}

}  // namespace

TomlValue read_toml(const std::filesystem::path& file) {
  return to_tree(parse_toml(read_file(file, kMaxDocumentBytes), printable(file.string())));
}

TomlProblems::TomlProblems(const std::filesystem::path& file) : file_(printable(file.string())) {}

void TomlProblems::add(std::uint32_t line, std::string_view key, std::string_view problem) {
  const std::string name = key.empty() ? "" : printable(key) + ": ";
  messages_.emplace(line, fmt::format("{}:{}: {}{}", file_, line, name, problem));
}

void TomlProblems::throw_if_any() const {
  if (messages_.empty()) return;
  std::string text;
  for (const auto& [line, message] : messages_) text += (text.empty() ? "" : "\n") + message;
  throw UserError(ExitCode::kConfiguration, text);
}

std::string TomlCursor::place() const { return fmt::format("{}:{}", problems_->file(), value_->line); }

void TomlCursor::complain(std::string_view problem) const { problems_->add(value_->line, key_, problem); }

void TomlCursor::allow_only(const std::vector<std::string>& keys) const {
  if (!value_->is_table) return complain(mismatch(*value_, "a table"));
  for (const auto& [name, member] : value_->members) {
    if (std::find(keys.begin(), keys.end(), name) != keys.end()) continue;
    problems_->add(member.line, key_.empty() ? name : key_ + "." + name, "unknown key" + did_you_mean(name, keys));
  }
}

std::optional<TomlCursor> TomlCursor::find(std::string_view key) const {
  const auto found = value_->members.find(std::string(key));
  if (found == value_->members.end()) return std::nullopt;
  return TomlCursor(found->second, *problems_, key_.empty() ? std::string(key) : fmt::format("{}.{}", key_, key));
}

std::optional<TomlCursor> TomlCursor::require(std::string_view key) const {
  std::optional<TomlCursor> found = find(key);
  if (!found) complain(fmt::format("got no {}; expected one", key));
  return found;
}

std::vector<TomlCursor> TomlCursor::tables(std::string_view key) const {
  std::vector<TomlCursor> tables;
  const std::optional<TomlCursor> array = find(key);
  if (!array) return tables;
  if (!array->value_->is_array) {
    array->complain(mismatch(*array->value_, fmt::format("tables, [[{}]]", array->key_)));
    return tables;
  }
  for (const TomlValue& item : array->value_->items) {
    TomlCursor cursor(item, *problems_, fmt::format("{}[{}]", array->key_, tables.size()));
    if (!item.is_table) cursor.complain(mismatch(item, "a table"));
    tables.push_back(std::move(cursor));
  }
  return tables;
}

std::string TomlCursor::text(std::string_view key, const std::string& fallback) const {
  const std::optional<TomlCursor> found = find(key);
  if (!found) return fallback;
  const std::string* text = std::get_if<std::string>(&found->value_->value);
  if (text != nullptr && !text->empty()) return *text;
  found->complain(mismatch(*found->value_, "a string that is not empty"));
  return fallback;
}

std::vector<std::string> TomlCursor::texts(std::string_view key) const {
  std::vector<std::string> texts;
  const std::optional<TomlCursor> found = find(key);
  if (!found) return texts;
  if (!found->value_->is_array) {
    found->complain(mismatch(*found->value_, "an array of strings"));
    return texts;
  }
  for (const TomlValue& item : found->value_->items) {
    const std::string* text = std::get_if<std::string>(&item.value);
    if (text != nullptr && !text->empty()) {
      texts.push_back(*text);
    } else {
      problems_->add(item.line, found->key_, mismatch(item, "a string that is not empty"));
    }
  }
  return texts;
}

bool TomlCursor::flag(std::string_view key, bool fallback) const {
  const std::optional<TomlCursor> found = find(key);
  if (!found) return fallback;
  if (const bool* flag = std::get_if<bool>(&found->value_->value)) return *flag;
  found->complain(mismatch(*found->value_, "true or false"));
  return fallback;
}

std::int64_t TomlCursor::integer(std::string_view key, std::int64_t low, std::int64_t high,
                                 std::int64_t fallback) const {
  const std::optional<TomlCursor> found = find(key);
  if (!found) return fallback;
  const std::int64_t* integer = std::get_if<std::int64_t>(&found->value_->value);
  if (integer != nullptr && *integer >= low && *integer <= high) return *integer;
  found->complain(mismatch(*found->value_, fmt::format("an integer {}..{}", low, high)));
  return fallback;
}

double TomlCursor::number(std::string_view key, double low, double high, double fallback) const {
  const std::optional<TomlCursor> found = find(key);
  if (!found) return fallback;
  const ConfigValue& value = found->value_->value;
  const std::int64_t* integer = std::get_if<std::int64_t>(&value);
  const double* real = std::get_if<double>(&value);
  const double number = integer != nullptr ? static_cast<double>(*integer) : (real != nullptr ? *real : low - 1);
  if (number >= low && number <= high) return number;
  found->complain(mismatch(*found->value_, fmt::format("a number {}..{}", low, high)));
  return fallback;
}

}  // namespace guardbit::sim
