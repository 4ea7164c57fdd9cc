#pragma once
/// One accelerator under many settings: its files are read once, then every point costs microseconds. Messages about
/// keys are those of accelerator.h.
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sim/config/accelerator.h"
#include "sim/config/toml_files.h"

namespace guardbit::sim {

class AcceleratorSpace {
 public:
  /// @param keys  LoadedAccelerator::keys: every key. UserError kMalformedInput if a key is missing, unknown or has a
  /// text
  ///              that it does not accept (a plan of another version).
  AcceleratorSpace(std::string name, const std::map<std::string, std::string>& keys);

  /// Sets a key, for good, to a value as value_text() writes it; UserError kMalformedInput as above.
  void set(const std::string& key, std::string_view text);

  const std::string& name() const { return name_; }
  const units::AcceleratorConfig& config() const { return *config_; }
  const std::map<std::string, std::string>& keys() const { return keys_; }
  /// What is set now, as load_accelerator() would give it; without origins.
  [[nodiscard]] LoadedAccelerator resolved() const;

 private:
  std::string name_;
  std::unique_ptr<units::AcceleratorConfig> config_;  // the fields point into it
  std::vector<Field> fields_;
  std::map<std::string, const Field*, std::less<>> by_key_;
  std::map<std::string, std::string> keys_;
};

/// What is wrong with each entry by itself: unknown keys (with hints), wrong types, values out of range.
[[nodiscard]] std::vector<PlacedProblem> problems_of(std::span<const ConfigEntry> entries);

/// The values of entries that problems_of() accepts, as value_text() writes them.
[[nodiscard]] std::vector<std::string> texts_of(std::span<const ConfigEntry> entries);

}  // namespace guardbit::sim
