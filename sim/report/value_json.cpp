#include "sim/report/value_json.h"

#include <algorithm>
#include <string>
#include <utility>

#include "sim/report/report_order.h"

namespace guardbit::sim {
namespace {

double fraction(std::uint64_t part, std::uint64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

Json to_json(const QuantizerCounts& counts) {
  return Json{{"values", counts.values},
              {"clipped", counts.clipped},
              {"zeroed", counts.zeroed},
              {"clipped_fraction", json_real(fraction(counts.clipped, counts.values))},
              {"zeroed_fraction", json_real(fraction(counts.zeroed, counts.values))}};
}

/// Doublings left below the accumulator's largest exponent: negative if the exact sums exceed it.
Json headroom_json(const NormReport& norm) {
  const auto& sums = norm.sums.exponents;
  return sums.empty() ? Json(nullptr) : Json(norm.accumulator.largest - sums.rbegin()->first);
}

/// Halvings left above its least normal number: negative if the smallest exact square is below.
Json footroom_json(const NormReport& norm) {
  const auto& squares = norm.squares.exponents;
  return squares.empty() ? Json(nullptr) : Json(squares.begin()->first - norm.accumulator.least_normal);
}

Json to_json(const NormReport& norm) {
  Json events = Json::object();
  for (std::size_t kind = 0; kind < kNormEvents.size(); ++kind) {
    events[std::string(name_of(kNormEvents[kind]))] = token_events_json(norm.events[kind]);
  }
  return Json{{"tokens", norm.tokens},
              {"rows_per_token", norm.rows_per_token},
              {"events", std::move(events)},
              {"predicted_norm", norm.predicted_norm ? json_real(*norm.predicted_norm) : Json(nullptr)},
              {"reference_norm", spread_json(norm.reference_norm)},
              {"simulated_norm", spread_json(norm.simulated_norm)},
              {"scaled_reference_norm", spread_json(norm.scaled_reference_norm)},
              {"scaled_simulated_norm", spread_json(norm.scaled_simulated_norm)},
              {"accumulator",
               {{"format", norm.accumulator.format},
                {"largest_exponent", norm.accumulator.largest},
                {"least_normal_exponent", norm.accumulator.least_normal},
                {"least_exponent", norm.accumulator.least}}},
              {"squares", histogram_json(norm.squares)},
              {"sums_of_squares", histogram_json(norm.sums)},
              {"headroom_bits", headroom_json(norm)},
              {"footroom_bits", footroom_json(norm)}};
}

Json to_json(const OutlierReport& outliers) {
  Json largest = Json::array();
  for (const OutlierReport::Channel& channel : outliers.largest) {
    largest.push_back({{"channel", channel.channel}, {"tokens", channel.tokens}});
  }
  Json json = {
      {"tokens", outliers.tokens},
      {"left_out", outliers.left_out},
      {"channels", outliers.channels},
      {"max_over_sigma", spread_json(outliers.ratio)},
      {"worst",
       {{"window", outliers.worst.window}, {"position", outliers.worst.position}, {"channel", outliers.worst_channel}}},
      {"outlier_tokens", outliers.outlier_tokens},
      {"outlier_values", outliers.outlier_values},
      {"channel_outliers", outliers.channel_outliers},
      {"largest_channels", std::move(largest)},
      {"spike_values", outliers.spike_values}};
  if (outliers.victims) json["victims"] = *outliers.victims;
  if (outliers.smoothing_victims) json["smoothing_victims"] = *outliers.smoothing_victims;
  return json;
}

}  // namespace

Json spread_json(const Spread& spread) {
  if (spread.count == 0) return nullptr;
  return Json{{"count", spread.count},
              {"min", json_real(spread.min)},
              {"median", json_real(spread.median)},
              {"max", json_real(spread.max)}};
}

Json token_events_json(const TokenEvents& events) {
  Json json = {{"tokens", events.tokens}, {"events", events.events}};
  if (events.tokens > 0) {
    json["worst"] = {
        {"window", events.worst.window}, {"position", events.worst.position}, {"events", events.worst_events}};
  }
  return json;
}

Json histogram_json(const ExponentHistogram& histogram) {
  Json exponents = Json::object();
  for (const auto& [exponent, count] : histogram.exponents) exponents[std::to_string(exponent)] = count;
  return Json{{"exponents", std::move(exponents)},
              {"zeros", histogram.num_zeros},
              {"infinities", histogram.num_infinities},
              {"nans", histogram.num_nans}};
}

void add_value_reports(const OpResult& op, Json& json) {
  json["exponent_histogram"] = histogram_json(op.exponents);
  if (!op.quantizers.empty()) {
    Json quantizers = Json::object();
    for (const std::string_view name : kQuantizerNames) {
      const auto found = op.quantizers.find(std::string(name));
      if (found != op.quantizers.end()) quantizers[found->first] = to_json(found->second);
    }
    json["quantizers"] = std::move(quantizers);
  }
  if (op.norm) json["norm"] = to_json(*op.norm);
  if (op.reference_outliers && op.array_outliers) {
    json["outliers"] = {{"reference", to_json(*op.reference_outliers)}, {"array", to_json(*op.array_outliers)}};
  }
  if (op.group_scales) {
    json["group_scales"] = {{"groups", op.group_scales->groups},
                            {"passes", op.group_scales->passes},
                            {"scale", spread_json(op.group_scales->scale)}};
  }
}

Json layers_json(const VariantResult& variant) {
  Json layers = Json::array();
  for (const LayerResult& layer : variant.layers) {
    Json events = Json::object();
    for (const numerics::Event event : kReportEvents) {
      if (layer.events[event] != 0) events[std::string(name_of(event))] = layer.events[event];
    }
    layers.push_back({{"layer", layer.layer},
                      {"sqnr_db", json_real(layer.sqnr_db)},
                      {"worst_op", layer.worst_op},
                      {"worst_sqnr_db", json_real(layer.worst_sqnr_db)},
                      {"events", std::move(events)}});
  }
  return layers;
}

}  // namespace guardbit::sim
