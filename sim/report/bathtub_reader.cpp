#include "sim/report/bathtub_reader.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "sim/report/bathtub_report.h"
#include "sim/report/replay_reader_parts.h"
#include "sim/report/report_order.h"

namespace guardbit::sim {
namespace {

int read_log2(const JsonCursor& cursor) {
  constexpr double kFar = 1100;  // beyond a binary64's exponents
  const double value = cursor.number_in(-kFar, kFar);
  if (value != std::round(value)) cursor.expected("an integer");
  return static_cast<int>(value);
}

BathtubPoint read_point(const JsonCursor& cursor) {
  BathtubPoint point;
  point.log2_scale = read_log2(cursor.at("log2_scale"));
  point.error = read_real(cursor.at("error"));
  if (std::isnan(point.error)) point.error = std::numeric_limits<double>::infinity();
  point.nonfinite = read_count(cursor.at("nonfinite"));
  for (std::size_t kind = 0; kind < kNormEvents.size(); ++kind) {
    point.events[kind] = read_token_events(cursor.at("events").at(name_of(kNormEvents[kind])));
  }
  point.output_sha256 = read_text(cursor.at("output_sha256"));
  return point;
}

BathtubNorm read_bathtub_norm(const JsonCursor& cursor) {
  BathtubNorm norm;
  norm.name = read_text(cursor.at("name"));
  norm.layer = read_layer(cursor);
  norm.tokens = read_count(cursor.at("tokens"));
  norm.norm = read_spread(cursor, "norm");
  for (const JsonCursor& point : cursor.at("points").items()) norm.points.push_back(read_point(point));
  const auto ascending = [](const BathtubPoint& a, const BathtubPoint& b) { return a.log2_scale < b.log2_scale; };
  if (!std::is_sorted(norm.points.begin(), norm.points.end(), ascending)) {
    cursor.at("points").expected("scales in ascending order");
  }
  for (const JsonCursor& mark : cursor.at("marks").items()) {
    const double scale =
        mark.at("scale").number_in(std::numeric_limits<double>::min(), std::numeric_limits<double>::max());
    norm.marks.push_back({read_text(mark.at("method")), scale});
  }
  const JsonCursor same = cursor.at("same_bits");
  if (same.exists() && same.value().kind != JsonValue::Kind::kNull) {
    norm.same_bits = BathtubNorm::Range{read_log2(same.at("from")), read_log2(same.at("to"))};
  }
  return norm;
}

}  // namespace

BathtubResult read_bathtub_json(std::string_view content, const std::filesystem::path& file) {
  const JsonValue document = parse_json(content, file);
  JsonProblems problems(file);
  const JsonCursor root(document, problems);
  require_schema(root, problems, kBathtubSchema);
  BathtubResult result;
  result.provenance = read_texts(root.at("provenance"));
  const JsonCursor trace = root.at("trace");
  result.trace_name = read_text(trace.at("name"));
  result.num_windows = read_count(trace.at("windows"));
  result.num_tokens = read_count(trace.at("tokens"));
  result.residual_gain = read_real(trace.at("residual_gain"));
  result.channel_gain = read_real(trace.at("channel_gain"));
  constexpr std::uint64_t kMostChannels = std::numeric_limits<std::int64_t>::max();
  result.channels = static_cast<std::int64_t>(trace.at("channels").unsigned_in(0, kMostChannels));
  const JsonCursor accelerator = root.at("accelerator");
  result.accelerator_name = read_text(accelerator.at("name"));
  result.accelerator_keys = read_texts(accelerator.at("keys"));
  for (const JsonCursor& norm : root.at("norms").items()) result.norms.push_back(read_bathtub_norm(norm));
  problems.throw_if_any();
  return result;
}

}  // namespace guardbit::sim
