#include "sim/config/toml_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "sim/base/error.h"
#include "sim/base/input_file.h"
#include "sim/config/toml_text.h"

namespace guardbit::sim {
namespace {

namespace fs = std::filesystem;

/// Absolute path with symbolic links resolved as far as that is possible.
fs::path canonical_path(const fs::path& path) {
  std::error_code error;
  const fs::path absolute = fs::absolute(path, error);
  if (error) return path.lexically_normal();
  const fs::path canonical = fs::weakly_canonical(absolute, error);
  return error ? absolute.lexically_normal() : canonical;
}

/// A file as messages name it.
struct FileName {
  std::string shown;
  std::size_t index = 0;
};

/// Appends all tables and values below `table`, a table before what it holds.
void flatten(const toml::table& table, const std::string& prefix, const FileName& file,
             std::vector<ConfigEntry>& entries) {
  for (const auto& [name, node] : table) {
    const std::string_view text = name.str();
    ConfigEntry entry;
    entry.key = joined_key(prefix, text);
    entry.line = name.source().begin.line;
    entry.file_index = file.index;
    entry.place = fmt::format("{}:{}", file.shown, entry.line);
    entry.is_section = node.is_table();
    if (!entry.is_section) entry.value = to_value(node);
    const std::string key = entry.key;
    entries.push_back(std::move(entry));
    if (const toml::table* inner = node.as_table()) flatten(*inner, key, file, entries);
  }
}

/// Reads one file after the files it extends.
class Reader {
 public:
  explicit Reader(const fs::path& root) : root_(canonical_path(root).parent_path()) {}

  void read(const fs::path& path) {
    FileName file{.shown = printable(path.string())};
    toml::table table = parse_toml(read_file(path, kMaxConfigBytes), file.shown);
    stack_.push_back(canonical_path(path));
    std::vector<PlacedProblem> problems;
    for (const Base& base : bases_of(table, problems)) extend(path, base, problems);
    stack_.pop_back();
    check_schema(table, problems);
    table.erase("extends");
    table.erase("schema");
    file.index = result_.num_files++;
    for (PlacedProblem& problem : problems) {
      result_.problems.push_back(
          {file.index, problem.line, fmt::format("{}:{}: {}", file.shown, problem.line, problem.text)});
    }
    flatten(table, "", file, result_.entries);
  }

  ConfigEntries take() { return std::move(result_); }

 private:
  struct Base {
    std::string path;
    std::uint32_t line = 0;
  };

  static void check_schema(const toml::table& table, std::vector<PlacedProblem>& problems) {
    const toml::node* node = table.get("schema");
    if (node == nullptr) return;
    const ConfigValue value = to_value(*node);
    if (value == ConfigValue(std::string(kAcceleratorSchema))) return;
    problems.push_back(
        {0, node->source().begin.line,
         fmt::format("schema: got {}; expected \"{}\"; is the file made for another version of guardbit?",
                     describe(value), kAcceleratorSchema)});
  }

  static std::vector<Base> bases_of(const toml::table& table, std::vector<PlacedProblem>& problems) {
    const toml::node* node = table.get("extends");
    if (node == nullptr) return {};
    std::vector<Base> bases;
    const auto complain = [&](const toml::node& culprit) {
      problems.push_back({0, culprit.source().begin.line,
                          "extends: got " + describe(to_value(culprit)) + "; expected an array of file names"});
    };
    const toml::array* array = node->as_array();
    if (array == nullptr) {
      complain(*node);
      return {};
    }
    for (const toml::node& element : *array) {
      const auto* name = element.as_string();
      if (name == nullptr) {
        complain(element);
      } else {
        bases.push_back({name->get(), element.source().begin.line});
      }
    }
    return bases;
  }

  void extend(const fs::path& from, const Base& base, std::vector<PlacedProblem>& problems) {
    const auto expected = [&](const std::string& what) {
      problems.push_back(
          {0, base.line, fmt::format("extends: got {}; expected {}", describe(ConfigValue(base.path)), what)});
    };
    const fs::path path = (from.parent_path() / base.path).lexically_normal();
    const fs::path canonical = canonical_path(path);
    const fs::path inside = canonical.lexically_relative(root_);
    std::error_code error;
    if (base.path.find('\0') != std::string::npos) {
      expected("a file name without NUL characters");
    } else if (fs::path(base.path).is_absolute() || inside.empty() || *inside.begin() == "..") {
      expected("a relative path inside the directory of the first file");
    } else if (std::find(stack_.begin(), stack_.end(), canonical) != stack_.end()) {
      expected("a file that does not extend this one in turn (cycle)");
    } else if (stack_.size() >= static_cast<std::size_t>(kMaxExtendsDepth)) {
      expected(fmt::format("a chain of at most {} files", kMaxExtendsDepth));
    } else if (result_.num_files >= kMaxConfigFiles) {
      expected(fmt::format("at most {} files in all", kMaxConfigFiles));
    } else if (!fs::is_regular_file(path, error)) {
      expected("an existing file");
    } else {
      read(path);
    }
  }

  fs::path root_;                // directory tree that files may come from
  std::vector<fs::path> stack_;  // canonical paths of the files being read
  ConfigEntries result_;
};

}  // namespace

void refuse_problems(std::vector<PlacedProblem> problems) {
  if (problems.empty()) return;
  std::stable_sort(problems.begin(), problems.end(), [](const PlacedProblem& a, const PlacedProblem& b) {
    return std::tie(a.file_index, a.line) < std::tie(b.file_index, b.line);
  });
  std::string text;
  for (const PlacedProblem& problem : problems) text += (text.empty() ? "" : "\n") + problem.text;
  throw UserError(ExitCode::kConfiguration, text);
}

ConfigEntries read_config_files(const fs::path& path) {
  Reader reader(path);
  reader.read(path);
  return reader.take();
}

ConfigEntry parse_override(std::string_view text, std::string& problem) {
  const auto malformed = [&](const std::string& why) {
    problem = "--set: got \"" + printable(text) + "\"; expected section.key=value" + why;
    return ConfigEntry{};
  };
  const std::size_t equals = text.find('=');
  if (equals == std::string_view::npos || equals == 0) return malformed("");
  const std::string_view key = text.substr(0, equals);
  const bool bare = std::all_of(key.begin(), key.end(), [](char c) { return c == '.' || is_bare_key({&c, 1}); });
  if (!bare) return malformed("");
  const std::string value(text.substr(equals + 1));
  ConfigEntry entry{.key = std::string(key), .place = "--set", .value = value};
  const bool word = std::all_of(value.begin(), value.end(), [](char c) {
    return c == '.' || c == '+' || is_bare_key({&c, 1});
  });
  if (value.empty() || value == "nan" || value == "inf") return entry;  // words: no key takes such a number
  if (value.find_first_of("\n\r") != std::string::npos) return malformed(" on one line");
  try {
    const toml::table table = toml::parse("value = " + value);
    entry.value = to_value(*table.get("value"));
  } catch (const toml::parse_error& error) {
    if (!word) return malformed(fmt::format(" (value: {})", printable(error.description())));
  }
  return entry;
}

}  // namespace guardbit::sim
