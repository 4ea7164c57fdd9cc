#include "sim/sweep/point_worker.h"

#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <new>
#include <nlohmann/json.hpp>

#include "models/kernels/vector_target.h"
#include "sim/base/error.h"
#include "sim/base/sha256.h"
#include "sim/base/signal_guard.h"
#include "sim/base/system_failure.h"
#include "sim/replay/build_info.h"
#include "sim/replay/replay_inputs.h"
#include "sim/sweep/point_result.h"

namespace guardbit::sim {
namespace {

constexpr int kSignalExitBase = 128;

/// What checked models depend on beside the trace.
std::string range_key(const ReplaySettings& settings) {
  return fmt::format("{} {} {} {} {} {} {}", settings.values, settings.windows, settings.tokens, settings.residual_gain,
                     settings.channel_gain, settings.channels, settings.channels > 0 ? settings.seed : 0);
}

std::string provenance_json(double seconds) {
  nlohmann::ordered_json json;
  for (const auto& [key, value] : build_provenance()) json[key] = value;
  char host[65] = {};
  if (gethostname(host, sizeof host - 1) != 0) host[0] = '\0';
  json["host"] = host;
  json["vector_target"] = kernels::vector_target();
  json["seconds"] = fmt::format("{:.3f}", seconds);
  return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace

PointWorker::PointWorker(const Store& store, const Plan& plan) : store_(store), plan_(plan), resolver_(plan.space) {}

void PointWorker::resolve(const PlanPoint& point) {
  resolver_.choose(point.choice);
  if (sha256_hex(resolver_.description()) == point.key) return;
  throw UserError(ExitCode::kConfiguration,
                  fmt::format("{}: point {}: this version of guardbit resolves it to another configuration; plan the "
                              "sweep again",
                              store_.directory().string(), point.key));
}

std::string PointWorker::sharing_key(const PlanPoint& point) {
  resolver_.choose(point.choice);
  LoadedAccelerator accelerator;
  accelerator.config = resolver_.accelerator().config();
  return fmt::format("{} {} {}", resolver_.trace().sha256, range_key(resolver_.settings()),
                     shared_model_key(resolver_.variant(), accelerator, resolver_.options()));
}

void PointWorker::prepare(const PlanPoint& point, bool calibrate) {
  resolve(point);
  const ReplayOptions options = resolver_.options();
  const std::string trace_key = resolver_.trace().sha256 + " " + range_key(resolver_.settings());
  if (trace_key != trace_key_) {
    shared_.reset();
    checked_.reset();
    trace_.reset();
    trace_key_.clear();
    model_key_.clear();
    const SpaceTrace& described = resolver_.trace();
    trace_ = options.values ? load_trace(described.directory) : load_trace_description(described.directory);
    if (trace_->sha256 != described.sha256) {
      throw UserError(ExitCode::kMalformedInput,
                      fmt::format("{}: got a trace with SHA-256 {}; expected {}, the one that was planned",
                                  described.directory, trace_->sha256, described.sha256));
    }
    if (options.values) checked_ = load_checked_model(*trace_, options, {});
    trace_key_ = trace_key;
  }
  const std::string model_key = sharing_key(point);
  if (!calibrate || !options.values || model_key == model_key_) return;
  shared_.reset();
  shared_ = share_model(*trace_, *checked_, resolver_.variant(), resolver_.accelerator().resolved(), options);
  model_key_ = model_key;
}

void PointWorker::replay_and_publish(const PlanPoint& point) {
  const auto start = std::chrono::steady_clock::now();
  resolve(point);
  ReplayOptions options = resolver_.options();
  const LoadedAccelerator accelerator = resolver_.accelerator().resolved();
  if (options.values && model_key_ != sharing_key(point)) {
    shared_ = share_model(*trace_, *checked_, resolver_.variant(), accelerator, options);
  }
  TokenErrors errors(windows_of(*trace_, options), trace_->shape);
  if (options.values) {
    options.on_logits = [&](std::size_t first_row, numerics::MatrixView<const float> simulated,
                            numerics::MatrixView<const float> reference) {
      errors.add_rows(first_row, simulated, reference);
    };
  }
  const ReplayResult result = replay(*trace_, accelerator, options, {}, {}, options.values ? &*shared_ : nullptr);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const std::string text =
      point_text(point.key, resolver_.description(), point_result_json(result, options.values ? &errors : nullptr),
                 provenance_json(seconds));
  (void)store_.publish(point.key, text);
}

int PointWorker::compute(const PlanPoint& point) {
  const auto say = [](const std::string& message) { (void)std::fputs((message + "\n").c_str(), stderr); };
  try {
    replay_and_publish(point);
    return 0;
  } catch (const UserError& error) {
    say(error.what());
    return static_cast<int>(error.code());
  } catch (const Interrupted& interrupted) {
    return kSignalExitBase + interrupted.signal();
  } catch (const DeterminismViolation& violation) {
    say(violation.what());
    return kViolationExit;
  } catch (const std::bad_alloc&) {
    say("out of memory");
    return static_cast<int>(ExitCode::kRefused);
  } catch (const std::system_error& error) {
    say(error.what());
    return static_cast<int>(exit_code_of(error));
  } catch (const std::exception& error) {
    say(error.what());
    return static_cast<int>(ExitCode::kInternal);
  }
}

}  // namespace guardbit::sim
