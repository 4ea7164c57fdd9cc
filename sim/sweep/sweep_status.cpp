#include "sim/sweep/sweep_status.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <set>

#include "sim/base/sha256.h"
#include "sim/base/signal_guard.h"

namespace guardbit::sim {
namespace {

namespace fs = std::filesystem;

/// "seconds":"1.234" of a provenance line that the checksum covers; 0 if it has none.
double seconds_of(const std::string& provenance) {
  constexpr std::string_view kName = "\"seconds\":\"";
  const std::size_t at = provenance.find(kName);
  return at == std::string::npos ? 0 : std::strtod(provenance.c_str() + at + kName.size(), nullptr);
}

void list_strangers(const Store& store, const Plan& plan, std::vector<std::string>& messages) {
  std::set<std::string> names;
  for (const PlanPoint& point : plan.points) names.insert(point.key + ".json");
  std::vector<std::string> strangers;
  std::error_code ignored;
  constexpr std::size_t kDirectoryDigits = 2;
  for (const fs::directory_entry& directory : fs::directory_iterator(store.directory(), ignored)) {
    if (!directory.is_directory() || directory.path().filename().string().size() != kDirectoryDigits) continue;
    for (const fs::directory_entry& entry : fs::directory_iterator(directory, ignored)) {
      if (!names.contains(entry.path().filename().string())) strangers.push_back(entry.path().string());
    }
  }
  std::sort(strangers.begin(), strangers.end());
  for (const std::string& stranger : strangers) messages.push_back(stranger + ": belongs to no point of the plan");
}

}  // namespace

SweepStatus read_store(const Store& store, const Plan& plan, bool deep,
                       const std::function<void(std::size_t, const PointFile&)>& visit, const StoreProgress& progress) {
  SweepStatus status;
  status.points = plan.points.size();
  status.conflicts = store.num_conflicts();
  if (status.conflicts > 0) {
    status.messages.push_back(fmt::format("{}: second results that differ from the first: {} (determinism violations)",
                                          store.conflicts_directory().string(), status.conflicts));
  }
  std::map<std::string, std::string> results;
  for (std::size_t index = 0; index < plan.points.size(); ++index) {
    throw_if_interrupted();
    if (progress) progress(index, plan.points.size());
    const std::string& key = plan.points[index].key;
    PointFile file;
    std::string problem;
    const Store::State state = store.read(key, file, problem);
    if (state == Store::State::kDone) {
      ++status.done;
      status.seconds += seconds_of(file.provenance);
      results[key] = file.result_sha256;
      if (visit) visit(index, file);
      continue;
    }
    if (state == Store::State::kDamaged) {
      status.messages.push_back(fmt::format("{}: {}", store.path_of(key).string(), problem));
    }
    ++(store.failure(key) ? status.failed : status.missing);
  }
  if (progress) progress(plan.points.size(), plan.points.size());
  if (deep) list_strangers(store, plan, status.messages);
  Sha256 digest;
  for (const auto& [key, result] : results) digest.update(key + " " + result + "\n");
  status.digest = digest.hex();
  return status;
}

}  // namespace guardbit::sim
