#include "sim/regress/suite.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <map>

#include "models/calibration/variant.h"
#include "sim/base/error.h"
#include "sim/config/toml_document.h"
#include "sim/regress/gate.h"
#include "sim/replay/variant_hardware.h"
#include "sim/trace/strict_json.h"

namespace guardbit::sim {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kLargest = std::numeric_limits<std::int64_t>::max();
constexpr double kLeastGain = 1e-6;
constexpr double kLargestGain = 1e6;

std::size_t count(const TomlCursor& table, std::string_view key) {
  return static_cast<std::size_t>(table.integer(key, 0, kLargest, 0));
}

/// A part of a case's name: what no file name has becomes '_'.
std::string name_part(const std::string& text) {
  std::string part;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
                       c == '-' || c == '+' || c == '.';
    part += plain ? c : '_';
  }
  return part;
}

class SuiteReader {
 public:
  explicit SuiteReader(const fs::path& file)
      : directory_(file.parent_path()), document_(read_toml(file)), problems_(file) {}

  Suite read() {
    const TomlCursor root(document_, problems_);
    root.allow_only({"schema", "golden", "replay", "gemm"});
    check_schema(root);
    if (const auto golden = root.find("golden")) limits(*golden);
    for (const TomlCursor& table : root.tables("replay")) replays(table);
    for (const TomlCursor& table : root.tables("gemm")) gemm(table);
    if (suite_.cases.empty()) problems_.add(1, "", "got no case; expected [[replay]] or [[gemm]] tables");
    problems_.throw_if_any();
    return std::move(suite_);
  }

 private:
  void check_schema(const TomlCursor& root) {
    const auto schema = root.require("schema");
    if (!schema) return;
    const std::string text = root.text("schema", "");
    if (text == kSuiteSchema || text.empty()) return;
    schema->complain(fmt::format("got \"{}\"; expected \"{}\"; is the file made for another version of guardbit?",
                                 printable(text), kSuiteSchema));
  }

  void limits(const TomlCursor& table) {
    table.allow_only({"rows_per_digest", "kept_rows_per_op", "kept_bytes_per_op"});
    GoldenLimits& limits = suite_.limits;
    limits.rows_per_digest = static_cast<std::uint64_t>(
        table.integer("rows_per_digest", 1, kMaxRowsPerDigest, static_cast<std::int64_t>(limits.rows_per_digest)));
    limits.kept_rows_per_op = static_cast<std::uint64_t>(
        table.integer("kept_rows_per_op", 0, kMaxKeptRowsPerOp, static_cast<std::int64_t>(limits.kept_rows_per_op)));
    limits.kept_bytes_per_op = static_cast<std::uint64_t>(
        table.integer("kept_bytes_per_op", 0, kMaxKeptBytesPerOp, static_cast<std::int64_t>(limits.kept_bytes_per_op)));
  }

  std::string name_of(const TomlCursor& table) {
    if (!table.require("name")) return {};
    const std::string name = table.text("name", "");
    if (name.empty()) return name;
    const std::string problem = file_name_problem(name);
    if (!problem.empty()) table.find("name")->complain(fmt::format("got {}; {}", printable(name), problem));
    return name;
  }

  void add_case(const TomlCursor& table, SuiteCase suite_case) {
    suite_case.place = table.place();
    const auto [twin, is_new] = places_.emplace(suite_case.name, suite_case.place);
    if (!is_new) {
      table.complain(fmt::format("got a second case {}; the first is at {}", printable(suite_case.name), twin->second));
    }
    suite_.cases.push_back(std::move(suite_case));
  }

  fs::path path(const std::string& text) const { return (directory_ / text).lexically_normal(); }

  void replays(const TomlCursor& table) {
    table.allow_only({"name", "traces", "accelerators", "variants", "set", "windows", "decode", "open_loop", "seed",
                      "residual_gain", "channel_gain", "channels", "slanc_target", "smooth_qkv", "fail_on"});
    const std::string name = name_of(table);
    const std::vector<std::string> traces = list(table, "traces");
    const std::vector<std::string> accelerators = list(table, "accelerators");
    const SuiteCase::Replay replay{.trace = {}, .options = options(table), .gates = gates(table)};
    for (const std::string& trace : traces) {
      for (const std::string& accelerator : accelerators) {
        SuiteCase one{.name = name,
                      .place = "",
                      .accelerator = path(accelerator),
                      .overrides = table.texts("set"),
                      .work = replay};
        std::get<SuiteCase::Replay>(one.work).trace = path(trace);
        if (traces.size() > 1) one.name += "-" + name_part(path(trace).filename().string());
        if (accelerators.size() > 1) one.name += "-" + name_part(path(accelerator).stem().string());
        add_case(table, std::move(one));
      }
    }
  }

  std::vector<std::string> list(const TomlCursor& table, std::string_view key) {
    if (!table.require(key)) return {};
    std::vector<std::string> items = table.texts(key);
    if (items.empty()) table.find(key)->complain("got none; expected at least one");
    return items;
  }

  /// In their canonical texts: one variant written in two ways is one variant.
  std::vector<std::string> variants(const TomlCursor& table) {
    std::vector<std::string> texts = list(table, "variants");
    for (std::string& text : texts) {
      try {
        text = calibration::parse_variant(text).canonical_text();
      } catch (const std::invalid_argument& error) {
        table.find("variants")->complain(error.what());
      }
    }
    return texts;
  }

  ReplayOptions options(const TomlCursor& table) {
    ReplayOptions options;
    options.variants = variants(table);
    for (std::size_t i = 0; i < options.variants.size(); ++i) {
      const auto end = options.variants.begin() + static_cast<std::ptrdiff_t>(i);
      if (std::find(options.variants.begin(), end, options.variants[i]) == end) continue;
      table.find("variants")->complain(fmt::format("got {} twice; expected once", printable(options.variants[i])));
    }
    options.max_windows = count(table, "windows");
    options.decode = count(table, "decode");
    options.open_loop = table.flag("open_loop", false);
    options.seed = static_cast<std::uint64_t>(table.integer("seed", 0, kLargest, 1));
    options.residual_gain = table.number("residual_gain", kLeastGain, kLargestGain, 1);
    options.channel_gain = table.number("channel_gain", kLeastGain, kLargestGain, 1);
    options.channels = static_cast<int>(table.integer("channels", 0, 1 << 20, 0));
    options.calibration.target_norm = table.number("slanc_target", kLeastGain, kLargestGain, 1);
    options.calibration.smooth_qkv = table.flag("smooth_qkv", false);
    return options;
  }

  std::vector<GateExpression> gates(const TomlCursor& table) {
    std::vector<GateExpression> gates;
    for (const std::string& text : table.texts("fail_on")) {
      try {
        gates.push_back(parse_gate(text, ""));
      } catch (const UserError& error) {
        table.find("fail_on")->complain(error.what());
      }
    }
    return gates;
  }

  void gemm(const TomlCursor& table) {
    table.allow_only(
        {"name", "m", "n", "k", "a", "b", "transpose_b", "seed", "preset", "accelerator", "set", "fail_on"});
    SuiteCase one{.name = name_of(table),
                  .place = "",
                  .accelerator = {},
                  .overrides = table.texts("set"),
                  .work = SuiteCase::Gemm{}};
    auto& work = std::get<SuiteCase::Gemm>(one.work);
    GemmOptions& options = work.options;
    const std::string accelerator = table.text("accelerator", "");
    if (!accelerator.empty()) one.accelerator = path(accelerator);
    options.m = size(table, "m");
    options.n = size(table, "n");
    options.k = size(table, "k");
    work.a = table.text("a", "normal");
    work.b = table.text("b", "normal");
    options.a = source(table, "a", work.a);
    options.b = source(table, "b", work.b);
    options.transpose_b = table.flag("transpose_b", false);
    options.seed = static_cast<std::uint64_t>(table.integer("seed", 0, kLargest, 0));
    options.preset = table.text("preset", "");
    options.error = false;
    work.gates = gates(table);
    add_case(table, std::move(one));
  }

  static std::uint64_t size(const TomlCursor& table, std::string_view key) {
    if (!table.require(key)) return 1;
    return static_cast<std::uint64_t>(table.integer(key, 1, kMaxGemmSize, 1));
  }

  OperandSource source(const TomlCursor& table, std::string_view key, const std::string& text) const {
    try {
      OperandSource source = OperandSource::parse(text, "");
      if (!source.file.empty()) source.file = path(source.file.string());
      return source;
    } catch (const UserError& error) {
      table.complain(fmt::format("{}{}", key, error.what()));
      return {};
    }
  }

  fs::path directory_;
  TomlValue document_;
  TomlProblems problems_;
  Suite suite_;
  std::map<std::string, std::string> places_;  // by name of case
};

void check_gemm(const SuiteCase& suite_case, const SuiteCase::Gemm& gemm) {
  if (suite_case.accelerator.empty()) {
    (void)default_accelerator(suite_case.overrides, ConfigScope::kLinear);
  } else {
    (void)load_accelerator(suite_case.accelerator, suite_case.overrides, ConfigScope::kLinear);
  }
  const GateScope scope{.variants = {"product"}, .ops = {}, .is_product = true};
  for (const GateExpression& gate : gemm.gates) check_gate(gate, scope, "fail_on: ");
}

void check_replay(const SuiteCase& suite_case, const SuiteCase::Replay& replay) {
  const LoadedAccelerator accelerator = load_accelerator(suite_case.accelerator, suite_case.overrides);
  GateScope scope{.variants = replay.options.variants, .ops = {}};
  try {
    for (const std::string& text : scope.variants) {
      (void)variant_hardware(calibration::parse_variant(text), accelerator.config);
    }
  } catch (const std::invalid_argument& error) {
    throw UserError(ExitCode::kConfiguration, std::string("variants: ") + error.what());
  }
  const Trace trace = load_trace_description(replay.trace);
  const transformer::Model<float> model = load_outline(trace);
  for (const transformer::Op& op : model.ops) scope.ops.emplace_back(op.name, name_of(op.kind));
  for (const GateExpression& gate : replay.gates) check_gate(gate, scope, "fail_on: ");
}

}  // namespace

Suite read_suite(const fs::path& file) { return SuiteReader(file).read(); }

void check_case(const SuiteCase& suite_case) {
  try {
    if (const auto* replay = std::get_if<SuiteCase::Replay>(&suite_case.work)) {
      check_replay(suite_case, *replay);
    } else {
      check_gemm(suite_case, std::get<SuiteCase::Gemm>(suite_case.work));
    }
  } catch (const UserError& error) {
    const ExitCode code = error.code() == ExitCode::kUsage ? ExitCode::kConfiguration : error.code();
    throw UserError(code, fmt::format("{}: {}: {}", suite_case.place, suite_case.name, error.what()));
  }
}

}  // namespace guardbit::sim
