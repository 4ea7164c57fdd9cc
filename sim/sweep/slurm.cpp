#include "sim/sweep/slurm.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <system_error>

#include "sim/base/atomic_file.h"
#include "sim/base/error.h"
#include "sim/sweep/runner.h"
#include "sim/sweep/work_estimate.h"

extern char** environ;

namespace guardbit::sim {
namespace {

namespace fs = std::filesystem;

constexpr int kTermSeconds = 60;  // what a task has to end by itself before Slurm kills it

/// Letters, digits, dot, dash and underscore of the sweep's name.
std::string job_name(const std::string& name) {
  std::string result = "guardbit-";
  for (const char c : name) {
    const bool plain =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_';
    result += plain ? c : '-';
  }
  return result;
}

/// Points that are to be computed, by shard.
std::vector<std::uint64_t> shards_with_work(const Store& store, const Plan& plan, std::uint64_t count,
                                            bool retry_failed) {
  std::vector<bool> has_work(count);
  PointFile file;
  std::string problem;
  for (const PlanPoint& point : plan.points) {
    if (store.read(point.key, file, problem) == Store::State::kDone) continue;
    if (!retry_failed && store.failure(point.key)) continue;
    has_work[Shard::index_of(point.key, count)] = true;
  }
  std::vector<std::uint64_t> shards;
  for (std::uint64_t shard = 0; shard < count; ++shard) {
    if (has_work[shard]) shards.push_back(shard);
  }
  return shards;
}

std::uint64_t default_shards(const Plan& plan, std::size_t jobs) {
  const double seconds = plan.macs / kMacsPerCoreSecond / static_cast<double>(jobs);
  const auto wanted = static_cast<std::uint64_t>(std::ceil(seconds / kShardSeconds));
  return std::clamp<std::uint64_t>(wanted, 1, std::min<std::uint64_t>(kMaxShards, plan.points.size()));
}

/// Runs a command; its standard output, with line ends cut off.
std::string output_of(const std::vector<std::string>& command) {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) throw UserError(ExitCode::kRefused, "cannot make a pipe");
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_adddup2(&files, ends[1], STDOUT_FILENO);
  std::vector<char*> words;
  for (const std::string& word : command) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  pid_t pid = -1;
  const int error = posix_spawnp(&pid, words.front(), &files, nullptr, words.data(), environ);
  posix_spawn_file_actions_destroy(&files);
  close(ends[1]);
  std::string text;
  std::array<char, 4096> buffer{};
  ssize_t count = 0;
  while (error == 0 && (count = read(ends[0], buffer.data(), buffer.size())) > 0) {
    text.append(buffer.data(), static_cast<std::size_t>(count));
  }
  close(ends[0]);
  if (error != 0) {
    throw UserError(
        ExitCode::kRefused,
        fmt::format("{}: cannot be run: {}; expected Slurm's commands in PATH (Debian: slurm-client). Without "
                    "Slurm: guardbit sweep run --shard i/n, one i a machine",
                    command.front(), std::generic_category().message(error)));
  }
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    throw UserError(ExitCode::kIo, fmt::format("{}: failed; what it said is above", command.front()));
  }
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

}  // namespace

std::string array_ranges(const std::vector<std::uint64_t>& numbers) {
  std::string text;
  for (std::size_t begin = 0; begin < numbers.size();) {
    std::size_t end = begin + 1;
    while (end < numbers.size() && numbers[end] == numbers[end - 1] + 1) ++end;
    text += fmt::format("{}{}", text.empty() ? "" : ",", numbers[begin]);
    if (end - begin > 1) text += fmt::format("-{}", numbers[end - 1]);
    begin = end;
  }
  return text;
}

std::string shell_word(const std::string& text) {
  std::string word = "'";
  for (const char c : text) word += c == '\'' ? "'\\''" : std::string(1, c);
  return word + "'";
}

SlurmSubmission submit_to_slurm(const Store& store, const Plan& plan, const SlurmOptions& options) {
  const fs::path directory = fs::absolute(store.directory()).lexically_normal();
  const std::uint64_t count = options.shards == 0 ? default_shards(plan, options.jobs) : options.shards;
  const std::vector<std::uint64_t> shards = shards_with_work(store, plan, count, options.retry_failed);
  SlurmSubmission submission;
  submission.script = directory / "slurm" / "submit.sh";
  submission.tasks = shards.size();
  const std::string script = fmt::format(
      "#!/bin/sh\n# Written by guardbit sweep submit. exec: the signal before the time limit reaches guardbit itself.\n"
      "exec {} sweep run {} --quiet --jobs {} --shard \"$SLURM_ARRAY_TASK_ID/{}\"{}\n",
      shell_word(fs::read_symlink("/proc/self/exe").string()), shell_word(directory.string()), options.jobs, count,
      options.retry_failed ? " --retry-failed" : "");
  constexpr mode_t kMode = 0777;  // less the umask
  (void)mkdir(submission.script.parent_path().c_str(), kMode);
  write_file(submission.script, script);
  submission.command = {"sbatch",
                        "--parsable",
                        "--job-name=" + job_name(plan.name),
                        "--array=" + array_ranges(shards),
                        fmt::format("--cpus-per-task={}", options.jobs),
                        fmt::format("--signal=B:TERM@{}", kTermSeconds),
                        "--requeue",
                        "--open-mode=append",
                        "--output=" + (directory / "slurm" / "%A_%a.log").string()};
  submission.command.insert(submission.command.end(), options.sbatch_options.begin(), options.sbatch_options.end());
  submission.command.push_back(submission.script.string());
  if (options.submit && submission.tasks > 0) submission.answer = output_of(submission.command);
  return submission;
}

}  // namespace guardbit::sim
