#pragma once
/// "Did you mean": the nearest of a list of names.
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace guardbit::sim {

/// The candidate nearest to `name` if it is near enough to be a typo (at most a third of the name's length, at least 1,
/// at most 3 edits); the first of equally near ones.
[[nodiscard]] std::optional<std::string> nearest(std::string_view name, std::span<const std::string> candidates);

/// "; did you mean X?" of the nearest, or nothing.
[[nodiscard]] std::string did_you_mean(std::string_view name, std::span<const std::string> candidates);

/// The same among the registered number formats, floats and blocks.
[[nodiscard]] std::string did_you_mean_format(std::string_view name);

}  // namespace guardbit::sim
