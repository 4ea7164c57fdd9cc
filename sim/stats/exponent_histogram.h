#pragma once
/// How values spread over the exponents of a format.
#include <cstdint>
#include <map>

namespace guardbit::sim {

/// Exponents of values: e with 2^e <= |value| < 2^(e+1), and what has none.
struct ExponentHistogram {
  std::map<int, std::uint64_t> exponents;
  std::uint64_t num_zeros = 0;
  std::uint64_t num_infinities = 0;
  std::uint64_t num_nans = 0;
  friend bool operator==(const ExponentHistogram&, const ExponentHistogram&) = default;
};

}  // namespace guardbit::sim
