#pragma once
/// How a config struct describes its keys. Each unit's config struct lists its members once in visit_fields(); the TOML
/// reader, range checks, error texts, the generated key reference and config dumps all walk that list.
#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "models/numerics/float_format.h"
#include "models/numerics/int_format.h"
#include "models/numerics/rounding.h"

namespace guardbit::units {

/// What is said of a key. `unit` is "cycles", "bytes", "elements", "" for none.
struct FieldInfo {
  std::string_view key;
  std::string_view unit;
  std::string_view sentence;  ///< one sentence, printed by `guardbit config schema`
};

/// Allowed values, by kind of member. A member is one of: bool, std::int64_t with IntRange, double with RealRange,
/// std::string with OneOf, std::string with FormatName (a registered float format, eXmY, or intN where `integers`) or
/// with FixedFormatName.
struct IntRange {
  std::int64_t min = 0;
  std::int64_t max = std::numeric_limits<std::int64_t>::max();
};
struct RealRange {
  double min = 0;
  double max = 0;
};
struct OneOf {
  std::span<const std::string_view> values;
};
struct FormatName {
  bool integers = false;  ///< intN accepted
  bool empty = false;     ///< "" accepted, meaning none
  bool exact = false;     ///< "exact" accepted (accumulator.product)
};
/// A fixed-point format q<I>.<F>.
struct FixedFormatName {};
struct AnyBool {};

/// A violated rule between keys: `key` is relative to the struct, `message` says what was found and what is expected.
struct ConfigProblem {
  std::string key;
  std::string message;
};

inline constexpr std::array<std::string_view, 7> kRoundingValues = {"rne", "rtz", "rup",       "rdn",
                                                                    "rna", "odd", "stochastic"};
/// Of values that no random generator reaches.
inline constexpr std::array<std::string_view, 6> kDeterministicRoundingValues = {"rne", "rtz", "rup",
                                                                                 "rdn", "rna", "odd"};
inline constexpr std::array<std::string_view, 3> kOverflowValues = {"infinity", "nan", "saturate"};
inline constexpr std::array<std::string_view, 2> kSubnormalValues = {"keep", "flush"};
inline constexpr std::array<std::string_view, 2> kIntOverflowValues = {"wrap", "saturate"};

}  // namespace guardbit::units
