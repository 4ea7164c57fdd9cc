#pragma once
/// What every reader of TOML text here shares: parsing with one kind of message, values without the library's types,
/// keys as messages write them. Included by sources of sim/config only.
#include <toml++/toml.h>

#include <string>
#include <string_view>

#include "sim/config/fields.h"

namespace guardbit::sim {

/// UserError kConfiguration "<shown_path>:<line>:<column>: not TOML: ..."; text that nests deeper than any key here is
/// refused before it is parsed.
[[nodiscard]] toml::table parse_toml(std::string_view text, const std::string& shown_path);

[[nodiscard]] ConfigValue to_value(const toml::node& node);

[[nodiscard]] bool is_bare_key(std::string_view text);

/// "prefix.name"; a name that is not a bare TOML key is quoted and printable.
[[nodiscard]] std::string joined_key(const std::string& prefix, std::string_view name);

}  // namespace guardbit::sim
