// What became of values: the range of norms before and after scaling, and outliers before and after rotation and
// smoothing.
#include <fmt/format.h>

#include <algorithm>

#include "sim/report/html/html_text.h"
#include "sim/report/html/sections.h"

namespace guardbit::sim::html {
namespace {

using enum Table::Kind;

std::string significant(double value) { return fmt::format("{:.4g}", value); }

/// Of a spread, if there is one.
std::string largest(const Spread& spread) { return spread.count == 0 ? "" : significant(spread.max); }
std::string middle(const Spread& spread) { return spread.count == 0 ? "" : significant(spread.median); }

template <class Has>
bool any_op(const ReplayResult& result, const Has& has) {
  return std::any_of(result.variants.begin(), result.variants.end(), [&](const VariantResult& variant) {
    return std::any_of(variant.ops.begin(), variant.ops.end(), has);
  });
}

std::string norm_table(const ReplayResult& result) {
  Table table("Range of the norms",
              {{"norm", kText},
               {"variant", kText},
               {"accumulator", kText},
               {"scale s"},
               {"head-room bits", kNumber, "doublings left below the largest exponent; negative: it overflows"},
               {"foot-room bits", kNumber, "halvings left above the least normal number; negative: precision is lost"},
               {"predicted ‖x‖", kNumber, "the row length that the method expects"},
               {"reference ‖x‖ median", kNumber, "of the fp32 forward's rows"},
               {"reference ‖x‖ max"},
               {"simulated ‖x‖ max"},
               {"tokens with overflow"},
               {"tokens with swamped"}});
  for (const VariantResult& variant : result.variants) {
    for (const OpResult& op : variant.ops) {
      if (!op.norm) continue;
      const NormReport& norm = *op.norm;
      const auto& sums = norm.sums.exponents;
      const auto& squares = norm.squares.exponents;
      table.add_row({op.name, variant.name, norm.accumulator.format, op.norm_scale ? significant(*op.norm_scale) : "",
                     sums.empty() ? "" : std::to_string(norm.accumulator.largest - sums.rbegin()->first),
                     squares.empty() ? "" : std::to_string(squares.begin()->first - norm.accumulator.least_normal),
                     norm.predicted_norm ? significant(*norm.predicted_norm) : "", middle(norm.reference_norm),
                     largest(norm.reference_norm), largest(norm.simulated_norm), grouped(norm.events[0].tokens),
                     grouped(norm.events[2].tokens)},
                    variant.name);
    }
  }
  return folded("Range of every norm", table.sortable().text());
}

std::string channel_list(const OutlierReport& outliers) {
  std::string text;
  for (const OutlierReport::Channel& channel : outliers.largest) {
    text += fmt::format("{}{} ({})", text.empty() ? "" : ", ", channel.channel, grouped(channel.tokens));
  }
  return text;
}

std::string outlier_table(const ReplayResult& result) {
  Table table("Outliers of the inputs of linear layers",
              {{"op", kText},
               {"variant", kText},
               {"where", kText},
               {"max / sigma, median"},
               {"max / sigma, largest"},
               {"tokens with outliers"},
               {"outliers"},
               {"channel-wise", kNumber, "channels with an outlier in at least 6 % of the tokens"},
               {"spikes", kNumber, "outliers in other channels"},
               {"victims", kNumber, "normal values that became zero because an outlier set their scale"},
               {"victims of smoothing"},
               {"largest channels (tokens)", kText}});
  const auto add = [&](const OpResult& op, const VariantResult& variant, const char* where,
                       const OutlierReport& report) {
    table.add_row({op.name, variant.name, where, middle(report.ratio), largest(report.ratio),
                   grouped(report.outlier_tokens), grouped(report.outlier_values), grouped(report.channel_outliers),
                   grouped(report.spike_values), report.victims ? grouped(*report.victims) : "",
                   report.smoothing_victims ? grouped(*report.smoothing_victims) : "", channel_list(report)},
                  variant.name);
  };
  for (const VariantResult& variant : result.variants) {
    for (const OpResult& op : variant.ops) {
      if (op.reference_outliers) add(op, variant, "fp32 forward", *op.reference_outliers);
      if (op.array_outliers) add(op, variant, "array", *op.array_outliers);
    }
  }
  return folded("Outliers of every layer", table.sortable().text());
}

}  // namespace

std::string exponents_section(const ReplayResult& result) {
  if (!any_op(result, [](const OpResult& op) { return op.norm.has_value(); })) return "";
  return section(
      "exponents", "Range of the norms",
      "Exponents of a norm's squares and of their sums, with the range of the accumulator behind them. "
      "Head-room is what is left above the largest sum, foot-room what is left below the least square; "
      "a static scale such as SLaNC's moves both.",
      chart("exponents", "Exponent histograms of squares and their sums by variant, over the format's range.") +
          norm_table(result));
}

std::string outliers_section(const ReplayResult& result) {
  const auto has = [](const OpResult& op) { return op.reference_outliers && op.array_outliers; };
  if (!any_op(result, has)) return "";
  return section(
      "outliers", "Outliers",
      "The largest magnitude of a token over its sigma, by linear layer: in the fp32 forward (hollow) and as "
      "it reaches the array, rotated and smoothed where the variant does that (filled). A value beyond 6 "
      "sigma is an outlier.",
      chart("outliers",
            "Largest magnitude over sigma by layer and variant, before and after the array's "
            "rotation and smoothing; in the table below.") +
          outlier_table(result));
}

}  // namespace guardbit::sim::html
