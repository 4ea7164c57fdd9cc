#include "sim/sweep/work_estimate.h"

#include <algorithm>

#include "sim/trace/trace_bundle.h"

namespace guardbit::sim {

WorkEstimate::WorkEstimate(const DesignSpace& space) {
  for (const SpaceTrace& described : space.traces) {
    const Trace trace = load_trace_description(described.directory);
    const transformer::Model<float> model = load_outline(trace);
    Shape& shape = shapes_.emplace_back();
    for (const Trace::Window& window : trace.windows) {
      shape.window_tokens.push_back(inputs_of(window, trace.shape).size());
    }
    for (const transformer::Op& op : model.ops) {
      if (op.kind == transformer::OpKind::kLinear) {
        const auto& weight = model.weights.at(op.weight);
        shape.linear_macs += static_cast<double>(weight.rows()) * static_cast<double>(weight.cols());
      } else if (op.kind == transformer::OpKind::kScores || op.kind == transformer::OpKind::kValues) {
        shape.attention_macs += static_cast<double>(trace.shape.num_heads) * trace.shape.head_size;
      }
    }
  }
}

double WorkEstimate::macs(const PointResolver& point) {
  const ReplaySettings& settings = point.settings();
  if (!settings.values) return 0;
  const auto [known, is_new] = known_.insert({{point.trace_index(), settings.windows, settings.tokens}, 0});
  if (!is_new) return known->second;
  const Shape& shape = shapes_[point.trace_index()];
  std::size_t count = shape.window_tokens.size();
  if (settings.windows > 0) count = std::min(count, static_cast<std::size_t>(settings.windows));
  for (std::size_t window = 0; window < count; ++window) {
    auto tokens = static_cast<double>(shape.window_tokens[window]);
    if (settings.tokens > 0) tokens = std::min(tokens, static_cast<double>(settings.tokens));
    known->second += tokens * shape.linear_macs + tokens * tokens * shape.attention_macs;
  }
  return known->second;
}

}  // namespace guardbit::sim
