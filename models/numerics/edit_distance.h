#pragma once
/// How far two names are from one another: what "did you mean" is based on. Which distance is a typing error is the
/// caller's business.
#include <cstddef>
#include <string_view>

namespace guardbit::numerics {

/// Optimal string alignment: insertions, deletions and substitutions of one character each, and swaps of two
/// neighbours, no part being edited twice. |a| |b| steps. Test: tests/unit/config_fields_test.cpp.
[[nodiscard]] std::size_t edit_distance(std::string_view a, std::string_view b);

}  // namespace guardbit::numerics
