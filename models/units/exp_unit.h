#pragma once
/// The softmax unit's exponential: its method and the format of its result.
#include <vector>

#include "models/kernels/scalar_rounder.h"
#include "models/units/accelerator_config.h"

namespace guardbit::units {

/// e^x for x <= 0 (or NaN), rounded once more to the [softmax] format:
///   polynomial  exp_fp32 (function_unit.h): at most 1 ulp of binary32
///   table       t = x * L rounded to 23 fraction bits (ties to even; fixed point, one rounding), L = fp32(log2 e)
///                 n = floor(t), i = the leading table_bits fraction bits of t, g = the other fraction bits, in 0 .. 1
///                 v = fp32(T_i + g * D_i), T_i = fp32(2^(i / 2^table_bits)), D_i = fp32(T_(i+1) - T_i)
///                 e^x = v * 2^n, rounded to binary32 where it is subnormal; +0 for x <= -104
///               relative error at most 0.0602 * 2^(-2 table_bits) (chord of 2^u) + 2^-24 (|x| / 4 + 3): L is off by
///               0.23 * 2^-24 of itself, t by half of 2^-23 (times ln 2), entries and v by half an ulp each; where the
///               result is subnormal a quantum more. table_bits = 8: 9.2e-7 + 2^-24 (|x| / 4 + 3)
/// The unit is one operator: inexact unless x is 0 or not finite, underflow where the result is subnormal or zero in
/// the format, flushed where it is zero, for a finite x. Test: tests/unit/softmax_unit_test.cpp.
class ExpUnit {
 public:
  explicit ExpUnit(const SoftmaxConfig& config);
  float operator()(float x, kernels::EventCounts& events) const;

 private:
  float by_table(float x) const;

  int table_bits_;
  kernels::ScalarRounder round_;
  float min_normal_;
  std::vector<float> entries_;      ///< T_i; empty: polynomial
  std::vector<float> differences_;  ///< D_i
};

}  // namespace guardbit::units
