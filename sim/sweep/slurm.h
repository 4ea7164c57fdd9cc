#pragma once
/// A sweep as a Slurm job array over shards. Slurm starts processes and nothing else: what is done and what is not is
/// in the store, so a task that is lost, started twice or requeued does no harm, and submitting again computes what is
/// missing.
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "sim/sweep/sweep_status.h"

namespace guardbit::sim {

struct SlurmOptions {
  std::uint64_t shards = 0;  ///< 0: as many as make a shard kShardSeconds long by the plan's estimate
  std::size_t jobs = 1;      ///< processes, and processors, of a task
  bool retry_failed = false;
  bool submit = true;                       ///< false: write the script and say the command
  std::vector<std::string> sbatch_options;  ///< passed on as they are, after ours
};

struct SlurmSubmission {
  std::filesystem::path script;
  std::vector<std::string> command;  ///< sbatch and its arguments
  std::size_t tasks = 0;             ///< shards with something to do; 0: nothing is submitted
  std::string answer;                ///< of sbatch --parsable: the job's id
};

/// A task is 1 to 10 minutes of work: starting one costs Slurm about a quarter of a second.
inline constexpr double kShardSeconds = 180;
inline constexpr std::uint64_t kMaxShards = 1000;  // Slurm's default MaxArraySize is 1001

/// "0-2,5,7-8" of ascending numbers, as --array takes it.
[[nodiscard]] std::string array_ranges(const std::vector<std::uint64_t>& numbers);

/// `text` as one word of a POSIX shell.
[[nodiscard]] std::string shell_word(const std::string& text);

/// Writes <store>/slurm/submit.sh and submits it for the shards that have something to do. UserError kRefused (69) if
/// there is no sbatch, kIo if sbatch fails, with what it said.
[[nodiscard]] SlurmSubmission submit_to_slurm(const Store& store, const Plan& plan, const SlurmOptions& options);

}  // namespace guardbit::sim
