#pragma once
/// Histograms of exponents and statistics of errors, collected block by block and merged in order.
#include <span>

#include "sim/stats/probe_result.h"

namespace guardbit::sim {

/// Adds a value, which has 2^e <= |value| < 2^(e+1).
void add_value(ExponentHistogram& histogram, double value);
void merge(ExponentHistogram& into, const ExponentHistogram& block);

/// Sums from which ErrorStatistics are made.
class ErrorSums {
 public:
  /// A finite result with its error and exact value; `left_out` for the others.
  void add(double error, double exact);
  void leave_out() { ++num_left_out_; }
  void merge(const ErrorSums& block);
  ErrorStatistics finish() const;

 private:
  std::uint64_t num_compared_ = 0;
  std::uint64_t num_left_out_ = 0;
  std::uint64_t num_exact_ = 0;
  double max_abs_ = 0;
  double max_relative_ = 0;
  double squared_error_ = 0;
  double squared_exact_ = 0;
};

}  // namespace guardbit::sim
