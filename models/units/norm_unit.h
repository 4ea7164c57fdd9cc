#pragma once
/// LayerNorm and RMSNorm as the norm unit computes them: a static input scale, lane trees and interleaved accumulators,
/// statistics, a table and Newton reciprocal square root, normalization. Every operation rounds to a configured format.
#include <span>
#include <vector>

#include "models/kernels/scalar_rounder.h"
#include "models/units/arithmetic.h"
#include "models/units/row_blocks.h"
#include "models/units/rsqrt_unit.h"
#include "models/units/welford.h"

namespace guardbit::units {

struct NormParameters {
  bool layer_norm = true;          ///< false: RMSNorm, no mean
  std::span<const float> gamma{};  ///< (d), or empty: 1
  std::span<const float> beta{};   ///< (d), or empty: 0
  double epsilon = 1e-5;           ///< of the unscaled norm
  double input_scale = 1;          ///< static scale s > 0; the unit works on x / s
  bool dynamic_scale = false;      ///< s is found in every row instead; input_scale is 1 then
};

/// A row's statistics as the hardware has them, of the scaled input.
struct NormTrace {
  float reciprocal_scale = 1;  ///< r
  float sum_of_squares = 0;    ///< two_pass and welford: of the centred values
  float mean = 0;              ///< 0 for RMSNorm
  float variance = 0;          ///< RMSNorm: mean square; epsilon not added
  float inv_std = 0;
  EventCounts events;  ///< of the row's statistics: stages scaled_input to rsqrt
};

/// The steps for one row x_0..x_(d-1), with the format that each rounds to, its rounding stage, and its stage of
/// events:
///   0  dynamic scale: M = max_j |x_j|, NaNs ignored, 1 for a row of zeros, held within 2^-126 .. largest finite fp32;
///      scale = "exact": r = fp32(1/M); "pow2": s = the smallest power of two >= M (2^127 at most), r = 1/s exactly;
///      static scale: r = fp32(1/s), prepared offline                                     scaled_input
///   1  u_j = input(x_j * r)                                                              scaled_input
///   2  S = total of u_j (LayerNorm)                                                      sum
///   3  mean = arithmetic(S * i), i = arithmetic(1/d); RMSNorm: 0                         statistics
///   4  one_pass, RMSNorm: q_j = acc(u_j * u_j);                                          square
///      two_pass: c_j = input(u_j - mean), q_j = acc(c_j * c_j)                           square
///   5  Q = total of q_j                                                                  sum_of_squares
///      welford (LayerNorm), instead of 2 to 5: mean = arithmetic(its mean), Q = its M2 (welford.h)
///   6  m = arithmetic(Q * i); one_pass LayerNorm: variance = arithmetic(m - arithmetic(mean * mean)), negative
///      ones become +0; else variance = m                                                 statistics
///   7  v = arithmetic(variance + e), e = arithmetic(epsilon); epsilon = "rescaled": of epsilon / s^2, with a dynamic
///      scale e = arithmetic(arithmetic(arithmetic(epsilon) * r) * r)                     statistics
///   8  inv_std = rsqrt(v) (rsqrt_unit.h)                                                 rsqrt
///   9  n_j = arithmetic(arithmetic(u_j - mean) * inv_std) (RMSNorm without the difference), then
///      arithmetic(n_j * gamma_j + beta_j), one rounding (no addition without beta)       normalize
///  10  y_j = storage(...)                                                                storage
/// The constants i, epsilon and gamma, beta in the arithmetic format, and r and e of a static scale, are register
/// contents prepared offline: their rounding raises no events.
/// A total adds `lanes` consecutive values per step in a tree (neighbours, then pairs of pairs; the last partial group
/// is padded with +0), then acc_k = acc(acc_k + root), k = step mod interleave, and merges acc_0 = acc(acc_0 + acc_k),
/// k ascending; all start at +0. Every node rounds to the accumulator's format; swamped as in accumulator.h. Input,
/// arithmetic and storage conversions are conversion_spec's. Test: tests/unit/norm_unit_test.cpp.
class NormUnit {
 public:
  NormUnit(const NormConfig& config, const numerics::FloatSpec& storage);

  /// y (T, d) = norm of the rows of x (T, d); x holds carriers of any format. y may be x.
  /// @param traces  if not null: resized to T, one entry per row
  void run(MatrixView<const float> x, const NormParameters& parameters, MatrixView<float> y, EventLedger& ledger,
           std::vector<NormTrace>* traces = nullptr, const ParallelFor& parallel_for = {}) const;

 private:
  struct Constants;
  struct Scratch;
  Constants constants_of(const NormParameters& parameters, std::size_t num_elements) const;
  float dynamic_reciprocal(std::span<const float> x, EventCounts& events) const;
  float row_epsilon(const Constants& constants, float reciprocal_scale, EventCounts& events) const;
  void sums(const Constants& constants, Scratch& scratch, NormTrace& trace, EventLedger& ledger) const;
  void statistics(const Constants& constants, Scratch& scratch, NormTrace& trace, EventLedger& ledger) const;
  void normalize(const Constants& constants, const NormTrace& trace, std::span<const float> u, MatrixView<float> y,
                 std::size_t row, EventLedger& ledger) const;
  float total(std::span<const float> values, Scratch& scratch, EventCounts& events) const;

  std::size_t lanes_;
  std::size_t interleave_;
  bool two_pass_;
  bool welford_;
  bool rescale_epsilon_;
  bool pow2_scale_;
  kernels::ScalarRounder input_;
  kernels::ScalarRounder accumulator_;
  kernels::ScalarRounder arithmetic_;
  kernels::ScalarRounder storage_;
  kernels::ScalarRounder divider_;  ///< fp32
  RsqrtUnit rsqrt_;
};

}  // namespace guardbit::units
