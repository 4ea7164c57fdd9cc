#pragma once
/// Exponents of many values, counted in integer arithmetic.
#include <cstdint>
#include <span>
#include <vector>

#include "sim/stats/exponent_histogram.h"

namespace guardbit::sim {

/// Test: tests/unit/value_observer_test.cpp.
class ExponentCounter {
 public:
  void add(std::span<const float> values);
  /// Not a subnormal of binary64, which no square of a binary32 value is.
  void add(double value);
  ExponentHistogram histogram() const;

 private:
  std::vector<std::uint64_t> by_field_ = std::vector<std::uint64_t>(2048);  ///< by binary64's exponent field
  std::uint64_t num_zeros_ = 0;
  std::uint64_t num_infinities_ = 0;
  std::uint64_t num_nans_ = 0;
};

}  // namespace guardbit::sim
