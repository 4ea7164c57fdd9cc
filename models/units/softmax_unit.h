#pragma once
/// Causal row softmax: maximum first, or with a running maximum and a rescaled sum.
#include "models/numerics/rounding.h"
#include "models/units/exp_unit.h"
#include "models/units/row_blocks.h"

namespace guardbit::units {

/// Row r of scores (rows, T) is token first_row + r and uses columns 0 .. min(first_row + r, T - 1); y is +0 elsewhere.
/// f: rounding to the [softmax] format, exp: exp_unit.h, j ascending; one parenthesis is one rounding:
///   two_pass  m = max x_j;  e_j = exp(f(x_j - m)),  S := f(S + e_j) from S = +0;  y_j = storage(f(e_j / S))
///   online    for each block of [softmax] block scores: m' = max(m, block's maximum), from m = -infinity; behind the
///             first block S := f(S * exp(f(m - m'))); m := m'; e_j = exp(f(x_j - m)), S := f(S + e_j);
///             then y_j = storage(f(exp(f(x_j - m)) / S)) with exponentials evaluated again (Milakov and Gimelshein
///             2018). Score and maximum both -infinity: the exponential is +0. Keys that came first were scaled by an
///             earlier maximum: probabilities, not outputs, are rescaled here
/// Events of the differences, exponentials, products, the sum (swamped included) and the quotients at stage vector, of
/// the conversion at stage storage. A NaN, or a maximum that is not finite, makes the row NaN (invalid).
class SoftmaxUnit {
 public:
  SoftmaxUnit(const SoftmaxConfig& config, const numerics::FloatSpec& storage);

  /// y may be scores. Test: tests/unit/softmax_unit_test.cpp.
  void run(MatrixView<const float> scores, std::size_t first_row, MatrixView<float> y, EventLedger& ledger,
           const ParallelFor& parallel_for = {}) const;

 private:
  void two_pass(std::span<float> row, EventCounts& events) const;
  void online(std::span<float> row, EventCounts& events) const;
  float weight(float score, float maximum, EventCounts& events) const;

  bool online_;
  std::size_t block_;
  kernels::ScalarRounder round_;
  kernels::ScalarRounder storage_;
  ExpUnit exp_;
};

}  // namespace guardbit::units
