#include "sim/replay/outlier_counter.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <utility>

#include "sim/replay/spread.h"

namespace guardbit::sim {
namespace {

struct RowScan {
  float max = 0;
  float sum = 0;  ///< of magnitudes; not finite if an element is not
};

/// In eight lanes, so that no addition waits for the one before; their order is part of the result.
RowScan scan(std::span<const float> x) {
  constexpr std::size_t kLanes = 8;
  std::array<float, kLanes> max{};
  std::array<float, kLanes> sum{};
  std::size_t j = 0;
  for (; j + kLanes <= x.size(); j += kLanes) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      const float magnitude = std::fabs(x[j + lane]);
      sum[lane] += magnitude;
      max[lane] = max[lane] < magnitude ? magnitude : max[lane];
    }
  }
  RowScan result;
  for (std::size_t lane = 0; lane < kLanes; ++lane) {
    result.sum += sum[lane];
    result.max = std::max(result.max, max[lane]);
  }
  for (; j < x.size(); ++j) {
    result.sum += std::fabs(x[j]);
    result.max = std::max(result.max, std::fabs(x[j]));
  }
  return result;
}

bool became_zero(const units::Operand& operand, std::size_t row, std::size_t column) {
  return operand.integer ? operand.codes(row, column) == 0 : operand.values(row, column) == 0;
}

}  // namespace

std::optional<QuantizedRows> quantized_rows(const units::Operand& operand, const units::MatrixMode& mode) {
  if (mode.integer) {
    return QuantizedRows{
        .operand = operand, .largest = static_cast<float>((1 << (mode.activation_bits - 1)) - 1), .zero_below = 0.5};
  }
  if (!mode.dynamic_scale) return std::nullopt;
  return QuantizedRows{.operand = operand,
                       .largest = mode.operand_max_activation,
                       .zero_below = std::ldexp(0.5, mode.activation.quantum_exponent())};
}

OutlierCounter::OutlierCounter(std::size_t num_channels) : tokens_by_channel_(num_channels) {
  report_.channels = num_channels;
}

float OutlierCounter::count_outliers(std::span<const float> x, double threshold,
                                     std::span<const std::uint32_t> channels) {
  float largest_normal = 0;
  std::uint64_t count = 0;
  for (std::size_t p = 0; p < x.size(); ++p) {
    const float magnitude = std::fabs(x[p]);
    if (magnitude <= threshold) {
      largest_normal = std::max(largest_normal, magnitude);
      continue;
    }
    ++count;
    ++tokens_by_channel_[channels.empty() ? p : channels[p]];
  }
  report_.outlier_values += count;
  ++report_.outlier_tokens;
  return largest_normal;
}

void OutlierCounter::count_victims(std::span<const float> x, const QuantizedRows& quantized, std::size_t row,
                                   float largest_normal) {
  const double kept_above = quantized.zero_below * (static_cast<double>(largest_normal) / quantized.largest);
  std::uint64_t count = 0;
  for (std::size_t p = 0; p < x.size(); ++p) {
    const bool is_victim = became_zero(quantized.operand, row, p) && std::fabs(x[p]) > kept_above;
    count += is_victim ? 1 : 0;
  }
  *report_.victims += count;
}

void OutlierCounter::count_smoothing_victims(const QuantizedRows& quantized, std::size_t row,
                                             std::span<const std::uint32_t> channels) {
  const std::span<const float> x(quantized.unsmoothed.row(row), quantized.unsmoothed.cols);
  const double kept_above = quantized.zero_below * (static_cast<double>(scan(x).max) / quantized.largest);
  std::uint64_t count = 0;
  for (std::size_t p = 0; p < x.size(); ++p) {
    const bool is_victim = became_zero(quantized.operand, row, p) && std::fabs(x[channels[p]]) > kept_above;
    count += is_victim ? 1 : 0;
  }
  *report_.smoothing_victims += count;
}

void OutlierCounter::add(numerics::MatrixView<const float> x, TokenPlace first, std::span<const std::uint32_t> channels,
                         const std::optional<QuantizedRows>& quantized) {
  const bool smoothed = quantized && quantized->unsmoothed.rows != 0;
  if (quantized && !report_.victims) report_.victims = 0;
  if (smoothed && !report_.smoothing_victims) report_.smoothing_victims = 0;
  for (std::size_t row = 0; row < x.rows; ++row) {
    const std::span<const float> values(x.row(row), x.cols);
    const RowScan found = scan(values);
    if (!std::isfinite(found.sum)) {
      ++report_.left_out;
      continue;
    }
    ++report_.tokens;
    const double sigma = std::sqrt(std::numbers::pi / 2) * found.sum / static_cast<double>(x.cols);
    const double ratio = found.max == 0 ? 0 : found.max / sigma;
    if (ratio > report_.ratio.max) {
      report_.ratio.max = ratio;
      report_.worst = {first.window, first.position + row};
      const auto at =
          std::find_if(values.begin(), values.end(), [&](float value) { return std::fabs(value) == found.max; });
      const auto column = static_cast<std::size_t>(at - values.begin());
      report_.worst_channel = channels.empty() ? column : channels[column];
    }
    ratios_.push_back(static_cast<float>(ratio));
    if (ratio > kOutlierSigmas) {
      const float largest_normal = count_outliers(values, kOutlierSigmas * sigma, channels);
      if (quantized) count_victims(values, *quantized, row, largest_normal);
    }
    if (smoothed) count_smoothing_victims(*quantized, row, channels);
  }
}

OutlierReport OutlierCounter::finish() {
  const double least = std::max(2.0, kChannelShare * static_cast<double>(report_.tokens));
  for (std::size_t channel = 0; channel < tokens_by_channel_.size(); ++channel) {
    const std::uint64_t tokens = tokens_by_channel_[channel];
    if (static_cast<double>(tokens) < least) {
      report_.spike_values += tokens;
    } else {
      report_.largest.push_back({channel, tokens});
    }
  }
  report_.channel_outliers = report_.largest.size();
  std::stable_sort(report_.largest.begin(), report_.largest.end(),
                   [](const auto& a, const auto& b) { return a.tokens > b.tokens; });
  if (report_.largest.size() > kListedChannels) report_.largest.resize(kListedChannels);
  report_.ratio = spread_of(std::move(ratios_));
  return std::move(report_);
}

}  // namespace guardbit::sim
