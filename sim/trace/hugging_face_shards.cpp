#include "sim/trace/hugging_face_shards.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "sim/base/error.h"
#include "sim/base/input_file.h"
#include "sim/base/input_policy.h"
#include "sim/trace/checkpoint_copy.h"
#include "sim/trace/strict_json.h"

namespace guardbit::sim {
namespace {

namespace fs = std::filesystem;

constexpr const char* kSingleFile = "model.safetensors";
constexpr const char* kIndexFile = "model.safetensors.index.json";

/// A symbolic link must stay in the directory, or lead into the blobs of the download cache that the directory is a
/// snapshot of (models--NAME/snapshots/COMMIT -> models--NAME/blobs).
void check_link(const fs::path& file) {
  std::error_code error;
  if (!fs::is_symlink(fs::symlink_status(file, error))) return;
  const fs::path directory = fs::canonical(file.parent_path(), error);
  const fs::path target = fs::canonical(file, error);
  if (error) return;  // opening it says what is wrong
  const fs::path blobs = directory.parent_path().parent_path() / "blobs";
  const bool is_cached = directory.parent_path().filename() == "snapshots" && target.parent_path() == blobs;
  if (is_cached || target.parent_path() == directory) return;
  throw UserError(
      ExitCode::kMalformedInput,
      fmt::format("{}: got a symbolic link to {}; expected a file of this directory", file.string(), target.string()));
}

SafetensorsFile open_shard(const fs::path& file) {
  check_link(file);
  check_hard_links(file);
  return SafetensorsFile(file);
}

/// Tensor name -> shard file name, every name checked.
std::map<std::string, std::string> read_index(const fs::path& file) {
  constexpr std::size_t kMaxShards = 10'000;
  const JsonValue root = parse_json(read_file(file), file);
  JsonProblems problems(file);
  const JsonCursor cursor(root, problems);
  std::map<std::string, std::string> shard_of;
  std::map<std::string, int> shards;
  const JsonCursor map = cursor.at("weight_map");
  for (const auto& [name, shard] : map.members()) {
    const std::string shard_name = shard.file_name();
    if (!shard_name.empty() && !shard_name.ends_with(".safetensors"))
      shard.expected("a name that ends in .safetensors");
    shards[shard_name] = 0;
    shard_of[name] = shard_name;
  }
  if (map.exists() && shard_of.empty()) map.expected("at least one tensor");
  if (shards.size() > kMaxShards) map.expected(fmt::format("at most {} files", kMaxShards));
  problems.throw_if_any();
  return shard_of;
}

CheckpointFiles open_sharded(const fs::path& directory) {
  const fs::path index = directory / kIndexFile;
  const std::map<std::string, std::string> shard_of = read_index(index);
  const auto fail = [&](const std::string& text) {
    throw UserError(ExitCode::kMalformedInput, fmt::format("{}: {}", index.string(), text));
  };
  std::map<std::string, std::size_t> opened;
  CheckpointFiles checkpoint;
  for (const auto& [tensor, shard] : shard_of) {
    if (!opened.emplace(shard, checkpoint.shards.size()).second) continue;
    checkpoint.files.push_back(directory / shard);
    checkpoint.shards.push_back(open_shard(directory / shard));
  }
  checkpoint.files.push_back(index);
  for (const auto& [tensor, shard] : shard_of) {
    if (checkpoint.shards[opened.at(shard)].contains(tensor)) continue;
    fail(fmt::format("/weight_map/{}: got '{}'; expected the file that holds this tensor", tensor, shard));
  }
  for (const SafetensorsFile& shard : checkpoint.shards) {
    for (const auto& [tensor, info] : shard.tensors()) {
      const auto listed = shard_of.find(tensor);
      const std::string file = shard.path().filename().string();
      if (listed == shard_of.end()) {
        fail(fmt::format("tensor '{}' of {} is not listed; expected every tensor in /weight_map", tensor, file));
      } else if (listed->second != file) {
        fail(fmt::format("tensor '{}' is in {} and in {}; expected it in one file", tensor, listed->second, file));
      }
    }
  }
  return checkpoint;
}

}  // namespace

bool CheckpointFiles::contains(const std::string& name) const {
  return std::any_of(shards.begin(), shards.end(), [&](const SafetensorsFile& shard) { return shard.contains(name); });
}

std::string CheckpointFiles::write(const fs::path& to, const ByteProgress& progress) const {
  if (shards.size() == 1) return copy_checkpoint(shards.front().path(), to, progress);
  std::vector<StoredTensor> tensors;
  for (const SafetensorsFile& shard : shards) {
    for (const auto& [name, info] : shard.tensors()) {
      tensors.push_back({name, std::string(info.dtype.name), info.shape, shard.path(), shard.data_offset() + info.begin,
                         info.end - info.begin});
    }
  }
  // Wider elements first: then every tensor is aligned to its element.
  const auto width = [](const StoredTensor& tensor) {
    return std::find_if(kTensorDtypes.begin(), kTensorDtypes.end(),
                        [&](const TensorDtype& row) { return row.name == tensor.dtype; })
        ->num_bits;
  };
  std::stable_sort(tensors.begin(), tensors.end(),
                   [&](const StoredTensor& a, const StoredTensor& b) { return width(a) > width(b); });
  return write_stored_tensors(to, tensors, progress);
}

CheckpointFiles open_checkpoint(const fs::path& directory) {
  std::error_code ignored;
  const fs::path single = directory / kSingleFile;
  const auto exists = [&](const fs::path& file) { return fs::exists(fs::symlink_status(file, ignored)); };
  if (!exists(single) && exists(directory / kIndexFile)) return open_sharded(directory);
  if (!exists(single) &&
      (exists(directory / "pytorch_model.bin") || exists(directory / "pytorch_model.bin.index.json")))
    throw UserError(ExitCode::kMissingInput,
                    fmt::format("{}: got only pytorch_model.bin, a Python pickle; expected safetensors (in Python: "
                                "model.save_pretrained(DIR, safe_serialization=True))",
                                directory.string()));
  CheckpointFiles checkpoint;
  checkpoint.files.push_back(single);
  checkpoint.shards.push_back(open_shard(single));
  return checkpoint;
}

}  // namespace guardbit::sim
