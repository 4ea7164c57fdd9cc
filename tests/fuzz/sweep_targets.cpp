// Sweep files, and what a store's files say.
#include <stdexcept>
#include <string>

#include "sim/base/error.h"
#include "sim/base/sha256.h"
#include "sim/sweep/condition.h"
#include "sim/sweep/design_space.h"
#include "sim/sweep/planner.h"
#include "sim/sweep/point_file.h"
#include "sim/sweep/store.h"
#include "tests/fuzz/fuzz_targets.h"
#include "tests/support/small_trace.h"

namespace guardbit::tests {
namespace {

constexpr std::uint64_t kFewPoints = 200;

/// A directory with an accelerator and a trace that sweep files can name.
struct SweepDirectory {
  TemporaryDirectory directory;
  SweepDirectory() {
    make_small_trace(directory);
    directory.write("a.toml", "array.rows = 4\n");
  }
};

/// Every point of a plan, as `guardbit sweep run` would resolve it.
void use(const sim::Plan& plan) {
  sim::PointResolver resolver(plan.space);
  for (std::size_t point = 0; point < std::min<std::size_t>(plan.points.size(), 8); ++point) {
    resolver.choose(plan.points[point].choice);
    (void)resolver.options();
    (void)resolver.description();
  }
}

}  // namespace

void fuzz_sweep(std::string_view bytes) {
  static const SweepDirectory sweep;
  sim::PlanCounts counts;
  const sim::Plan plan = sim::make_plan(sweep.directory.write("x.toml", bytes), kFewPoints, counts);
  const std::string text = sim::plan_text(plan);
  if (sim::plan_text(sim::parse_plan(text, "plan.jsonl")) != text) throw std::logic_error("another plan comes back");
  use(plan);
}

void fuzz_store_plan(std::string_view bytes) {
  const std::size_t last = bytes.size() < 2 ? std::string_view::npos : bytes.rfind('\n', bytes.size() - 2);
  const std::string content(bytes.substr(0, last == std::string_view::npos ? 0 : last + 1));
  const std::string sealed = content + "{\"end\":true,\"sha256\":\"" + sim::sha256_hex(content) + "\"}\n";
  for (const std::string& text : {std::string(bytes), sealed}) {
    try {
      use(sim::parse_plan(text, "plan.jsonl"));
    } catch (const sim::UserError& error) {
      if (error.code() != sim::ExitCode::kMalformedInput) throw;
    }
  }
}

void fuzz_store_point(std::string_view bytes) {
  static const TemporaryDirectory directory;
  static const std::string key(64, 'a');
  sim::PointFile file;
  (void)sim::read_point(bytes, key, file);
  // The same lines, with the hashes that their forger would state.
  const std::size_t first = bytes.find('\n');
  constexpr std::string_view kPoint = "\"point\":";
  const std::size_t second = first == std::string_view::npos ? first : bytes.find('\n', first + 1);
  if (second != std::string_view::npos && second > first + kPoint.size() + 1) {
    const std::string point(bytes.substr(first + 1 + kPoint.size(), second - first - kPoint.size() - 2));
    const std::string rest(bytes.substr(second + 1));
    const std::string text = sim::point_text(sim::sha256_hex(point), point, rest.substr(0, rest.find('\n')), "{}");
    (void)sim::read_point(text, sim::sha256_hex(point), file);
  }
  directory.write("plan.jsonl", "");
  directory.write("failed/" + key + ".json", bytes);
  (void)sim::Store(directory.path()).failure(key);
}

void fuzz_condition(std::string_view bytes) {
  static const std::string number = "16";
  static const std::string text = "ws";
  try {
    const sim::Condition condition(bytes);
    (void)condition.names();
    (void)condition.holds([](std::string_view name) {
      return name.empty() ? nullptr : name.front() == 'a' ? &number : name.front() == 'b' ? &text : nullptr;
    });
  } catch (const std::invalid_argument& error) {
    if (std::string_view(error.what()).empty()) throw std::logic_error("an error that says nothing");
  }
}

}  // namespace guardbit::tests
