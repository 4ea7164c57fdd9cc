#pragma once
/// The safetensors files of a Hugging Face directory: model.safetensors, or the shards that
/// model.safetensors.index.json lists. The index is believed in nothing. Test: tests/unit/import_shards_test.cpp, case
/// ids IDX-01..IDX-03, PATH-01..PATH-06.
#include <filesystem>
#include <string>
#include <vector>

#include "sim/trace/checkpoint_copy.h"
#include "sim/trace/safetensors.h"

namespace guardbit::sim {

/// All tensors of a checkpoint, each in exactly one file.
struct CheckpointFiles {
  std::vector<std::filesystem::path> files;  ///< safetensors files, then the index if there is one
  std::vector<SafetensorsFile> shards;

  bool contains(const std::string& name) const;
  /// Writes one safetensors file with all tensors and returns its SHA-256; a checkpoint of one file byte for byte.
  std::string write(const std::filesystem::path& to, const ByteProgress& progress = {}) const;
};

/// UserError: kMissingInput if the directory has neither file, or a listed shard is missing; kMalformedInput for an
/// index that names files outside the directory (also by symbolic links, except the ones that Hugging Face's download
/// cache makes into its own "blobs"), that maps a tensor to a shard without it or leaves one out, or if two shards hold
/// the same tensor.
[[nodiscard]] CheckpointFiles open_checkpoint(const std::filesystem::path& directory);

}  // namespace guardbit::sim
