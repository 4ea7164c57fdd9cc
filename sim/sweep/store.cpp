#include "sim/sweep/store.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <nlohmann/json.hpp>
#include <system_error>

#include "sim/base/atomic_file.h"
#include "sim/base/error.h"
#include "sim/base/input_file.h"
#include "sim/base/sha256.h"
#include "sim/sweep/durable_file.h"

namespace guardbit::sim {
namespace {

namespace fs = std::filesystem;

constexpr const char* kPlanFile = "plan.jsonl";
constexpr const char* kTemporaries = "tmp";
constexpr const char* kFailed = "failed";
constexpr const char* kConflicts = "conflicts";
constexpr const char* kDamaged = "damaged";
constexpr std::string_view kFailureSchema = "guardbit-failure/1";
constexpr int kStaleSeconds = 60;
constexpr std::size_t kShortDigits = 16;

void make_directory(const fs::path& path) {
  constexpr mode_t kMode = 0777;  // less the umask
  if (mkdir(path.c_str(), kMode) == 0 || errno == EEXIST) return;
  throw UserError(
      errno == ENOSPC ? ExitCode::kIo : ExitCode::kCannotCreate,
      fmt::format("{}: cannot create the directory: {}", path.string(), std::generic_category().message(errno)));
}

}  // namespace

bool Store::is_store(const fs::path& directory) { return fs::exists(directory / kPlanFile); }

Store::Store(fs::path directory) : directory_(std::move(directory)) {
  if (is_store(directory_)) return;
  throw UserError(ExitCode::kMissingInput, fmt::format("{}: has no {}; expected a store made by guardbit sweep plan",
                                                       directory_.string(), kPlanFile));
}

void Store::create(const fs::path& directory, const Plan& plan, bool replace) {
  std::error_code ignored;
  const std::string text = plan_text(plan);
  const fs::path file = directory / kPlanFile;
  if (fs::exists(file, ignored)) {
    if (read_file(file) == text) return;
    if (!replace) {
      throw UserError(
          ExitCode::kCannotCreate,
          fmt::format("{}: holds another plan; expected a new store, or --replace (results stay)", directory.string()));
    }
  } else if (fs::exists(directory, ignored) && !fs::is_empty(directory, ignored)) {
    throw UserError(
        ExitCode::kCannotCreate,
        fmt::format("{}: is there and is no store; expected a new name or an empty directory", directory.string()));
  }
  fs::path parents;
  for (const fs::path& part : fs::absolute(directory).lexically_normal()) {
    parents /= part;
    if (!fs::exists(parents, ignored)) make_directory(parents);
  }
  write_file(file, text);
}

Plan Store::read_plan() const {
  const fs::path file = directory_ / kPlanFile;
  return parse_plan(read_file(file), file.string());
}

fs::path Store::path_of(const std::string& key) const { return directory_ / key.substr(0, 2) / (key + ".json"); }

bool Store::exists(const std::string& key) const { return access(path_of(key).c_str(), F_OK) == 0; }

Store::State Store::read(const std::string& key, PointFile& file, std::string& problem) const {
  if (!exists(key)) return State::kMissing;
  try {
    problem = read_point(read_file(path_of(key), kMaxPointBytes), key, file);
  } catch (const UserError& error) {
    if (error.code() == ExitCode::kIo) throw;
    problem = error.what();
    return exists(key) ? State::kDamaged : State::kMissing;
  }
  return problem.empty() ? State::kDone : State::kDamaged;
}

fs::path Store::set_aside(const std::string& key) const {
  make_directory(directory_ / kDamaged);
  for (unsigned number = 0;; ++number) {
    const fs::path aside = directory_ / kDamaged / fmt::format("{}.{}.{}.json", key, getpid(), number);
    if (fs::exists(aside)) continue;
    if (rename(path_of(key).c_str(), aside.c_str()) == 0 || errno == ENOENT) return aside;
    throw UserError(ExitCode::kCannotCreate, fmt::format("{}: cannot move the damaged file: {}", path_of(key).string(),
                                                         std::generic_category().message(errno)));
  }
}

Store::Published Store::publish(const std::string& key, const std::string& text) const {
  while (!link_new_file(directory_ / kTemporaries, path_of(key), text)) {
    PointFile first;
    std::string problem;
    const State state = read(key, first, problem);
    if (state == State::kMissing) continue;  // moved away meanwhile
    if (state == State::kDamaged) {
      set_aside(key);
      continue;
    }
    PointFile second;
    problem = read_point(text, key, second);
    if (second.result == first.result) return Published::kEqual;
    const fs::path kept =
        conflicts_directory() / fmt::format("{}.{}.json", key, sha256_hex(second.result).substr(0, kShortDigits));
    (void)link_new_file(directory_ / kTemporaries, kept, text);
    throw DeterminismViolation(fmt::format(
        "{}: determinism violation: the same point gave another result now (kept as {}); expected equal bytes",
        path_of(key).string(), kept.string()));
  }
  return Published::kNew;
}

std::optional<Failure> Store::failure(const std::string& key) const {
  const fs::path file = directory_ / kFailed / (key + ".json");
  if (access(file.c_str(), F_OK) != 0) return std::nullopt;
  try {
    const nlohmann::json json = nlohmann::json::parse(read_file(file, kMaxPointBytes));
    if (json.at("schema") != kFailureSchema || json.at("key") != key) return std::nullopt;
    return Failure{json.at("exit_code"), json.at("signal"), json.at("timed_out"), json.at("attempts"),
                   json.at("error")};
  } catch (const nlohmann::json::exception&) {
    return std::nullopt;  // a record that says nothing: the point is simply missing
  } catch (const UserError&) {
    return std::nullopt;
  }
}

void Store::record_failure(const std::string& key, const Failure& failure) const {
  make_directory(directory_ / kFailed);
  const nlohmann::ordered_json json = {{"schema", kFailureSchema},       {"key", key},
                                       {"exit_code", failure.exit_code}, {"signal", failure.signal},
                                       {"timed_out", failure.timed_out}, {"attempts", failure.attempts},
                                       {"error", failure.error}};
  write_file(directory_ / kFailed / (key + ".json"),
             json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n");
}

void Store::forget_failure(const std::string& key) const {
  unlink((directory_ / kFailed / (key + ".json")).c_str());  // there is none, usually
}

std::size_t Store::num_conflicts() const {
  std::error_code ignored;
  const fs::directory_iterator entries(conflicts_directory(), ignored);
  return static_cast<std::size_t>(std::distance(begin(entries), end(entries)));
}

fs::path Store::conflicts_directory() const { return directory_ / kConflicts; }

void Store::prepare_writing() const {
  make_directory(directory_ / kTemporaries);
  if (access((directory_ / kTemporaries).c_str(), W_OK | X_OK) != 0) {
    throw UserError(ExitCode::kCannotCreate, fmt::format("{}: cannot be written: {}", directory_.string(),
                                                         std::generic_category().message(errno)));
  }
  remove_stale(directory_ / kTemporaries, kStaleSeconds);
}

}  // namespace guardbit::sim
