#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <memory>

#include "sim/base/error.h"
#include "sim/base/thread_pool.h"
#include "sim/cli/progress_line.h"
#include "sim/cli/terminal.h"
#include "sim/cli/verbs.h"
#include "sim/replay/replay_inputs.h"
#include "sim/report/text_table.h"
#include "sim/sweep/planner.h"
#include "sim/sweep/search.h"

namespace guardbit::sim::cli {
namespace {

constexpr double kPercent = 100;

struct SearchArguments {
  std::string file;
  std::string directory;
  std::string x;
  std::string y;
  std::vector<std::string> also;
  std::int64_t max_points = kDefaultMaxPoints;
  std::int64_t jobs = 0;
  Talk talk;
  SearchOptions options;
};

/// A rung that is longer than every window is the one before it again.
void warn_of_tokens(const Plan& plan, const SearchOptions& options) {
  ReplayOptions longest;
  longest.max_tokens = static_cast<std::size_t>(options.tokens.back());
  for (const SpaceTrace& trace : plan.space.traces) {
    for (const std::string& shortage : shortages_of(load_trace_description(trace.directory), longest)) {
      warn("--" + shortage);
    }
  }
}

int run_search(SearchArguments& arguments) {
  SearchOptions& options = arguments.options;
  options.objectives = {arguments.x, arguments.y};
  options.objectives.insert(options.objectives.end(), arguments.also.begin(), arguments.also.end());
  const auto length = [](std::int64_t tokens) {
    return tokens == 0 ? std::numeric_limits<std::int64_t>::max() : tokens;
  };
  const auto longer = [&](std::int64_t a, std::int64_t b) { return length(a) >= length(b); };
  if (std::adjacent_find(options.tokens.begin(), options.tokens.end(), longer) != options.tokens.end()) {
    throw UserError(ExitCode::kUsage, "--tokens: got numbers that do not grow; expected such as 16,64,256 or 16,64,0");
  }
  options.run.jobs = arguments.jobs == 0 ? available_processors() : static_cast<std::size_t>(arguments.jobs);
  PlanCounts counts;
  const Plan plan = make_plan(arguments.file, static_cast<std::uint64_t>(arguments.max_points), counts);
  for (const std::string& warning : counts.warnings) warn(warning);
  warn_of_tokens(plan, options);
  std::vector<SearchRung> rungs;
  {
    ProgressLine progress(arguments.talk);
    rungs = search(plan, arguments.directory, options, [&](std::size_t done, std::size_t total, std::size_t) {
      progress.update(done, total, "points", plan.name);
    });
  }
  TextTable table(
      {{"tokens"}, {"points"}, {"computed"}, {"reused"}, {"failed"}, {"work %"}, {"store", TextTable::Align::kLeft}});
  std::size_t failed = 0;
  bool violated = false;
  double work = 0;
  for (const SearchRung& rung : rungs) {
    const RunSummary& of = rung.summary;
    for (const std::string& message : of.messages) say("guardbit: " + printable(message) + "\n");
    const std::string tokens = rung.tokens == 0 ? "all" : std::to_string(rung.tokens);
    table.add_row({rung.values ? tokens : tokens + ", costs", std::to_string(of.points), std::to_string(of.computed),
                   std::to_string(of.reused), std::to_string(of.failed), fmt::format("{:.1f}", kPercent * rung.work),
                   rung.store.string()});
    work += rung.work;
    failed += of.failed;
    violated = violated || of.violated;
  }
  print_report(table.text(), "table");
  say(fmt::format("{:.1f} % of the multiply-accumulates of the whole grid\n", kPercent * work));
  if (violated) return static_cast<int>(ExitCode::kInternal);
  return static_cast<int>(failed > 0 ? ExitCode::kPartial : ExitCode::kOk);
}

}  // namespace

void add_search(CLI::App& sweep, Action& action) {
  auto arguments = std::make_shared<SearchArguments>();
  SearchOptions& options = arguments->options;
  CLI::App* verb =
      sweep.add_subcommand("search", "Explore a large space: short replays of all points, long ones of the best");
  verb->add_option("file", arguments->file, "Sweep file (docs/sweeps.md)")->required();
  verb->add_option("-o,--output", arguments->directory, "Directory of the rungs' stores")->required();
  verb->add_option("--x", arguments->x, "First objective: cycles, perplexity, sqnr_db, energy_pj, area_um2, ...")
      ->required();
  verb->add_option("--y", arguments->y, "Second objective")->required();
  verb->add_option("--also", arguments->also, "Comma-separated further objectives")->delimiter(',');
  verb->add_option("--tokens", options.tokens, "Comma-separated tokens of each window, growing; 0: all of them")
      ->delimiter(',')
      ->required()
      ->check(whole_number(0));
  verb->add_option("--keep", options.promise.keep,
                   "One of how many points goes on at least, those beaten by the smallest margins")
      ->check(whole_number(2, 1000))
      ->capture_default_str();
  verb->add_option("--slack", options.promise.slack,
                   "All points go on that are beaten by at most so many standard errors (0: as few as --keep says)")
      ->check(number_in(0, 100, "0..100"))
      ->capture_default_str();
  verb->add_option(
          "--budget", options.budget,
          "Most that all replays may cost, as a share of the multiply-accumulates of every point's longest one: "
          "fewer points go on than --keep and --slack say (0: no limit)")
      ->check(number_in(0, 1, "0..1"))
      ->capture_default_str();
  verb->add_option("--max-points", arguments->max_points, "Refuse more points than this")
      ->check(whole_number(1))
      ->capture_default_str();
  verb->add_option("--jobs,-j", arguments->jobs, "Processes at a time (0: all processors); never changes results")
      ->check(whole_number(0, 1024))
      ->capture_default_str();
  add_talk(*verb, arguments->talk);
  verb->footer(examples({"guardbit sweep search big.toml -o out/big --x cycles --y sqnr_db --tokens 16,64,256",
                         "guardbit sweep gather out/big/tokens-256 -o out/big.db"}));
  verb->final_callback([arguments, &action] { action = [arguments] { return run_search(*arguments); }; });
}

}  // namespace guardbit::sim::cli
