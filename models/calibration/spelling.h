#pragma once
/// Suggestions for mistyped names.
#include <span>
#include <string>
#include <string_view>

namespace guardbit::calibration {

/// "; known: a, b, c" and, if one of them is at most two edits (numerics/edit_distance.h) and less than
/// the length of `text` away from it, capital letters taken for small ones, "; did you mean \"b\"?". Without names
/// "; known: none".
std::string known_names(std::string_view text, std::span<const std::string_view> names);

/// `text` with small letters for ASCII's capital ones.
std::string lower_case(std::string_view text);

}  // namespace guardbit::calibration
