#include "sim/report/value_tables.h"

#include <fmt/format.h>

#include <vector>

#include "sim/base/plural.h"
#include "sim/report/report_order.h"
#include "sim/report/text_table.h"

namespace guardbit::sim {
namespace {

using enum TextTable::Align;

std::string short_text(double value) { return fmt::format("{:.4g}", value); }

std::string spread_text(const Spread& spread) {
  if (spread.count == 0) return "-";
  return fmt::format("{:.3g} / {:.3g} / {:.3g}", spread.min, spread.median, spread.max);
}

std::string percent_text(std::uint64_t part, std::uint64_t whole) {
  return whole == 0 ? "-" : real_text(100 * static_cast<double>(part) / static_cast<double>(whole), 3);
}

std::string layers(const VariantResult& variant) {
  TextTable table({{"layers of " + variant.name, kLeft}, {"SQNR dB"}, {"worst op", kLeft}, {"its SQNR dB"}});
  for (const LayerResult& layer : variant.layers) {
    table.add_row(
        {std::to_string(layer.layer), real_text(layer.sqnr_db, 1), layer.worst_op, real_text(layer.worst_sqnr_db, 1)});
  }
  return table.empty() ? "" : "\n" + table.text();
}

/// "3 of 512, worst 1:17 (12)": tokens, then window:position of the worst one and its events.
std::string tokens_text(const TokenEvents& events, std::uint64_t tokens) {
  if (events.tokens == 0) return "-";
  return fmt::format("{} of {}, worst {}:{} ({})", count_text(events.tokens), count_text(tokens), events.worst.window,
                     events.worst.position, count_text(events.worst_events));
}

std::string norm_events(const VariantResult& variant) {
  std::vector<TextTable::Column> columns = {{"tokens hit in norms of " + variant.name, kLeft}};
  for (const numerics::Event event : kNormEvents) columns.push_back({std::string(name_of(event)), kLeft});
  TextTable table(std::move(columns));
  for (const OpResult& op : variant.ops) {
    if (!op.norm) continue;
    std::vector<std::string> cells = {op.name};
    for (const TokenEvents& events : op.norm->events) cells.push_back(tokens_text(events, op.norm->tokens));
    table.add_row(std::move(cells));
  }
  return table.empty() ? "" : "\n" + table.text();
}

std::string norm_scales(const VariantResult& variant) {
  TextTable table({{"norms of " + variant.name, kLeft},
                   {"s"},
                   {"predicted ||x||"},
                   {"reference ||x||", kLeft},
                   {"simulated ||x||", kLeft},
                   {"reference ||x/s||", kLeft},
                   {"simulated ||x/s||", kLeft}});
  for (const OpResult& op : variant.ops) {
    if (!op.norm) continue;
    const NormReport& norm = *op.norm;
    const bool is_dynamic = norm.scaled_reference_norm.count == 0 && norm.reference_norm.count != 0;
    const std::string scale = op.norm_scale ? short_text(*op.norm_scale) : is_dynamic ? "dynamic" : "-";
    table.add_row({op.name, scale, norm.predicted_norm ? short_text(*norm.predicted_norm) : "-",
                   spread_text(norm.reference_norm), spread_text(norm.simulated_norm),
                   spread_text(norm.scaled_reference_norm), spread_text(norm.scaled_simulated_norm)});
  }
  return table.empty() ? "" : "\n" + table.text();
}

std::string quantizers(const VariantResult& variant) {
  TextTable table({{"quantizers of " + variant.name, kLeft}, {"of", kLeft}, {"values"}, {"clipped %"}, {"zeroed %"}});
  for (const OpResult& op : variant.ops) {
    std::string name = op.name;
    for (const std::string_view quantizer : kQuantizerNames) {
      const auto found = op.quantizers.find(std::string(quantizer));
      if (found == op.quantizers.end()) continue;
      const QuantizerCounts& counts = found->second;
      table.add_row({name, std::string(quantizer), count_text(counts.values),
                     percent_text(counts.clipped, counts.values), percent_text(counts.zeroed, counts.values)});
      name.clear();
    }
  }
  return table.empty() ? "" : "\n" + table.text();
}

std::string count_or_dash(const std::optional<std::uint64_t>& count) { return count ? count_text(*count) : "-"; }

std::string outliers(const VariantResult& variant) {
  TextTable table({{"outliers in inputs of " + variant.name, kLeft},
                   {"", kLeft},
                   {"max/sigma", kLeft},
                   {"tokens"},
                   {"values"},
                   {"channels"},
                   {"spikes"},
                   {"victims"},
                   {"of smoothing"}});
  const auto add = [&table](const std::string& name, const std::string& where, const OutlierReport& report) {
    table.add_row({name, where, spread_text(report.ratio), count_text(report.outlier_tokens),
                   count_text(report.outlier_values), count_text(report.channel_outliers),
                   count_text(report.spike_values), count_or_dash(report.victims),
                   count_or_dash(report.smoothing_victims)});
  };
  for (const OpResult& op : variant.ops) {
    if (!op.reference_outliers || !op.array_outliers) continue;
    add(op.name, "reference", *op.reference_outliers);
    add("", "array", *op.array_outliers);
  }
  return table.empty() ? "" : "\n" + table.text();
}

std::string group_scales(const VariantResult& variant) {
  TextTable table({{"group scales of " + variant.name, kLeft}, {"groups"}, {"passes"}, {"min / median / max", kLeft}});
  for (const OpResult& op : variant.ops) {
    if (!op.group_scales) continue;
    table.add_row({op.name, count_text(op.group_scales->groups), count_text(op.group_scales->passes),
                   spread_text(op.group_scales->scale)});
  }
  return table.empty() ? "" : "\n" + table.text();
}

}  // namespace

std::string value_tables(const VariantResult& variant) {
  if (variant.digest.empty()) return "";
  return layers(variant) + norm_events(variant) + norm_scales(variant) + quantizers(variant) + outliers(variant) +
         group_scales(variant);
}

std::string perplexity_basis(const PerplexityBasis& basis) {
  if (basis.scored_tokens == 0) return "";
  std::string text = fmt::format("{} {} in windows of {}", count_text(basis.scored_tokens),
                                 plural(basis.scored_tokens, "token"), count_text(basis.context));
  return text + (basis.stride ? ", stride " + count_text(*basis.stride) : ", of differing strides");
}

}  // namespace guardbit::sim
