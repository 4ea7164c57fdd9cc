#include "sim/config/accelerator.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "sim/base/error.h"
#include "sim/base/sha256.h"
#include "sim/config/accelerator_space.h"
#include "sim/config/fields.h"
#include "sim/config/suggest.h"
#include "sim/config/toml_files.h"

namespace guardbit::sim {
namespace {

/// Applies entries to a configuration, one after the other, and collects what is wrong with them.
class Binder {
 public:
  explicit Binder(units::AcceleratorConfig& config) : fields_(fields_of(config)) {
    for (const Field& field : fields_) {
      by_key_[field.key] = &field;
      origins_[field.key] = "default";
      // "norm.accumulator" implies "norm", whether or not that has keys of its own.
      for (std::string section = field.section;;) {
        sections_.insert(section);
        const std::size_t dot = section.rfind('.');
        if (dot == std::string::npos) break;
        section.resize(dot);
      }
    }
  }

  /// The problem with `entry`, or nothing if it was applied (or lies in a section that was reported before).
  std::optional<PlacedProblem> apply(const ConfigEntry& entry) {
    if (is_below_unknown_section(entry)) return std::nullopt;
    const auto found = by_key_.find(entry.key);
    const bool section_known = sections_.contains(entry.key);
    std::optional<std::string> problem;
    if (entry.is_section) {
      if (section_known) return std::nullopt;
      unknown_sections_.insert({entry.file_index, entry.key});
      problem = found != by_key_.end() ? "got a table; expected " + describe(found->second->rule, found->second->unit)
                                       : "unknown section" + hint(entry.key);
    } else if (found != by_key_.end()) {
      problem = assign(*found->second, entry.value);
      if (!problem) origins_[entry.key] = entry.place;
    } else if (section_known) {
      problem = "got " + describe(entry.value) + "; expected a section, [" + entry.key + "]";
    } else {
      const auto [known, is_new] = hints_.try_emplace(entry.key);  // the values of a sweep's axis have one key
      if (is_new) known->second = hint(entry.key);
      problem = "unknown key" + known->second;
    }
    if (!problem) return std::nullopt;
    return PlacedProblem{entry.file_index, entry.line,
                         fmt::format("{}: {}: {}", entry.place, printable(entry.key), *problem)};
  }

  const std::vector<Field>& fields() const { return fields_; }
  const std::map<std::string, std::string>& origins() const { return origins_; }

 private:
  bool is_below_unknown_section(const ConfigEntry& entry) const {
    for (std::size_t dot = entry.key.find('.'); dot != std::string::npos; dot = entry.key.find('.', dot + 1)) {
      if (unknown_sections_.contains({entry.file_index, entry.key.substr(0, dot)})) return true;
    }
    return false;
  }

  /// "; did you mean norm.lanes?": a key of that section, else the same last part in a section (nearly) of that name or
  /// in another one, else a key or section nearly of that name.
  std::string hint(const std::string& key) const {
    const std::string last = key.substr(key.rfind('.') + 1);
    std::vector<std::string> names(sections_.begin(), sections_.end());
    std::vector<std::string> same_last_part;
    std::optional<std::string> in_section;
    std::vector<std::string> siblings;
    for (const Field& field : fields_) {
      names.push_back(field.key);
      if (field.key.ends_with("." + last)) same_last_part.push_back(field.key);
      if (key == field.section + "." + last) siblings.push_back(field.key.substr(field.section.size() + 1));
    }
    if (const auto sibling = nearest(last, siblings)) in_section = key.substr(0, key.size() - last.size()) + *sibling;
    auto found = in_section;
    if (!found) found = nearest(key, same_last_part);
    if (!found && !same_last_part.empty()) found = same_last_part.front();
    if (!found) found = nearest(key, names);
    return found ? "; did you mean " + *found + "?" : "";
  }

  std::vector<Field> fields_;
  std::map<std::string, const Field*> by_key_;
  std::set<std::string> sections_;
  std::set<std::pair<std::size_t, std::string>> unknown_sections_;  // by file: their keys are not reported again
  std::map<std::string, std::string> origins_;
  std::map<std::string, std::string> hints_;  // of unknown keys
};

/// Parses overrides; the same key may be set twice only to the same value.
std::vector<ConfigEntry> parse_overrides(std::span<const std::string> texts, std::size_t file_index,
                                         std::vector<PlacedProblem>& problems) {
  std::vector<ConfigEntry> entries;
  for (const std::string& text : texts) {
    std::string problem;
    ConfigEntry entry = parse_override(text, problem);
    if (!problem.empty()) {
      problems.push_back({file_index, 0, problem});
      continue;
    }
    entry.file_index = file_index;
    const auto twin =
        std::find_if(entries.begin(), entries.end(), [&](const ConfigEntry& other) { return other.key == entry.key; });
    if (twin == entries.end()) {
      entries.push_back(std::move(entry));
    } else if (twin->value != entry.value) {
      problems.push_back({file_index, 0,
                          fmt::format("--set: {}: got {} and {}; expected one value", printable(entry.key),
                                      describe(twin->value), describe(entry.value))});
    }
  }
  return entries;
}

/// Entries of files and then overrides, bound and checked. `default_place` is where rules between defaults are broken.
LoadedAccelerator resolve(ConfigEntries files, std::span<const std::string> overrides, ConfigScope scope,
                          const std::string& name, const std::string& default_place) {
  LoadedAccelerator loaded;
  loaded.name = name;
  std::vector<PlacedProblem> problems = std::move(files.problems);
  std::vector<ConfigEntry> entries = std::move(files.entries);
  for (ConfigEntry& entry : parse_overrides(overrides, files.num_files, problems)) entries.push_back(std::move(entry));
  Binder binder(loaded.config);
  for (const ConfigEntry& entry : entries) {
    if (auto problem = binder.apply(entry)) problems.push_back(std::move(*problem));
  }
  refuse_problems(std::move(problems));

  loaded.origins = binder.origins();
  // Rules between keys speak of resolved values, so they are checked only when every single value is good.
  for (const units::ConfigProblem& problem : loaded.config.cross_field_problems()) {
    const bool of_linear = problem.key.starts_with("array.") || problem.key.starts_with("accumulator.");
    if (scope == ConfigScope::kLinear && !of_linear) continue;
    const auto origin = loaded.origins.find(problem.key);
    const bool set = origin != loaded.origins.end() && origin->second != "default";
    const std::string place = set ? origin->second : default_place;
    problems.push_back({0, 0, fmt::format("{}: {}: {}", place, problem.key, problem.message)});
  }
  refuse_problems(std::move(problems));

  for (const Field& field : binder.fields()) loaded.keys[field.key] = value_text(field);
  loaded.sha256 = sha256_of_keys(loaded.keys);
  return loaded;
}

}  // namespace

std::string sha256_of_keys(const std::map<std::string, std::string>& keys) {
  std::string canonical;
  for (const auto& [key, value] : keys) canonical += key + "=" + value + "\n";
  return sha256_hex(canonical);
}

std::vector<PlacedProblem> problems_of(std::span<const ConfigEntry> entries) {
  units::AcceleratorConfig config;
  Binder binder(config);
  std::vector<PlacedProblem> problems;
  for (const ConfigEntry& entry : entries) {
    if (auto problem = binder.apply(entry)) problems.push_back(std::move(*problem));
  }
  return problems;
}

LoadedAccelerator load_accelerator(const std::filesystem::path& path, std::span<const std::string> overrides,
                                   ConfigScope scope) {
  return resolve(read_config_files(path), overrides, scope, printable(path.stem().string()), printable(path.string()));
}

LoadedAccelerator default_accelerator(std::span<const std::string> overrides, ConfigScope scope) {
  return resolve({}, overrides, scope, "default", "defaults");
}

}  // namespace guardbit::sim
