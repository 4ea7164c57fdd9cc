/// Hugging Face directories: config.json says what the model is, safetensors files hold it.
#include <fmt/format.h>

#include <cstdlib>
#include <memory>

#include "models/transformer/family.h"
#include "sim/base/error.h"
#include "sim/base/input_file.h"
#include "sim/trace/hugging_face_config.h"
#include "sim/trace/hugging_face_shards.h"
#include "sim/trace/import_formats.h"

namespace guardbit::sim {
namespace {

namespace fs = std::filesystem;
using transformer::ModelShape;

/// What stands before the layer's number in names of the family's tensors.
std::string_view layer_prefix(const ModelShape& shape) {
  return shape.family == "gpt2" ? "h." : shape.family == "bert" ? "layer." : "layers.";
}

/// Refuses a checkpoint with layers that the configuration leaves out: it would silently become another model.
void check_layers(const SafetensorsFile& weights, const ModelShape& shape) {
  const std::string_view prefix = layer_prefix(shape);
  for (const auto& [name, info] : weights.tensors()) {
    const std::size_t begin = name.find(prefix);
    if (begin == std::string::npos || (begin > 0 && name[begin - 1] != '.')) continue;
    const int layer = std::atoi(name.c_str() + begin + prefix.size());
    if (layer < shape.num_layers) continue;
    throw UserError(ExitCode::kMalformedInput,
                    fmt::format("{}: got tensor {}; expected layers 0..{}, by the number of layers in config.json",
                                weights.path().string(), name, shape.num_layers - 1));
  }
}

}  // namespace

ImportedModel import_hugging_face(const fs::path& directory) {
  const fs::path config_file = directory / "config.json";
  if (std::error_code ignored; !fs::exists(fs::symlink_status(config_file, ignored))) {
    throw UserError(
        ExitCode::kMissingInput,
        fmt::format("{}: got a directory without config.json; expected a Hugging Face directory (config.json "
                    "and safetensors files) or a llama2.c checkpoint file (.bin)",
                    directory.string()));
  }
  const JsonValue root = parse_json(read_file(config_file), config_file);
  JsonProblems problems(config_file);
  ImportedModel imported;
  imported.shape = read_hugging_face_shape(JsonCursor(root, problems));
  problems.throw_if_any();
  imported.name = fs::absolute(config_file).lexically_normal().parent_path().filename().string();
  auto checkpoint = std::make_shared<const CheckpointFiles>(open_checkpoint(directory));
  for (const SafetensorsFile& shard : checkpoint->shards) check_layers(shard, imported.shape);
  imported.sources = {config_file};
  imported.sources.insert(imported.sources.end(), checkpoint->files.begin(), checkpoint->files.end());
  if (!transformer::is_causal(imported.shape)) {
    imported.shape.has_head = checkpoint->contains("cls.predictions.transform.dense.weight");
  }
  imported.write_weights = [checkpoint](const fs::path& file, const ByteProgress& progress) {
    return checkpoint->write(file, progress);
  };
  return imported;
}

}  // namespace guardbit::sim
