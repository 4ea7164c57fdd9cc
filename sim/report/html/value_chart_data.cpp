#include "sim/report/html/value_chart_data.h"

namespace guardbit::sim::html {
namespace {

/// [[exponent, count], ...]
Json bars(const ExponentHistogram& histogram) {
  Json list = Json::array();
  for (const auto& [exponent, count] : histogram.exponents) list.push_back(Json::array({exponent, count}));
  return list;
}

/// [[channel, tokens], ...]
Json channels(const OutlierReport& outliers) {
  Json list = Json::array();
  for (const auto& [channel, tokens] : outliers.largest) list.push_back(Json::array({channel, tokens}));
  return list;
}

Json to_json(const Spread& spread) { return Json::array({json_real(spread.median), json_real(spread.max)}); }

}  // namespace

Json norms_of(const VariantResult& variant) {
  Json norms = Json::array();
  for (const OpResult& op : variant.ops) {
    if (!op.norm) continue;
    norms.push_back({{"op", op.name},
                     {"format", op.norm->accumulator.format},
                     {"largest", op.norm->accumulator.largest},
                     {"least_normal", op.norm->accumulator.least_normal},
                     {"least", op.norm->accumulator.least},
                     {"scale", op.norm_scale ? json_real(*op.norm_scale) : Json(nullptr)},
                     {"squares", bars(op.norm->squares)},
                     {"sums", bars(op.norm->sums)}});
  }
  return norms;
}

Json outliers_of(const VariantResult& variant) {
  Json list = Json::array();
  for (const OpResult& op : variant.ops) {
    if (!op.reference_outliers || !op.array_outliers) continue;
    const OutlierReport& reference = *op.reference_outliers;
    const OutlierReport& array = *op.array_outliers;
    list.push_back(
        {{"op", op.name},
         {"reference", to_json(reference.ratio)},
         {"array", to_json(array.ratio)},
         {"outliers", Json::array({reference.outlier_values, array.outlier_values})},
         {"tokens", {{"reference", reference.tokens}, {"array", array.tokens}}},
         {"channel_outliers", {{"reference", reference.channel_outliers}, {"array", array.channel_outliers}}},
         {"channels", {{"reference", channels(reference)}, {"array", channels(array)}}}});
  }
  return list;
}

}  // namespace guardbit::sim::html
