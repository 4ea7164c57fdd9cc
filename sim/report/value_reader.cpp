// What value_json.cpp writes, read back.
#include <charconv>

#include "sim/report/replay_reader_parts.h"
#include "sim/report/report_order.h"

namespace guardbit::sim {
namespace {

/// The member, unless it is null or not there.
std::optional<JsonCursor> given(const JsonCursor& cursor, std::string_view key) {
  const auto member = cursor.find(key);
  return member && member->value().kind != JsonValue::Kind::kNull ? member : std::nullopt;
}

/// An exponent of a binary64's range.
int read_exponent(const JsonCursor& cursor) {
  constexpr double kFar = 4096;
  const double value = cursor.number_in(-kFar, kFar);
  if (value != static_cast<int>(value)) cursor.expected("an integer");
  return static_cast<int>(value);
}

ExponentHistogram read_histogram(const JsonCursor& cursor) {
  ExponentHistogram histogram;
  for (const auto& [key, count] : cursor.at("exponents").members()) {
    int exponent = 0;
    const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), exponent);
    if (error != std::errc{} || end != key.data() + key.size()) count.expected("an integer as its key");
    histogram.exponents[exponent] = read_count(count);
  }
  histogram.num_zeros = read_count(cursor.at("zeros"));
  histogram.num_infinities = read_count(cursor.at("infinities"));
  histogram.num_nans = read_count(cursor.at("nans"));
  return histogram;
}

NormReport read_norm(const JsonCursor& cursor) {
  NormReport norm;
  norm.tokens = read_count(cursor.at("tokens"));
  norm.rows_per_token = read_count(cursor.at("rows_per_token"));
  for (std::size_t kind = 0; kind < kNormEvents.size(); ++kind) {
    norm.events[kind] = read_token_events(cursor.at("events").at(name_of(kNormEvents[kind])));
  }
  if (const auto predicted = given(cursor, "predicted_norm")) norm.predicted_norm = read_real(*predicted);
  norm.reference_norm = read_spread(cursor, "reference_norm");
  norm.simulated_norm = read_spread(cursor, "simulated_norm");
  norm.scaled_reference_norm = read_spread(cursor, "scaled_reference_norm");
  norm.scaled_simulated_norm = read_spread(cursor, "scaled_simulated_norm");
  const JsonCursor accumulator = cursor.at("accumulator");
  norm.accumulator = {.format = read_text(accumulator.at("format")),
                      .largest = read_exponent(accumulator.at("largest_exponent")),
                      .least_normal = read_exponent(accumulator.at("least_normal_exponent")),
                      .least = read_exponent(accumulator.at("least_exponent"))};
  norm.squares = read_histogram(cursor.at("squares"));
  norm.sums = read_histogram(cursor.at("sums_of_squares"));
  return norm;
}

OutlierReport read_outliers(const JsonCursor& cursor) {
  OutlierReport outliers;
  outliers.tokens = read_count(cursor.at("tokens"));
  outliers.left_out = read_count(cursor.at("left_out"));
  outliers.channels = read_count(cursor.at("channels"));
  outliers.ratio = read_spread(cursor, "max_over_sigma");
  const JsonCursor worst = cursor.at("worst");
  outliers.worst = {read_count(worst.at("window")), read_count(worst.at("position"))};
  outliers.worst_channel = read_count(worst.at("channel"));
  outliers.outlier_tokens = read_count(cursor.at("outlier_tokens"));
  outliers.outlier_values = read_count(cursor.at("outlier_values"));
  outliers.channel_outliers = read_count(cursor.at("channel_outliers"));
  for (const JsonCursor& item : cursor.at("largest_channels").items()) {
    outliers.largest.push_back({read_count(item.at("channel")), read_count(item.at("tokens"))});
  }
  outliers.spike_values = read_count(cursor.at("spike_values"));
  if (const auto victims = given(cursor, "victims")) outliers.victims = read_count(*victims);
  if (const auto victims = given(cursor, "smoothing_victims")) outliers.smoothing_victims = read_count(*victims);
  return outliers;
}

}  // namespace

Spread read_spread(const JsonCursor& cursor, std::string_view key) {
  const JsonCursor spread = cursor.at(key);
  if (!spread.exists() || spread.value().kind == JsonValue::Kind::kNull) return {};
  return {.count = read_count(spread.at("count")),
          .min = read_real(spread.at("min")),
          .median = read_real(spread.at("median")),
          .max = read_real(spread.at("max"))};
}

TokenEvents read_token_events(const JsonCursor& cursor) {
  TokenEvents events{.tokens = read_count(cursor.at("tokens")), .events = read_count(cursor.at("events")), .worst = {}};
  if (const auto worst = given(cursor, "worst")) {
    events.worst = {read_count(worst->at("window")), read_count(worst->at("position"))};
    events.worst_events = read_count(worst->at("events"));
  }
  return events;
}

int read_layer(const JsonCursor& cursor) {
  constexpr int kMostLayers = 1'000'000;
  const auto layer = given(cursor, "layer");
  return layer ? layer->int_in(0, kMostLayers) : -1;
}

void read_value_reports(const JsonCursor& cursor, OpResult& op) {
  op.layer = read_layer(cursor);
  if (const auto histogram = given(cursor, "exponent_histogram")) op.exponents = read_histogram(*histogram);
  if (const auto quantizers = given(cursor, "quantizers")) {
    for (const auto& [name, counts] : quantizers->members()) {
      op.quantizers[std::string(kQuantizerNames[index_of_key(name, counts, kQuantizerNames)])] = {
          .values = read_count(counts.at("values")),
          .clipped = read_count(counts.at("clipped")),
          .zeroed = read_count(counts.at("zeroed"))};
    }
  }
  if (const auto norm = given(cursor, "norm")) op.norm = read_norm(*norm);
  if (const auto outliers = given(cursor, "outliers")) {
    op.reference_outliers = read_outliers(outliers->at("reference"));
    op.array_outliers = read_outliers(outliers->at("array"));
  }
  if (const auto scales = given(cursor, "group_scales")) {
    op.group_scales = GroupScaleReport{.groups = read_count(scales->at("groups")),
                                       .passes = read_count(scales->at("passes")),
                                       .scale = read_spread(*scales, "scale")};
  }
}

std::vector<LayerResult> read_layers(const JsonCursor& cursor) {
  std::vector<LayerResult> layers;
  constexpr int kMostLayers = 1'000'000;
  for (const JsonCursor& item : cursor.items()) {
    layers.push_back({.layer = item.at("layer").int_in(0, kMostLayers),
                      .sqnr_db = read_real(item.at("sqnr_db")),
                      .worst_op = read_text(item.at("worst_op")),
                      .worst_sqnr_db = read_real(item.at("worst_sqnr_db")),
                      .events = read_events(item.at("events"))});
  }
  return layers;
}

}  // namespace guardbit::sim
