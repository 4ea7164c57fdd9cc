#pragma once
/// A TOML file as a tree that knows its lines, and strict access to it whose complaints read
/// `<file>:<line>: <key>: got X; expected Y` and are collected, so that one run reports all of them. For files that are
/// not a list of accelerator keys: those are toml_files.h.
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sim/config/fields.h"

namespace guardbit::sim {

struct TomlValue {
  std::uint32_t line = 0;
  ConfigValue value;  ///< arrays and tables: OtherValue
  bool is_array = false;
  bool is_table = false;
  std::vector<TomlValue> items;              ///< of an array
  std::map<std::string, TomlValue> members;  ///< of a table
};

/// The file's top-level table. UserError: kMissingInput or kMalformedInput as InputFile, kConfiguration if it is not
/// TOML (with line and column).
[[nodiscard]] TomlValue read_toml(const std::filesystem::path& file);

/// What is wrong with one file.
class TomlProblems {
 public:
  explicit TomlProblems(const std::filesystem::path& file);
  void add(std::uint32_t line, std::string_view key, std::string_view problem);
  /// UserError kConfiguration with all messages, by line.
  void throw_if_any() const;
  const std::string& file() const { return file_; }

 private:
  std::string file_;
  std::multimap<std::uint32_t, std::string> messages_;
};

/// A place in a document. Accessors of a value that is wrong report it and return their default.
class TomlCursor {
 public:
  TomlCursor(const TomlValue& value, TomlProblems& problems, std::string key = "")
      : value_(&value), problems_(&problems), key_(std::move(key)) {}

  std::uint32_t line() const { return value_->line; }
  /// "suite.toml:12"
  std::string place() const;
  const std::string& key() const { return key_; }

  /// Every member whose name is not listed is a problem ("did you mean"). Expects a table.
  void allow_only(const std::vector<std::string>& keys) const;
  std::optional<TomlCursor> find(std::string_view key) const;
  /// Likewise, and a missing one is a problem.
  std::optional<TomlCursor> require(std::string_view key) const;
  /// The tables of an array of tables, or none if there is no such key.
  std::vector<TomlCursor> tables(std::string_view key) const;

  // Members with a default.
  std::string text(std::string_view key, const std::string& fallback) const;
  std::vector<std::string> texts(std::string_view key) const;  ///< an array of strings; {} if there is none
  bool flag(std::string_view key, bool fallback) const;
  std::int64_t integer(std::string_view key, std::int64_t low, std::int64_t high, std::int64_t fallback) const;
  double number(std::string_view key, double low, double high, double fallback) const;

  /// Reports `<place>: <key>: <problem>`.
  void complain(std::string_view problem) const;

 private:
  const TomlValue* value_;
  TomlProblems* problems_;
  std::string key_;  ///< as messages name it: "replay[0].windows"
};

}  // namespace guardbit::sim
