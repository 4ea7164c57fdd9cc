#pragma once
/// What one norm saw over all windows: row lengths before and after its scale, events by token, exponents of squares.
#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "models/transformer/model.h"
#include "models/units/norm_unit.h"
#include "sim/replay/exponent_counter.h"
#include "sim/stats/value_reports.h"

namespace guardbit::sim {

/// Appends the length ||row|| of every row whose elements are all finite.
void add_lengths(numerics::MatrixView<const float> rows, std::vector<float>& lengths);

/// Adds the events of rows that follow one another, `rows_per_token` of them a token, from token `first` on.
void add_token_events(std::span<const units::NormTrace> traces, std::size_t rows_per_token, TokenPlace first,
                      std::array<TokenEvents, kNormEvents.size()>& events);

/// Test: tests/unit/value_observer_test.cpp.
class NormStatistics {
 public:
  NormStatistics(const transformer::Op& op, const units::NormConfig& config);

  /// Rows that the unit has normalised, and what it says of each; the first one belongs to `first` token. Rows of
  /// heads follow one another, `rows_per_token` of them.
  void add_simulated(numerics::MatrixView<const float> rows, TokenPlace first, std::size_t rows_per_token,
                     std::span<const units::NormTrace> traces);
  /// Rows of the fp32 forward.
  void add_reference(numerics::MatrixView<const float> rows);

  NormReport finish();

 private:
  void add_squares(numerics::MatrixView<const float> rows, std::size_t row, const units::NormTrace& trace);

  const transformer::Op& op_;
  bool centres_;  ///< the squares are those of x / s - mean
  NormReport report_;
  std::vector<float> reference_norms_;
  std::vector<float> simulated_norms_;
  std::vector<float> scaled_norms_;
  ExponentCounter squares_;
  ExponentCounter sums_;
};

}  // namespace guardbit::sim
