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

/// Of some layer a channel that holds outliers in many tokens, before or at the array.
bool has_channel_outliers(const OpResult& op) {
  return op.reference_outliers && op.array_outliers &&
         (!op.reference_outliers->largest.empty() || !op.array_outliers->largest.empty());
}

std::string channel_chart(const ReplayResult& result) {
  if (!any_op(result, has_channel_outliers)) return "";
  return "<h3>By channel</h3>\n<p class=\"lead\">Share of the tokens in which a channel of the layer's input holds an "
         "outlier, for channels that do so in at least 6\u00A0% of them; at most 16 are listed. A rotation mixes "
         "channels, "
         "so "
         "that numbers on the right are not those on the left. An offline rotation is part of the fp32 forward of its "
         "variant: the unrotated model is in the variant none.</p>\n" +
         chart("channels",
               "Share of tokens with an outlier by channel of a layer, before and after rotation and "
               "smoothing, by variant; in the table below.");
}

std::string channel_list(const OutlierReport& outliers) {
  std::string text;
  for (const OutlierReport::Channel& channel : outliers.largest) {
    text += fmt::format("{}{} ({})", text.empty() ? "" : ", ", channel.channel, grouped(channel.tokens));
  }
  return text;
}

std::string outlier_table(const ReplayResult& result) {
  Table table(
      "Outliers of the inputs of linear layers",
      {{"op", kText},
       {"variant", kText},
       {"where", kText, "the input in the fp32 forward, or as it reaches the array's quantizer"},
       {"max / sigma, median", kNumber, "of the tokens, the lower one of two: largest magnitude over sigma"},
       {"max / sigma, largest", kNumber, "the same of the token that has the most"},
       {"tokens with outliers", kNumber, "tokens with at least one value beyond 6 sigma"},
       {"outliers", kNumber, "values beyond 6 sigma of their token"},
       {"channel-wise", kNumber, "channels with an outlier in at least 6 % of the tokens"},
       {"spikes", kNumber, "outliers in other channels"},
       {"victims", kNumber,
        "values that became zero in a token with an outlier and would not have, had its largest value below 6 sigma "
        "set the scale"},
       {"victims of smoothing", kNumber,
        "values that became zero after the division by the group scales and would not have without it"},
       {"largest channels (tokens)", kText, "channel-wise outliers, and in how many tokens each has one"}});
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
      "Exponents of a norm's squares and of their sums, as shares of all of them, with the range of the accumulator "
      "behind them; the rarest are two pixels high. "
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
      "The largest magnitude of any token over its sigma, by linear layer: in the fp32 forward and as it reaches the "
      "array, rotated and smoothed where the variant does that. Sigma is sqrt(π/2) times the mean magnitude of the "
      "token's channels, and a value beyond 6 sigma is an outlier. Outliers are channel-wise if their channel has one "
      "in at least 6 % of the tokens, and in two at least; others are spikes. A victim became zero because an outlier "
      "made its token's scale large; a victim of smoothing, because of the division by the group scales. The columns' "
      "titles in the table say more.",
      chart("outliers",
            "Largest magnitude over sigma by layer and variant, before and after the array's "
            "rotation and smoothing; in the table below.") +
          channel_chart(result) + outlier_table(result));
}

}  // namespace guardbit::sim::html
