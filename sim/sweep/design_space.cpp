#include "sim/sweep/design_space.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "models/numerics/check.h"
#include "models/numerics/version.h"
#include "sim/base/error.h"

namespace guardbit::sim {
namespace {

/// Index text of the axes "accelerator" and "trace".
std::size_t index_of(const std::string& text, std::size_t count) {
  std::size_t index = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), index);
  if (error != std::errc{} || end != text.data() + text.size() || index >= count) {
    throw UserError(ExitCode::kMalformedInput,
                    fmt::format("got index {}; expected less than {}", printable(text), count));
  }
  return index;
}

/// Quote and backslash escaped, control characters as \u00XX, everything else as it is.
void append_string(std::string& json, std::string_view text) {
  json += '"';
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      json += '\\';
      json += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      json += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    } else {
      json += c;
    }
  }
  json += '"';
}

template <class Map>
void append_object(std::string& json, const Map& members) {
  json += '{';
  bool first = true;
  for (const auto& [key, value] : members) {
    if (!first) json += ',';
    first = false;
    append_string(json, key);
    json += ':';
    append_string(json, value);
  }
  json += '}';
}

}  // namespace

PointResolver::PointResolver(const DesignSpace& space) : space_(space), settings_(std::make_unique<ReplaySettings>()) {
  for (const SpaceAccelerator& accelerator : space.accelerators) {
    accelerators_.emplace_back(accelerator.name, accelerator.keys);
  }
  fields_ = fields_of(*settings_);
  for (const Field& field : fields_) settings_text_[field.key] = value_text(field);
  for (const SpaceAxis& axis : space.axes) {
    Role role = Role::kKey;
    if (axis.key == "accelerator") role = Role::kAccelerator;
    if (axis.key == "trace") role = Role::kTrace;
    if (axis.key == "variant") role = Role::kVariant;
    if (axis.key.starts_with("replay.")) role = Role::kReplay;
    roles_.push_back(role);
  }
  constexpr std::array kOnce = {Role::kAccelerator, Role::kTrace, Role::kVariant};
  const bool complete = std::all_of(kOnce.begin(), kOnce.end(),
                                    [&](Role role) { return std::count(roles_.begin(), roles_.end(), role) == 1; });
  GUARDBIT_CHECK(complete, "a space has one axis each of accelerators, traces and variants");
}

void PointResolver::set_replay(std::size_t axis, const std::string& text) {
  const auto field = std::find_if(fields_.begin(), fields_.end(),
                                  [&](const Field& candidate) { return candidate.key == space_.axes[axis].key; });
  if (field == fields_.end()) {
    throw UserError(ExitCode::kMalformedInput, printable(space_.axes[axis].key) + ": unknown key");
  }
  if (const auto problem = assign(*field, parse_value_text(*field, text))) {
    throw UserError(ExitCode::kMalformedInput, field->key + ": " + *problem);
  }
  settings_text_[field->key] = value_text(*field);
}

void PointResolver::choose(const Choice& choice) {
  GUARDBIT_CHECK(choice.size() == space_.axes.size(), "one value of every axis");
  const auto text = [&](std::size_t axis) -> const std::string& { return space_.axes[axis].values.at(choice[axis]); };
  for (std::size_t axis = 0; axis < roles_.size(); ++axis) {
    if (roles_[axis] == Role::kAccelerator) accelerator_ = &accelerators_[index_of(text(axis), accelerators_.size())];
    if (roles_[axis] == Role::kTrace) trace_ = index_of(text(axis), space_.traces.size());
    if (roles_[axis] == Role::kVariant) variant_ = &text(axis);
    if (roles_[axis] == Role::kReplay) set_replay(axis, text(axis));
  }
  for (std::size_t axis = 0; axis < roles_.size(); ++axis) {
    if (roles_[axis] == Role::kKey) accelerator_->set(space_.axes[axis].key, text(axis));
  }
}

ReplayOptions PointResolver::options() const {
  ReplayOptions options = settings_->options();
  options.variants = {*variant_};
  return options;
}

std::string PointResolver::description() const {
  std::string json = "{\"accelerator\":";
  append_object(json, accelerator_->keys());
  json += ",\"numerics\":";
  append_string(json, numerics::kNumericsVersion);
  json += ",\"replay\":";
  append_object(json, settings_text_);
  json += ",\"schema\":";
  append_string(json, kPointSchema);
  json += ",\"trace\":";
  append_string(json, trace().sha256);
  json += ",\"variant\":";
  append_string(json, *variant_);
  return json + "}";
}

const std::string* PointResolver::value(std::string_view key) const {
  if (key == "accelerator") return &accelerator_->name();
  if (key == "trace") return &trace().name;
  if (key == "variant") return variant_;
  if (const auto setting = settings_text_.find(key); setting != settings_text_.end()) return &setting->second;
  const auto found = accelerator_->keys().find(std::string(key));
  return found == accelerator_->keys().end() ? nullptr : &found->second;
}

}  // namespace guardbit::sim
