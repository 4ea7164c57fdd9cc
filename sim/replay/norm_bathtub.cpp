#include "sim/replay/norm_bathtub.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <span>
#include <utility>

#include "models/transformer/reference.h"
#include "models/units/eltwise_unit.h"
#include "sim/base/error.h"
#include "sim/base/sha256.h"
#include "sim/base/signal_guard.h"
#include "sim/replay/norm_rows.h"
#include "sim/replay/norm_statistics.h"
#include "sim/replay/scaled_model.h"
#include "sim/replay/spread.h"
#include "sim/schedule/window_scheduler.h"

namespace guardbit::sim {
namespace {

using numerics::Matrix;
using transformer::Op;
using transformer::OpKind;

/// One norm at one scale, over the windows so far.
struct PointSums {
  double noise = 0;
  BathtubPoint point;
  Sha256 output;
};

/// One norm, over the windows so far.
struct NormSums {
  const Op* op = nullptr;
  const Op* producer = nullptr;  ///< of its input
  double signal = 0;
  std::vector<float> lengths;
  std::vector<PointSums> points;
  // Of the window at hand:
  Matrix<float> x;
  Matrix<double> exact;
};

/// The scales that the norms get from a method; nothing if it does not apply to the model.
std::map<std::string, double> scales_of(const std::string& method, transformer::Model<float> model,
                                        const calibration::CalibrationOptions& options) {
  std::map<std::string, double> scales;
  try {
    calibration::apply_variant(method, model, options);
  } catch (const std::invalid_argument&) {
    return scales;
  }
  for (const Op& op : model.ops) {
    if (op.kind == OpKind::kNorm && op.predicted_norm > 0) scales[op.name] = op.input_scale;
  }
  return scales;
}

/// The norm in binary64, of the input as it is stored.
Matrix<double> exact_norm(const transformer::Model<float>& model, const Op& op, const Matrix<float>& x) {
  transformer::Model<double> alone;
  alone.shape = model.shape;
  const auto widened = [](const Matrix<float>& from) {
    return Matrix<double>(from.rows(), from.cols(), std::vector<double>(from.data().begin(), from.data().end()));
  };
  for (const std::string& key : {op.weight, op.bias}) {
    if (!key.empty()) alone.weights[key] = widened(model.weights.at(key));
  }
  return transformer::run_reference_op<double>(alone, op, {}, {{op.inputs[0], widened(x)}});
}

std::vector<NormSums> norms_of(const transformer::Model<float>& model, const BathtubOptions& options) {
  std::vector<NormSums> norms;
  for (const Op& op : model.ops) {
    if (op.kind != OpKind::kNorm) continue;
    NormSums& norm = norms.emplace_back();
    norm.op = &op;
    norm.producer = &*std::find_if(model.ops.begin(), model.ops.end(),
                                   [&op](const Op& other) { return other.output == op.inputs[0]; });
    norm.points.resize(static_cast<std::size_t>(options.to - options.from) + 1);
    for (std::size_t i = 0; i < norm.points.size(); ++i) {
      norm.points[i].point.log2_scale = options.from + static_cast<int>(i);
    }
  }
  return norms;
}

/// Inputs and exact outputs of a window's norms.
void read_window(const transformer::Model<float>& model, const units::AcceleratorConfig& config,
                 std::span<const int> tokens, std::vector<NormSums>& norms, const numerics::ParallelFor& parallel_for) {
  transformer::visit_reference<float>(
      model, tokens,
      [&](const Op& op, const Matrix<float>& output) {
        for (NormSums& norm : norms) {
          if (norm.producer != &op) continue;
          norm.x = output;
          numerics::EventLedger uncounted;
          units::convert_rows(norm.x.view(), units::conversion_spec(storage_format(model, config, op)),
                              numerics::Stage::kStorage, norm.x.view(), uncounted, parallel_for);
        }
      },
      parallel_for);
  for (NormSums& norm : norms) {
    norm.exact = exact_norm(model, *norm.op, norm.x);
    for (const double value : norm.exact.data()) norm.signal += value * value;
    add_lengths(norm_rows(std::as_const(norm.x).view(), *norm.op), norm.lengths);
  }
}

/// Runs the unit with one scale on a window of one norm.
void run_point(const units::NormUnit& unit, const transformer::Model<float>& model, const NormSums& norm,
               std::size_t window, PointSums& sums) {
  units::NormParameters parameters = norm_parameters(model, *norm.op);
  parameters.input_scale = std::ldexp(1.0, sums.point.log2_scale);
  Matrix<float> y(norm.x.rows(), norm.x.cols());
  numerics::EventLedger ledger;
  std::vector<units::NormTrace> traces;
  unit.run(norm_rows(norm.x.view(), *norm.op), parameters, norm_rows(y.view(), *norm.op), ledger, &traces);
  add_token_events(traces, traces.size() / norm.x.rows(), {window, 0}, sums.point.events);
  for (std::size_t i = 0; i < y.data().size(); ++i) {
    const double error = y.data()[i] - norm.exact.data()[i];
    sums.point.nonfinite += std::isfinite(y.data()[i]) ? 0 : 1;
    sums.noise += error * error;
  }
  sums.output.update(y.data().data(), y.data().size() * sizeof(float));
}

std::optional<BathtubNorm::Range> same_bits(const std::vector<BathtubPoint>& points) {
  const auto least =
      std::min_element(points.begin(), points.end(), [](const auto& a, const auto& b) { return a.error < b.error; });
  if (!std::isfinite(least->error)) return std::nullopt;
  BathtubNorm::Range widest{least->log2_scale, least->log2_scale};
  BathtubNorm::Range range = widest;
  const BathtubPoint* before = nullptr;
  for (const BathtubPoint& point : points) {
    if (!(point.error <= 2 * least->error)) continue;
    const bool goes_on =
        before != nullptr && before->log2_scale + 1 == point.log2_scale && before->output_sha256 == point.output_sha256;
    range = {goes_on ? range.from : point.log2_scale, point.log2_scale};
    if (range.to - range.from > widest.to - widest.from) widest = range;
    before = &point;
  }
  return widest;
}

BathtubNorm finish(NormSums& norm, std::uint64_t num_tokens) {
  BathtubNorm result;
  result.name = norm.op->name;
  result.layer = norm.op->layer;
  result.tokens = num_tokens;
  result.norm = spread_of(std::move(norm.lengths));
  for (PointSums& sums : norm.points) {
    BathtubPoint& point = result.points.emplace_back(std::move(sums.point));
    point.error = point.nonfinite == 0 ? std::sqrt(sums.noise / norm.signal) : std::numeric_limits<double>::infinity();
    point.output_sha256 = sums.output.hex();
  }
  result.same_bits = same_bits(result.points);
  return result;
}

}  // namespace

BathtubResult norm_bathtub(const Trace& trace, const LoadedAccelerator& accelerator, const BathtubOptions& options,
                           const numerics::ParallelFor& parallel_for, const Progress& progress) {
  if (options.from > options.to) {
    throw UserError(ExitCode::kUsage,
                    fmt::format("--from: got {}; expected at most --to, which is {}", options.from, options.to));
  }
  const transformer::Model<float> model = load_scaled_model(trace, options.replay, parallel_for);
  const units::NormUnit unit(accelerator.config.norm, units::conversion_spec(accelerator.config.storage.activation));
  std::vector<NormSums> norms = norms_of(model, options);
  const std::size_t max_windows = options.replay.max_windows == 0 ? trace.windows.size() : options.replay.max_windows;
  BathtubResult result;
  result.num_windows = std::min(max_windows, trace.windows.size());
  const std::size_t num_points = static_cast<std::size_t>(options.to - options.from) + 1;
  for (std::size_t window = 0; window < result.num_windows; ++window) {
    throw_if_interrupted();
    const std::span<const int> tokens = inputs_of(trace.windows[window], trace.shape);
    result.num_tokens += tokens.size();
    read_window(model, accelerator.config, tokens, norms, parallel_for);
    numerics::run_parallel(parallel_for, norms.size() * num_points, [&](std::size_t job) {
      NormSums& norm = norms[job / num_points];
      run_point(unit, model, norm, window, norm.points[job % num_points]);
    });
    if (progress) progress(window + 1, result.num_windows, "norms");
  }
  calibration::CalibrationOptions calibration = options.replay.calibration;
  calibration.seed = options.replay.seed;
  calibration.pow2_scales = accelerator.config.norm.scale == "pow2";
  for (NormSums& norm : norms) result.norms.push_back(finish(norm, result.num_tokens));
  for (const char* const method : {"slanc", "slanc_residual"}) {
    const std::map<std::string, double> scales = scales_of(method, model, calibration);
    for (BathtubNorm& norm : result.norms) {
      if (const auto found = scales.find(norm.name); found != scales.end()) {
        norm.marks.push_back({method, found->second});
      }
    }
  }
  result.trace_name = trace.name;
  result.residual_gain = options.replay.residual_gain;
  result.channel_gain = options.replay.channel_gain;
  result.channels = options.replay.channels;
  result.accelerator_name = accelerator.name;
  for (const auto& [key, value] : accelerator.keys) {
    if (key.starts_with("norm.") || key.starts_with("storage.")) result.accelerator_keys[key] = value;
  }
  return result;
}

}  // namespace guardbit::sim
