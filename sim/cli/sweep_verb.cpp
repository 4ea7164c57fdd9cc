#include <fmt/format.h>

#include <charconv>
#include <memory>

#include "models/kernels/vector_target.h"
#include "sim/base/error.h"
#include "sim/base/plural.h"
#include "sim/base/thread_pool.h"
#include "sim/cli/progress_line.h"
#include "sim/cli/verbs.h"
#include "sim/sweep/planner.h"
#include "sim/sweep/runner.h"
#include "sim/sweep/slurm.h"
#include "sim/sweep/sweep_status.h"
#include "sim/sweep/work_estimate.h"

namespace guardbit::sim::cli {
namespace {

constexpr double kSecondsPerMinute = 60;

struct SweepArguments {
  std::string file;
  std::string store;
  std::int64_t max_points = kDefaultMaxPoints;
  bool replace = false;
  std::int64_t jobs = 0;
  std::string shard;
  std::string vector_target;
  bool retry_failed = false;
  bool recheck = false;
  bool allow_mixed = false;
  double timeout = 0;
  bool deep = false;
  bool slurm = false;
  bool dry_run = false;
  SlurmOptions slurm_options;
  Talk talk;
};

/// "i/n" with 0 <= i < n.
std::optional<Shard> parse_shard(const std::string& text) {
  Shard shard;
  const char* const end = text.data() + text.size();
  const auto index = std::from_chars(text.data(), end, shard.index);
  if (index.ec != std::errc{} || index.ptr == end || *index.ptr != '/') return std::nullopt;
  const auto count = std::from_chars(index.ptr + 1, end, shard.count);
  if (count.ec != std::errc{} || count.ptr != end || shard.index >= shard.count) return std::nullopt;
  return shard;
}

std::string check_shard(const std::string& text) {
  return parse_shard(text) ? "" : "got " + text + "; expected i/n with 0 <= i < n, such as 0/4";
}

int run_plan(const SweepArguments& arguments) {
  PlanCounts counts;
  const Plan plan = make_plan(arguments.file, static_cast<std::uint64_t>(arguments.max_points), counts);
  for (const std::string& warning : counts.warnings) warn(warning);
  Store::create(arguments.store, plan, arguments.replace);
  std::string text =
      fmt::format("sweep {}: {} {}\n", plan.name, plan.points.size(), plural(plan.points.size(), "point"));
  for (const SpaceAxis& axis : plan.space.axes) {
    if (axis.values.size() > 1) text += fmt::format("  {}: {} values\n", axis.key, axis.values.size());
  }
  text += fmt::format("  of {} combinations; {} left out by filters, {} by rules between keys\n",
                      describe_size(counts.full_size), counts.left_out, counts.invalid);
  text += fmt::format("estimated cost: {:.3g} MACs, about {:.2g} core minutes\n", plan.macs,
                      plan.macs / kMacsPerCoreSecond / kSecondsPerMinute);
  text += fmt::format("store: {}\n", arguments.store);
  print(text);
  return 0;
}

void say_all(const std::vector<std::string>& messages) {
  for (const std::string& message : messages) say("guardbit: " + printable(message) + "\n");
}

int run_sweep_verb(const SweepArguments& arguments) {
  if (!arguments.vector_target.empty()) kernels::limit_vector_target(arguments.vector_target);
  const Store store(arguments.store);
  const Plan plan = store.read_plan();
  RunOptions options{.jobs = static_cast<std::size_t>(arguments.jobs), .shard = {}};
  if (options.jobs == 0) options.jobs = available_processors();
  if (!arguments.shard.empty()) options.shard = *parse_shard(arguments.shard);
  options.retry_failed = arguments.retry_failed;
  options.recheck = arguments.recheck;
  options.allow_mixed = arguments.allow_mixed;
  options.timeout_seconds = arguments.timeout;
  RunSummary summary;
  {
    ProgressLine progress(arguments.talk);
    summary = run_sweep(store, plan, options, [&](std::size_t done, std::size_t total, std::size_t failed) {
      progress.update(done, total, "points", failed == 0 ? plan.name : fmt::format("{} failed", failed));
    });
  }
  say_all(summary.messages);
  print(fmt::format("points {}, computed {}, reused {}, failed {}\n", summary.points, summary.computed, summary.reused,
                    summary.failed));
  if (summary.violated) return static_cast<int>(ExitCode::kInternal);
  return static_cast<int>(summary.failed > 0 ? ExitCode::kPartial : ExitCode::kOk);
}

int run_status(const SweepArguments& arguments) {
  const Store store(arguments.store);
  const Plan plan = store.read_plan();
  SweepStatus status;
  {
    ProgressLine progress(arguments.talk);
    status = read_store(store, plan, arguments.deep, {}, [&](std::size_t done, std::size_t total) {
      progress.update(done, total, "points", plan.name);
    });
  }
  say_all(status.messages);
  std::string text = fmt::format("sweep {}: points {}, done {}, failed {}, missing {}, conflicts {}\n", plan.name,
                                 status.points, status.done, status.failed, status.missing, status.conflicts);
  if (status.done > 0) {
    const double each = status.seconds / static_cast<double>(status.done);
    text += fmt::format("time: {:.3f} s a point; about {:.2g} core minutes left\n", each,
                        each * static_cast<double>(status.missing) / kSecondsPerMinute);
  }
  text += fmt::format("digest {}\n", status.digest);
  print(text);
  if (status.conflicts > 0) return static_cast<int>(ExitCode::kInternal);
  return static_cast<int>(status.done == status.points ? ExitCode::kOk : ExitCode::kPartial);
}

int run_submit(SweepArguments& arguments) {
  const Store store(arguments.store);
  const Plan plan = store.read_plan();
  arguments.slurm_options.submit = !arguments.dry_run;
  arguments.slurm_options.retry_failed = arguments.retry_failed;
  const SlurmSubmission submission = submit_to_slurm(store, plan, arguments.slurm_options);
  if (submission.tasks == 0) {
    print("nothing to do: no point of the plan is missing\n");
    return 0;
  }
  std::string command;
  for (const std::string& word : submission.command) command += (command.empty() ? "" : " ") + shell_word(word);
  if (arguments.dry_run) {
    print(command + "\n");
  } else {
    print(fmt::format("job {}, tasks {}\n", submission.answer, submission.tasks));
  }
  return 0;
}

void add_store(CLI::App& verb, SweepArguments& arguments) {
  verb.add_option("store", arguments.store, "Store directory, made by sweep plan")->required();
}

using Arguments = std::shared_ptr<SweepArguments>;

void add_plan(CLI::App& sweep, const Arguments& arguments, Action& action) {
  CLI::App* verb = sweep.add_subcommand("plan", "Expand a sweep file into points and make their store");
  verb->add_option("file", arguments->file, "Sweep file (docs/sweeps.md)")->required();
  verb->add_option("-o,--output", arguments->store, "Store directory")->required();
  verb->add_option("--max-points", arguments->max_points, "Refuse more points than this")
      ->check(whole_number(1))
      ->capture_default_str();
  verb->add_flag("--replace", arguments->replace, "Replace a store's plan; results whose points agree stay");
  verb->footer(examples({"guardbit sweep plan configs/sweeps/array-formats.toml -o out/formats"}));
  verb->final_callback([arguments, &action] { action = [arguments] { return run_plan(*arguments); }; });
}

void add_run(CLI::App& sweep, const Arguments& arguments, Action& action) {
  CLI::App* verb = sweep.add_subcommand("run", "Compute the points that the store does not have");
  add_store(*verb, *arguments);
  verb->add_option("--jobs,-j", arguments->jobs, "Processes at a time (0: all processors); never changes results")
      ->check(whole_number(0, 1024))
      ->capture_default_str();
  verb->add_option("--shard", arguments->shard, "i/n: only the points of the i-th of n parts, from 0")
      ->check(check_shard);
  verb->add_flag("--retry-failed", arguments->retry_failed, "Compute points again whose failure is on record");
  verb->add_flag("--recheck", arguments->recheck,
                 "Compute points that are done again and compare: exit 70 if one differs");
  verb->add_flag("--allow-mixed", arguments->allow_mixed, "Although another build of guardbit made the plan");
  verb->add_option("--timeout", arguments->timeout, "Seconds after which a point has failed (0: never)")
      ->check(number_in(0, 1e9, "0..1e9"));
  add_vector_target(*verb, arguments->vector_target);
  add_talk(*verb, arguments->talk);
  verb->footer(examples(
      {"guardbit sweep run out/formats --jobs 2", "guardbit sweep run out/formats --jobs 1 -q --shard 0/8"},
      "Exit codes: 0 all points of the shard are done, 75 some failed, 70 a second result differs from the first."));
  verb->final_callback([arguments, &action] { action = [arguments] { return run_sweep_verb(*arguments); }; });
}

void add_status(CLI::App& sweep, const Arguments& arguments, Action& action) {
  CLI::App* verb = sweep.add_subcommand("status", "Say how far a store is, checking every file in it");
  add_store(*verb, *arguments);
  verb->add_flag("--deep", arguments->deep, "Also list files that belong to no point");
  add_talk(*verb, arguments->talk);
  verb->footer(examples({"guardbit sweep status out/formats --deep"},
                        "Exit codes: 0 complete, 75 points are missing or failed, 70 second results differ."));
  verb->final_callback([arguments, &action] { action = [arguments] { return run_status(*arguments); }; });
}

void add_submit(CLI::App& sweep, const Arguments& arguments, Action& action) {
  CLI::App* verb = sweep.add_subcommand("submit", "Give a sweep to a cluster: an array of shards (docs/cluster.md)");
  add_store(*verb, *arguments);
  verb->add_flag("--slurm", arguments->slurm,
                 "To Slurm, the only one so far; options that are none of these go to sbatch")
      ->required();
  verb->add_option("--shards", arguments->slurm_options.shards, "Parts (default: about three minutes of work each)")
      ->check(whole_number(1, 1'000'000));
  verb->add_option("--jobs,-j", arguments->slurm_options.jobs, "Processes and processors of a task")
      ->check(whole_number(1, 1024))
      ->capture_default_str();
  verb->add_flag("--retry-failed", arguments->retry_failed, "Compute points again whose failure is on record");
  verb->add_flag("--dry-run", arguments->dry_run, "Write the script and print the command instead of submitting");
  verb->allow_extras();
  verb->footer(
      examples({"guardbit sweep submit out/formats --slurm --dry-run",
                "guardbit sweep submit out/formats --slurm --shards 16 --jobs 4 --partition=main --time=00:30:00"},
               "Submitting again computes what is missing then."));
  verb->final_callback([arguments, verb, &action] {
    arguments->slurm_options.sbatch_options = verb->remaining();
    action = [arguments] { return run_submit(*arguments); };
  });
}

}  // namespace

void add_sweep(CLI::App& app, Action& action) {
  auto arguments = std::make_shared<SweepArguments>();
  CLI::App* sweep = app.add_subcommand("sweep", "Explore a design space: many replays in a store that loses nothing");
  sweep->require_subcommand(1);
  sweep->footer(examples({"guardbit sweep plan configs/sweeps/array-formats.toml -o out/formats",
                          "guardbit sweep run out/formats", "guardbit sweep gather out/formats -o out/formats.db",
                          "guardbit pareto out/formats.db --x cycles --y perplexity"}));
  add_plan(*sweep, arguments, action);
  add_run(*sweep, arguments, action);
  add_status(*sweep, arguments, action);
  add_gather(*sweep, action);
  add_submit(*sweep, arguments, action);
  add_search(*sweep, action);
}

}  // namespace guardbit::sim::cli
