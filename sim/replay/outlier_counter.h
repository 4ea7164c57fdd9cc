#pragma once
/// Outliers of a linear layer's input, token by token, in the terms of RRS (arXiv 2409.20361); docs/result.md has the
/// definitions.
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "models/numerics/matrix.h"
#include "models/units/matrix_unit.h"
#include "sim/stats/value_reports.h"

namespace guardbit::sim {

/// A value is an outlier beyond so many sigma of its token, sigma = sqrt(pi/2) mean |x|: a normal distribution's.
inline constexpr double kOutlierSigmas = 6;
/// A channel is one if it holds an outlier in at least this share of the tokens (LLM.int8(), arXiv 2208.07339), and in
/// two.
inline constexpr double kChannelShare = 0.06;

/// What a quantizer that gives each token a scale made of some tokens.
struct QuantizedRows {
  const units::Operand& operand;
  float largest = 0;      ///< magnitude, in units of the scale, of a token's largest value
  double zero_below = 0;  ///< values of at most this magnitude, in units of the scale, become zero
  /// The tokens before smoothing, channels in their own order; no rows: not smoothed.
  numerics::MatrixView<const float> unsmoothed{};
};
/// Nothing if operands of this mode have no scales that the values of a token share.
[[nodiscard]] std::optional<QuantizedRows> quantized_rows(const units::Operand& operand, const units::MatrixMode& mode);

/// Test: tests/unit/value_observer_test.cpp.
class OutlierCounter {
 public:
  explicit OutlierCounter(std::size_t num_channels);

  /// x (tokens, K): contiguous rows. Column p belongs to channel channels[p], or p if that is empty.
  void add(numerics::MatrixView<const float> x, TokenPlace first, std::span<const std::uint32_t> channels = {},
           const std::optional<QuantizedRows>& quantized = std::nullopt);

  OutlierReport finish();

 private:
  /// Counts the outliers of a token that has some and returns the largest magnitude among the rest.
  float count_outliers(std::span<const float> x, double threshold, std::span<const std::uint32_t> channels);
  void count_victims(std::span<const float> x, const QuantizedRows& quantized, std::size_t row, float largest_normal);
  void count_smoothing_victims(const QuantizedRows& quantized, std::size_t row,
                               std::span<const std::uint32_t> channels);

  OutlierReport report_;
  std::vector<std::uint32_t> tokens_by_channel_;
  std::vector<float> ratios_;
};

}  // namespace guardbit::sim
