#include "sim/probe/value_statistics.h"

#include <algorithm>
#include <cmath>

namespace guardbit::sim {

void add_value(ExponentHistogram& histogram, double value) {
  if (std::isnan(value)) {
    ++histogram.num_nans;
  } else if (std::isinf(value)) {
    ++histogram.num_infinities;
  } else if (value == 0) {
    ++histogram.num_zeros;
  } else {
    ++histogram.exponents[std::ilogb(value)];
  }
}

void merge(ExponentHistogram& into, const ExponentHistogram& block) {
  for (const auto& [exponent, count] : block.exponents) into.exponents[exponent] += count;
  into.num_zeros += block.num_zeros;
  into.num_infinities += block.num_infinities;
  into.num_nans += block.num_nans;
}

void ErrorSums::add(double error, double exact) {
  ++num_compared_;
  if (error == 0) ++num_exact_;
  max_abs_ = std::max(max_abs_, std::fabs(error));
  if (exact != 0) max_relative_ = std::max(max_relative_, std::fabs(error / exact));
  squared_error_ += error * error;
  squared_exact_ += exact * exact;
}

void ErrorSums::merge(const ErrorSums& block) {
  num_compared_ += block.num_compared_;
  num_left_out_ += block.num_left_out_;
  num_exact_ += block.num_exact_;
  max_abs_ = std::max(max_abs_, block.max_abs_);
  max_relative_ = std::max(max_relative_, block.max_relative_);
  squared_error_ += block.squared_error_;
  squared_exact_ += block.squared_exact_;
}

ErrorStatistics ErrorSums::finish() const {
  ErrorStatistics result;
  result.num_compared = num_compared_;
  result.num_left_out = num_left_out_;
  result.num_exact = num_exact_;
  result.max_abs = max_abs_;
  result.max_relative = max_relative_;
  if (num_compared_ != 0) result.rms = std::sqrt(squared_error_ / static_cast<double>(num_compared_));
  if (squared_exact_ != 0) result.relative_rms = std::sqrt(squared_error_ / squared_exact_);
  return result;
}

}  // namespace guardbit::sim
