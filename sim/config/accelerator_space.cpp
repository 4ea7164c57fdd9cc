#include "sim/config/accelerator_space.h"

#include <fmt/format.h>

#include <utility>

#include "models/numerics/check.h"
#include "sim/base/error.h"
#include "sim/base/sha256.h"

namespace guardbit::sim {

AcceleratorSpace::AcceleratorSpace(std::string name, const std::map<std::string, std::string>& keys)
    : name_(std::move(name)), config_(std::make_unique<units::AcceleratorConfig>()), fields_(fields_of(*config_)) {
  for (const Field& field : fields_) by_key_[field.key] = &field;
  for (const auto& [key, text] : keys) set(key, text);
  for (const Field& field : fields_) {
    if (!keys_.contains(field.key)) {
      throw UserError(ExitCode::kMalformedInput, fmt::format("{}: {}: missing; expected every key", name_, field.key));
    }
  }
}

void AcceleratorSpace::set(const std::string& key, std::string_view text) {
  const auto found = by_key_.find(key);
  if (found == by_key_.end()) {
    throw UserError(ExitCode::kMalformedInput, fmt::format("{}: {}: unknown key", name_, printable(key)));
  }
  const Field& field = *found->second;
  if (const auto problem = assign(field, parse_value_text(field, text))) {
    throw UserError(ExitCode::kMalformedInput, fmt::format("{}: {}: {}", name_, key, *problem));
  }
  keys_[key] = value_text(field);
}

LoadedAccelerator AcceleratorSpace::resolved() const {
  LoadedAccelerator loaded;
  loaded.config = *config_;
  loaded.name = name_;
  loaded.keys = keys_;
  loaded.sha256 = sha256_of_keys(keys_);
  return loaded;
}

std::vector<std::string> texts_of(std::span<const ConfigEntry> entries) {
  units::AcceleratorConfig config;
  std::map<std::string, Field> fields;
  for (Field& field : fields_of(config)) fields.emplace(field.key, field);
  std::vector<std::string> texts;
  for (const ConfigEntry& entry : entries) {
    const auto field = fields.find(entry.key);
    GUARDBIT_CHECK(field != fields.end() && !assign(field->second, entry.value), "entries are checked");
    texts.push_back(value_text(field->second));
  }
  return texts;
}

}  // namespace guardbit::sim
