#pragma once
/// A norm's mean and sum of squared deviations in one pass, by Welford's update in every lane and Chan's merges.
#include <span>
#include <vector>

#include "models/kernels/scalar_rounder.h"
#include "models/units/row_blocks.h"

namespace guardbit::units {

struct WelfordResult {
  float mean = 0;
  float squared_deviations = 0;  ///< M2 = sum of (u_j - mean)^2
};

/// Statistics of rows of `num_elements` elements on `lanes` lanes with `interleave` states each. Element j goes to lane
/// j mod lanes; a lane's i-th element (from 0) goes to its state i mod interleave. All states start at mean = M2 = +0.
/// Every operation rounds to the accumulator's format; one line is one rounding:
///
///   update with a state's k-th element u (k from 1)            merge of state b into state a (n_a, n_b elements, n
///   both)
///     delta  = acc(u - mean)                       sum           delta = acc(mean_b - mean_a)          sum
///     mean  := acc(mean + delta * R_k)             sum           mean := acc(mean_a + delta * W)       sum
///     delta2 = acc(u - mean)                       square        q     = acc(delta * delta)            square
///     M2    := acc(M2 + delta * delta2)            sum_of_squares  t   = acc(M2_a + M2_b)              sum_of_squares
///                                                                M2   := acc(t + q * C)                sum_of_squares
///
/// The divisions by counts are multiplications with table entries, prepared offline: binary64 quotients rounded to
/// nearest even in the accumulator's format, without events: R_k = 1 / k, W = n_b / n, C = n_a n_b / n (Chan, Golub,
/// LeVeque 1983). Merges: in every lane states 1, 2, ... into state 0, in that order; then lanes in a tree, neighbours
/// (0, 1), (2, 3), ..., then pairs of pairs, the left one as a. A state without elements is not merged. Events swamped
/// as in accumulator.h. Test: tests/unit/norm_unit_test.cpp.
class Welford {
 public:
  Welford(std::size_t lanes, std::size_t interleave, const kernels::ScalarRounder& accumulator,
          std::size_t num_elements);

  /// u has num_elements values.
  WelfordResult operator()(std::span<const float> u, EventLedger& ledger) const;

 private:
  struct Merge {
    std::size_t into = 0;
    std::size_t from = 0;
    float weight = 0;     ///< W
    float weighting = 0;  ///< C
  };

  std::size_t lanes_;
  std::size_t interleave_;
  kernels::ScalarRounder round_;
  std::vector<float> reciprocals_;  ///< R_1, R_2, ...
  std::vector<Merge> merges_;       ///< in order; state k of lane l is number l * interleave + k
};

}  // namespace guardbit::units
