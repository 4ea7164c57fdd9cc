// Readers of sim/trace, except tokenizers.
#include <algorithm>
#include <string>

#include "sim/base/sha256.h"
#include "sim/trace/hugging_face_config.h"
#include "sim/trace/hugging_face_shards.h"
#include "sim/trace/model_import.h"
#include "sim/trace/npy.h"
#include "sim/trace/safetensors.h"
#include "sim/trace/strict_json.h"
#include "sim/trace/token_windows.h"
#include "sim/trace/trace_bundle.h"
#include "tests/fuzz/fuzz_targets.h"
#include "tests/support/malformed_safetensors.h"
#include "tests/support/small_trace.h"

namespace guardbit::tests {
namespace {

transformer::ModelShape small_shape() {
  transformer::ModelShape shape;
  shape.family = "llama";
  shape.vocabulary_size = 1000;
  shape.context_length = 16;
  return shape;
}

/// The small trace, made once; a run changes one file of it.
struct SmallTrace {
  TemporaryDirectory directory;
  std::filesystem::path path = make_small_trace(directory);
  sim::Trace trace = sim::load_trace(path);
  std::string weights = content_of(path / "weights.safetensors");
};

void use(const sim::Trace& trace) {
  (void)sim::load_outline(trace);
  const transformer::Model<float> model = sim::load_model(trace);
  sim::verify_trace(trace, model);
}

}  // namespace

void fuzz_safetensors(std::string_view bytes) {
  static const TemporaryDirectory directory;
  const sim::SafetensorsFile file(directory.write("x.safetensors", bytes));
  for (const auto& [name, info] : file.tensors()) {
    std::uint64_t cols = info.shape.empty() ? 1 : info.shape.back();
    std::uint64_t rows = 1;
    if (info.shape.size() == 2) rows = info.shape[0];
    const bool is_float =
        info.dtype.name == "F64" || info.dtype.name == "F32" || info.dtype.name == "F16" || info.dtype.name == "BF16";
    if (is_float && info.shape.size() <= 2) (void)file.read_matrix(name, rows, cols, /*allow_nonfinite=*/true);
  }
  for (const auto& [name, info] : file.tensors()) (void)file.read_matrix(name, 1, 2);
}

void fuzz_npy(std::string_view bytes) {
  static const TemporaryDirectory directory;
  const sim::NpyFile file(directory.write("x.npy", bytes));
  const sim::NpyType type = file.header().type;
  const bool is_real = type == sim::NpyType::kF2 || type == sim::NpyType::kF4 || type == sim::NpyType::kF8;
  if (!is_real) (void)file.read_integers(0, 1000);
  (void)file.read(/*require_finite=*/false);
  (void)file.read(/*require_finite=*/true);
}

void fuzz_trace(std::string_view bytes) {
  static const SmallTrace small;
  small.directory.write("small/trace.json", bytes);
  (void)sim::load_outline(sim::load_trace_description(small.path));
  const sim::Trace trace = sim::load_trace(small.path);
  use(trace);
}

void fuzz_trace_weights(std::string_view bytes) {
  static SmallTrace small;
  small.directory.write("small/weights.safetensors", bytes);
  small.trace.weights_sha256 = sim::sha256_hex(bytes);
  small.directory.write("small/trace.json", sim::trace_json(small.trace));
  use(sim::load_trace(small.path));
}

void fuzz_windows(std::string_view bytes) {
  static const TemporaryDirectory directory;
  if (bytes.starts_with("\x93NUMPY")) {
    (void)sim::read_npy_windows(directory.write("x.npy", bytes), small_shape(), {});
  } else {
    const std::vector<sim::Trace::Window> windows = sim::read_windows(directory.write("x.json", bytes), small_shape());
    (void)sim::read_windows(directory.write("y.json", sim::windows_json(windows)), small_shape());
  }
}

void fuzz_hugging_face(std::string_view bytes) {
  const sim::JsonValue root = sim::parse_json(bytes, "config.json");
  sim::JsonProblems problems("config.json");
  const transformer::ModelShape shape = sim::read_hugging_face_shape(sim::JsonCursor(root, problems));
  problems.throw_if_any();
  sim::Trace trace;
  trace.shape = shape;
  constexpr int kFewLayers = 64;  // an outline of thousands is slow under a sanitizer, and no different
  if (shape.num_layers <= kFewLayers) (void)sim::load_outline(trace);
}

void fuzz_shard_index(std::string_view bytes) {
  static const TemporaryDirectory directory;
  static const bool is_made = [] {
    const std::string a = R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})";
    const std::string b = R"({"b":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})";
    directory.write("m/one.safetensors", file_bytes(a, zeros(8)));
    directory.write("m/two.safetensors", file_bytes(b, zeros(8)));
    return true;
  }();
  (void)is_made;
  directory.write("m/model.safetensors.index.json", bytes);
  const sim::CheckpointFiles files = sim::open_checkpoint(directory / "m");
  (void)files.write(directory / "joined.safetensors");
}

void fuzz_llama2c(std::string_view bytes) {
  static const TemporaryDirectory directory;
  const sim::ImportedModel model = sim::import_model(directory.write("m.bin", bytes));
  (void)model.write_weights(directory / "weights.safetensors", {});
}

}  // namespace guardbit::tests
