#include "sim/report/replay_reader.h"

#include <algorithm>
#include <limits>

#include "sim/report/replay_json.h"
#include "sim/report/replay_reader_parts.h"

namespace guardbit::sim {
namespace {

void read_trace(const JsonCursor& cursor, ReplayResult& result) {
  result.trace_name = read_text(cursor.at("name"));
  result.num_windows = read_count(cursor.at("windows"));
  result.num_tokens = read_count(cursor.at("tokens"));
  result.mode = read_text(cursor.at("mode"));
  if (result.mode != "closed_loop" && result.mode != "open_loop" && result.mode != "no_values") {
    cursor.at("mode").expected("closed_loop, open_loop or no_values");
  }
  result.residual_gain = read_real(cursor.at("residual_gain"));
  result.channel_gain = read_real(cursor.at("channel_gain"));
  if (const auto context = cursor.find("context")) result.basis.context = read_count(*context);
  const auto stride = cursor.find("stride");
  if (stride && stride->value().kind != JsonValue::Kind::kNull) result.basis.stride = read_count(*stride);
  if (const auto targets = cursor.find("scored_tokens")) result.basis.scored_tokens = read_count(*targets);
  constexpr std::uint64_t kMostChannels = std::numeric_limits<std::int64_t>::max();
  result.channels = static_cast<std::int64_t>(cursor.at("channels").unsigned_in(0, kMostChannels));
}

void read_accelerator(const JsonCursor& cursor, ReplayResult& result) {
  constexpr double kLargestMhz = 1e9;
  result.accelerator_name = read_text(cursor.at("name"));
  result.clock_mhz = cursor.at("clock_mhz").number_in(std::numeric_limits<double>::min(), kLargestMhz);
  for (const auto& [part, um2] : cursor.at("area_um2").members()) result.area_um2[part] = read_real(um2);
  result.accelerator_keys = read_texts(cursor.at("keys"));
}

}  // namespace

ReplayResult read_replay_json(std::string_view content, const std::filesystem::path& file) {
  const JsonValue document = parse_json(content, file);
  JsonProblems problems(file);
  const JsonCursor root(document, problems);
  require_schema(root, problems, kReplaySchema);

  ReplayResult result;
  result.provenance = read_texts(root.at("provenance"));
  read_trace(root.at("trace"), result);
  read_accelerator(root.at("accelerator"), result);
  result.reference_perplexity = read_real(root.at("reference").at("perplexity"));
  for (const JsonCursor& variant : root.at("variants").items()) {
    result.variants.push_back(read_variant(variant));
    const auto same = [&](const VariantResult& other) { return other.name == result.variants.back().name; };
    if (std::find_if(result.variants.begin(), result.variants.end() - 1, same) != result.variants.end() - 1) {
      variant.at("name").expected("another name than the variants before");
    }
  }
  problems.throw_if_any();
  return result;
}

}  // namespace guardbit::sim
