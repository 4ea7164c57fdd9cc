#pragma once
/// Reciprocal square root by table and Newton steps, every operation rounded to one format.
#include <vector>

#include "models/kernels/scalar_rounder.h"
#include "models/units/arithmetic.h"

namespace guardbit::units {

/// 1 / sqrt(v) for v >= 0:
///   1  v = f * 4^h, 1 <= f < 4 (exact)
///   2  y = table[parity of v's exponent, leading table_bits - 1 trailing bits of v]: entry = format(1 / sqrt(midpoint
///      of the entry's interval)); [1, 2) and [2, 4) have 2^(table_bits - 1) equal intervals each
///   3  newton_steps times: a = format(y * y), b = format(g * a), c = format(1.5 - b), y = format(y * c), where
///      g = format(f / 2)
///   4  format(y * 2^-h)
/// Relative error in a wide format: 2^-(table_bits + 1) from the table, 1.5 e^2 after each Newton step (6 bits: 7.8e-3,
/// 9.2e-5, 1.3e-8). Infinity gives +0; zero gives the format's delivery of infinity (conversion_spec); a NaN stays; a
/// negative operand gives NaN with event invalid. Test: tests/unit/rsqrt_unit_test.cpp.
class RsqrtUnit {
 public:
  explicit RsqrtUnit(const RsqrtConfig& config);
  float operator()(float v, kernels::EventCounts& events) const;

 private:
  int table_bits_;
  int newton_steps_;
  kernels::ScalarRounder round_;
  std::vector<float> table_;  // (2^table_bits): [1, 2) first
};

}  // namespace guardbit::units
