#pragma once
/// Watches the values of a variant's windows while they run and says what became of them (sim/stats/value_reports.h).
/// It changes nothing.
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sim/replay/norm_statistics.h"
#include "sim/replay/outlier_counter.h"
#include "sim/replay/prepared_variant.h"
#include "sim/stats/result.h"

namespace guardbit::sim {

/// What a quantizer of linear layers got and gave, for some tokens of a pass.
struct LinearInput {
  numerics::MatrixView<const float> x;           ///< what was quantized: rotated, smoothed
  numerics::MatrixView<const float> unsmoothed;  ///< before smoothing; no rows: not smoothed
  std::span<const std::uint32_t> channels;       ///< of x's columns; empty: as they are
  const units::Operand& operand;
};

class ValueObserver {
 public:
  /// `variant` outlives the observer.
  explicit ValueObserver(const PreparedVariant& variant);

  void begin_window(std::size_t window) { window_ = window; }
  /// Tokens from `first_token` on that the norm of `op` has normalised.
  void add_norm(std::size_t op, std::size_t first_token, numerics::MatrixView<const float> rows,
                std::size_t rows_per_token, std::span<const units::NormTrace> traces);
  /// `values` that the quantizer of that name saw, with its events.
  void add_quantized(std::size_t op, std::string_view quantizer, std::uint64_t values,
                     const numerics::EventCounts& events);
  void add_linear_input(std::size_t op, std::size_t first_token, const LinearInput& input);
  void add_group_scales(std::size_t op, std::span<const float> scales);
  /// The first input of an op in the fp32 forward, a whole window of it.
  void add_reference_input(std::size_t op, const numerics::Matrix<float>& x);

  /// Puts what was seen into the variant's ops.
  void finish(VariantResult& result);

 private:
  struct GroupScales {
    std::uint64_t passes = 0;
    std::vector<float> scales;
  };
  const PreparedVariant& variant_;
  std::size_t window_ = 0;
  std::map<std::size_t, NormStatistics> norms_;
  std::map<std::size_t, std::map<std::string, QuantizerCounts>> quantizers_;
  std::map<std::size_t, OutlierCounter> reference_outliers_;
  std::map<std::size_t, OutlierCounter> array_outliers_;
  std::map<std::size_t, std::size_t> same_reference_;  ///< op -> the first one that reads the same input
  std::map<std::size_t, std::size_t> same_array_;      ///< and brings it to the array in the same way
  std::map<std::size_t, GroupScales> group_scales_;
};

}  // namespace guardbit::sim
