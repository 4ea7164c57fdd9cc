#include <fmt/format.h>

#include <cmath>

#include "sim/report/csv_field.h"
#include "sim/report/reports/reports.h"

namespace guardbit::sim {
namespace {

/// Nothing for what is not finite.
std::string real_field(double value) { return std::isfinite(value) ? fmt::format("{:.6g}", value) : ""; }

std::string exponent_fields(const ExponentHistogram& histogram) {
  const auto& exponents = histogram.exponents;
  const std::string range =
      exponents.empty() ? "," : fmt::format("{},{}", exponents.begin()->first, exponents.rbegin()->first);
  return fmt::format("{},{},{},{}", range, histogram.num_zeros, histogram.num_infinities, histogram.num_nans);
}

std::string quantizer_fields(const OpResult& op) {
  std::string text;
  for (const std::string_view name : kQuantizerNames) {
    const auto found = op.quantizers.find(std::string(name));
    text += found == op.quantizers.end()
                ? ",,,"
                : fmt::format(",{},{},{}", found->second.values, found->second.clipped, found->second.zeroed);
  }
  return text;
}

std::string spread_fields(const Spread& spread) {
  if (spread.count == 0) return ",,,";
  return fmt::format(",{:.6g},{:.6g},{:.6g}", spread.min, spread.median, spread.max);
}

std::string norm_fields(const OpResult& op) {
  const std::size_t kNumFields = 2 + 2 * kNormEvents.size() + 3 * 4;
  if (!op.norm) return std::string(kNumFields, ',');
  std::string text = op.norm_scale ? fmt::format(",{:.6g}", *op.norm_scale) : ",";
  text += op.norm->predicted_norm ? fmt::format(",{:.6g}", *op.norm->predicted_norm) : ",";
  for (const TokenEvents& events : op.norm->events) text += fmt::format(",{},{}", events.tokens, events.events);
  return text + spread_fields(op.norm->reference_norm) + spread_fields(op.norm->simulated_norm) +
         spread_fields(op.norm->scaled_reference_norm) + spread_fields(op.norm->scaled_simulated_norm);
}

std::string count_field(const std::optional<std::uint64_t>& count) { return count ? fmt::format(",{}", *count) : ","; }

std::string outlier_fields(const std::optional<OutlierReport>& outliers) {
  if (!outliers) return std::string(8, ',');
  return fmt::format(",{:.6g},{:.6g},{},{},{},{}", outliers->ratio.median, outliers->ratio.max,
                     outliers->outlier_tokens, outliers->outlier_values, outliers->channel_outliers,
                     outliers->spike_values) +
         count_field(outliers->victims) + count_field(outliers->smoothing_victims);
}

std::string header() {
  std::string text =
      "trace,accelerator,variant,op,kind,layer,sqnr_db,max_abs,reference_max_abs,least_exponent,largest_exponent,zeros,"
      "infinities,nans";
  for (const std::string_view name : kQuantizerNames) text += fmt::format(",{0}_values,{0}_clipped,{0}_zeroed", name);
  text += ",norm_scale,predicted_norm";
  for (const numerics::Event event : kNormEvents) {
    const std::string_view name = numerics::kEventNames[static_cast<std::size_t>(event)];
    text += fmt::format(",norm_{0}_tokens,norm_{0}_events", name);
  }
  for (const char* norm : {"reference_norm", "simulated_norm", "scaled_reference_norm", "scaled_simulated_norm"}) {
    text += fmt::format(",{0}_min,{0}_median,{0}_max", norm);
  }
  for (const char* where : {"reference", "array"}) {
    text += fmt::format(
        ",{0}_max_over_sigma_median,{0}_max_over_sigma_max,{0}_outlier_tokens,{0}_outlier_values,"
        "{0}_channel_outliers,{0}_spike_values,{0}_victims,{0}_smoothing_victims",
        where);
  }
  return text + ",groups,group_scale_min,group_scale_median,group_scale_max\n";
}

}  // namespace

std::string write_values_csv(const ReplayResult& result) {
  std::string text = header();
  for (const VariantResult& variant : result.variants) {
    if (variant.digest.empty()) continue;
    for (const OpResult& op : variant.ops) {
      text += fmt::format("{},{},{},{},{},{}", csv_field(result.trace_name), csv_field(result.accelerator_name),
                          csv_field(variant.name), csv_field(op.name), csv_field(op.kind),
                          op.layer < 0 ? "" : std::to_string(op.layer));
      text += "," + real_field(op.sqnr_db) + "," + real_field(op.max_abs) + "," + real_field(op.reference_max_abs);
      text += "," + exponent_fields(op.exponents) + quantizer_fields(op) + norm_fields(op);
      text += outlier_fields(op.reference_outliers) + outlier_fields(op.array_outliers);
      text += op.group_scales ? fmt::format(",{}", op.group_scales->groups) + spread_fields(op.group_scales->scale)
                              : std::string(4, ',');
      text += "\n";
    }
  }
  return text;
}

}  // namespace guardbit::sim
