#pragma once
/// TOML text to the TOML library's tree; for the files of this layer that read one.
#include <toml++/toml.h>

#include <string>
#include <string_view>

#include "sim/config/fields.h"

namespace guardbit::sim {

/// UserError kConfiguration with line and column if `text` is not TOML; `shown_path` names the file in the message.
[[nodiscard]] toml::table parse_toml(std::string_view text, const std::string& shown_path);

/// The value of a node; arrays, tables and dates become OtherValue.
[[nodiscard]] ConfigValue to_value(const toml::node& node);

}  // namespace guardbit::sim
