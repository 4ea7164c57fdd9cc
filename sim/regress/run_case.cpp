#include "sim/regress/run_case.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>
#include <optional>

#include "models/numerics/check.h"
#include "sim/base/child_process.h"
#include "sim/base/error.h"
#include "sim/base/sha256.h"
#include "sim/base/thread_pool.h"
#include "sim/regress/golden_file.h"
#include "sim/regress/tensor_recorder.h"

namespace guardbit::sim {
namespace {

using Inputs = std::map<std::string, std::string>;

/// Keys that are not what they are without any file, so that a new key leaves old goldens alone.
void add_accelerator(const std::map<std::string, std::string>& keys, Inputs& inputs) {
  const std::map<std::string, std::string> defaults = default_accelerator({}, ConfigScope::kLinear).keys;
  for (const auto& [key, value] : keys) {
    if (defaults.at(key) != value) inputs["accelerator." + key] = value.empty() ? "\"\"" : value;
  }
}

std::map<std::string, std::uint64_t> nonzero_events(const numerics::EventLedger& ledger) {
  std::map<std::string, std::uint64_t> events;
  for (std::size_t stage = 0; stage < numerics::kNumStages; ++stage) {
    for (std::size_t event = 0; event < numerics::kNumEvents; ++event) {
      const std::uint64_t count = ledger.stages[stage].counts[event];
      if (count == 0) continue;
      events[fmt::format("{}.{}", numerics::kStageNames[stage], numerics::kEventNames[event])] = count;
    }
  }
  return events;
}

std::map<std::string, std::uint64_t> cycles_of(const CycleReport& report) {
  std::map<std::string, std::uint64_t> cycles = {{"total", report.total}};
  for (std::size_t unit = 0; unit < kNumUnits; ++unit) {
    const UnitCycles& of = report.units[unit];
    const std::string name(kUnitNames[unit]);
    cycles[name + ".busy"] = of.busy;
    cycles[name + ".input_stall"] = of.input_stall;
    cycles[name + ".output_stall"] = of.output_stall;
    cycles[name + ".token_wait"] = of.token_wait;
    cycles[name + ".idle"] = of.idle;
  }
  return cycles;
}

Inputs inputs_of(const SuiteCase::Replay& replay, const Trace& trace, const LoadedAccelerator& accelerator) {
  const ReplayOptions& options = replay.options;
  Inputs inputs = {{"kind", "replay"},
                   {"trace_sha256", trace.sha256},
                   {"windows", std::to_string(options.max_windows)},
                   {"decode", std::to_string(options.decode)},
                   {"open_loop", options.open_loop ? "true" : "false"},
                   {"seed", std::to_string(options.seed)},
                   {"residual_gain", fmt::format("{}", options.residual_gain)},
                   {"channel_gain", fmt::format("{}", options.channel_gain)},
                   {"channels", std::to_string(options.channels)},
                   {"slanc_target", fmt::format("{}", options.calibration.target_norm)},
                   {"smooth_qkv", options.calibration.smooth_qkv ? "true" : "false"}};
  add_accelerator(accelerator.keys, inputs);
  return inputs;
}

OpGolden golden_of(const OpResult& op, TensorGolden output) {
  OpGolden golden{
      .name = op.name, .kind = op.kind, .output = std::move(output), .events = nonzero_events(op.events), .cycles = {}};
  GUARDBIT_CHECK(golden.output.sha256 == op.output_sha256, "a recorded output is the replay's");
  for (std::size_t unit = 0; unit < kNumUnits; ++unit) {
    if (op.unit_cycles[unit] != 0) golden.cycles[std::string(kUnitNames[unit])] = op.unit_cycles[unit];
  }
  return golden;
}

/// The recorders of a variant's ops, made when its first output arrives.
using Recorders = std::map<std::string, std::vector<TensorRecorder>>;

VariantGolden golden_of(const VariantResult& variant, std::vector<TensorRecorder>& recorders) {
  VariantGolden golden;
  golden.name = variant.name;
  golden.digest = variant.digest;
  if (std::isfinite(variant.perplexity)) golden.perplexity = fmt::format("{:.6g}", variant.perplexity);
  golden.cycles = cycles_of(variant.cycles);
  for (std::size_t op = 0; op < variant.ops.size(); ++op) {
    golden.ops.push_back(golden_of(variant.ops[op], recorders.at(op).finish()));
  }
  return golden;
}

CaseRun run_replay(const SuiteCase& suite_case, const SuiteCase::Replay& replay_case, const GoldenLimits& limits,
                   const RunOptions& run) {
  const LoadedAccelerator accelerator = load_accelerator(suite_case.accelerator, suite_case.overrides);
  const Trace trace = load_trace(replay_case.trace);
  ThreadPool pool(run.num_threads);
  Recorders recorders;
  ReplayOptions options = replay_case.options;
  options.stepped = run.stepped;
  options.on_output = [&recorders, &limits](const RecordedOutput& output) {
    std::vector<TensorRecorder>& ops = recorders[output.variant];
    while (ops.size() <= output.op) ops.emplace_back(limits);
    ops[output.op].add_window(output.storage, output.values);
  };
  const ReplayResult result = replay(trace, accelerator, options, pool.parallel_for(), {});
  CaseRun done;
  done.golden = {
      .name = suite_case.name, .limits = limits, .inputs = inputs_of(replay_case, trace, accelerator), .variants = {}};
  for (const VariantResult& variant : result.variants) {
    done.golden.variants.push_back(golden_of(variant, recorders[variant.name]));
  }
  done.gates = run_gates(replay_case.gates, result);
  return done;
}

Inputs inputs_of(const SuiteCase::Gemm& gemm, const GemmResult& result) {
  const GemmOptions& options = gemm.options;
  Inputs inputs = {{"kind", "gemm"},
                   {"m", std::to_string(options.m)},
                   {"n", std::to_string(options.n)},
                   {"k", std::to_string(options.k)},
                   {"a", gemm.a},
                   {"b", gemm.b},
                   {"transpose_b", options.transpose_b ? "true" : "false"},
                   {"seed", std::to_string(options.seed)},
                   {"preset", options.preset.empty() ? "none" : options.preset}};
  if (!options.a.file.empty()) inputs["a_sha256"] = sha256_of_file(options.a.file);
  if (!options.b.file.empty()) inputs["b_sha256"] = sha256_of_file(options.b.file);
  add_accelerator(result.accelerator_keys, inputs);
  return inputs;
}

/// A product as a replay of one op, for gates.
ReplayResult result_of(const GemmResult& product) {
  VariantResult variant;
  variant.name = "product";
  variant.cycles.total = product.timing.total_cycles();
  variant.macs = product.timing.macs;
  OpResult op;
  op.name = "product";
  op.kind = "gemm";
  op.events = product.values->events;
  variant.ops.push_back(std::move(op));
  ReplayResult result;
  result.variants.push_back(std::move(variant));
  return result;
}

CaseRun run_gemm(const SuiteCase& suite_case, const SuiteCase::Gemm& gemm, const GoldenLimits& limits,
                 const RunOptions& run) {
  const LoadedAccelerator accelerator =
      suite_case.accelerator.empty()
          ? default_accelerator(suite_case.overrides, ConfigScope::kLinear)
          : load_accelerator(suite_case.accelerator, suite_case.overrides, ConfigScope::kLinear);
  ThreadPool pool(run.num_threads);
  TensorRecorder recorder(limits);
  GemmOptions options = gemm.options;
  options.stepped = run.stepped;
  options.parallel_for = pool.parallel_for();
  options.on_output = [&recorder](const numerics::FloatFormat& format, const numerics::Matrix<float>& c) {
    recorder.add_window(format, c);
  };
  const GemmResult result = gemm_probe(accelerator, options);
  OpGolden product{.name = "product",
                   .kind = "gemm",
                   .output = recorder.finish(),
                   .events = nonzero_events(result.values->events),
                   .cycles = {}};
  VariantGolden variant{.name = "product",
                        .digest = result.values->digest,
                        .perplexity = "",
                        .cycles = {{"total", result.timing.total_cycles()}, {"folds", result.timing.folds}},
                        .ops = {std::move(product)}};
  CaseRun done;
  done.golden = {
      .name = suite_case.name, .limits = limits, .inputs = inputs_of(gemm, result), .variants = {std::move(variant)}};
  done.gates = run_gates(gemm.gates, result_of(result));
  return done;
}

/// Strings as one, each after its length: how a child answers.
std::string join(const std::vector<std::string>& parts) {
  std::string text;
  for (const std::string& part : parts) text += fmt::format("{}:", part.size()) + part;
  return text;
}

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> parts;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t colon = text.find(':', at);
    const std::size_t size = std::stoull(text.substr(at, colon - at));
    parts.push_back(text.substr(colon + 1, size));
    at = colon + 1 + size;
  }
  return parts;
}

std::string to_text(const CaseRun& run) {
  std::vector<std::string> parts = {golden_text(run.golden)};
  for (const GateOutcome& gate : run.gates) {
    parts.insert(parts.end(), {gate.gate, gate.variant, gate.failed ? "failed" : "passed", gate.detail});
  }
  return join(parts);
}

CaseRun from_text(const std::string& text) {
  const std::vector<std::string> parts = split(text);
  CaseRun run{.golden = parse_golden(parts.at(0), "recording"), .gates = {}};
  for (std::size_t i = 1; i + 3 < parts.size(); i += 4) {
    run.gates.push_back({parts[i], parts[i + 1], parts[i + 2] == "failed", parts[i + 3]});
  }
  return run;
}

}  // namespace

CaseRun run_case(const SuiteCase& suite_case, const GoldenLimits& limits, const RunOptions& options) {
  try {
    return from_text(run_in_child([&] {
      if (const auto* replay_case = std::get_if<SuiteCase::Replay>(&suite_case.work)) {
        return to_text(run_replay(suite_case, *replay_case, limits, options));
      }
      return to_text(run_gemm(suite_case, std::get<SuiteCase::Gemm>(suite_case.work), limits, options));
    }));
  } catch (const UserError& error) {
    throw UserError(error.code(), fmt::format("{}: {}: {}", suite_case.place, suite_case.name, error.what()));
  }
}

}  // namespace guardbit::sim
