/// Checkpoint files of llama2.c (A. Karpathy) in the first layout, "legacy_export" of its export.py: seven int32 (dim,
/// hidden, layers, heads, kv heads, vocabulary with > 0 = tied head, context), then float32 blocks, each over all
/// layers before the next, then two RoPE tables of context * head_size / 2 that nobody reads, then the head if it is
/// not tied.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "sim/base/error.h"
#include "sim/base/input_file.h"
#include "sim/trace/checkpoint_copy.h"
#include "sim/trace/import_formats.h"
#include "sim/trace/known_formats.h"

namespace guardbit::sim {
namespace {

namespace fs = std::filesystem;
using transformer::ModelShape;

[[noreturn]] void fail(const fs::path& file, const std::string& text) {
  throw UserError(ExitCode::kMalformedInput, fmt::format("{}: {}", file.string(), text));
}

constexpr std::size_t kNumSizes = 7;
constexpr std::uint64_t kHeaderBytes = kNumSizes * sizeof(std::int32_t);

/// A file that is not of this layout but known: what it is.
void check_not_another_format(const InputFile& input) {
  std::string start(9, '\0');
  input.read_at(0, start.data(), start.size());
  std::string_view what = other_format(start);
  if (start.starts_with("24ka")) what = " (this is a llama2.c export of version 1 or 2; export.py --version 0 is read)";
  if (start.starts_with('{')) what = " (this is perhaps a JSON file)";
  if (what.empty()) return;
  fail(input.path(),
       fmt::format("got another format{}; expected a llama2.c checkpoint, or a Hugging Face directory", what));
}

ModelShape read_shape(const InputFile& input) {
  std::array<std::int32_t, kNumSizes> sizes{};
  input.read_at(0, sizes.data(), sizeof sizes);
  const auto checked = [&](const char* name, std::int64_t value, int high) {
    if (value < 1 || value > high) {
      fail(input.path(), fmt::format("header: got {} {}; expected 1..{}", name, value, high));
    }
    return static_cast<int>(value);
  };
  ModelShape shape;
  shape.family = "llama";
  shape.hidden_size = checked("dim", sizes[0], kMaxHiddenSize);
  shape.intermediate_size = checked("hidden_dim", sizes[1], kMaxIntermediateSize);
  shape.num_layers = checked("n_layers", sizes[2], kMaxLayers);
  shape.num_heads = checked("n_heads", sizes[3], kMaxHeads);
  shape.num_kv_heads = checked("n_kv_heads", sizes[4], kMaxHeads);
  shape.vocabulary_size = checked("vocab_size (magnitude)", std::abs(std::int64_t{sizes[5]}), kMaxVocabularySize);
  shape.tied_head = sizes[5] > 0;
  shape.context_length = checked("seq_len", sizes[6], kMaxContextLength);
  shape.head_size = shape.hidden_size / shape.num_heads;
  if (shape.head_size * shape.num_heads != shape.hidden_size || shape.head_size % 2 != 0 ||
      shape.head_size > kMaxHeadSize) {
    fail(input.path(), fmt::format("header: got n_heads {} for dim {}; expected heads of an even size up to {}",
                                   shape.num_heads, shape.hidden_size, kMaxHeadSize));
  }
  if (shape.num_heads % shape.num_kv_heads != 0) {
    fail(input.path(), fmt::format("header: got n_kv_heads {}; expected a divisor of n_heads ({})", shape.num_kv_heads,
                                   shape.num_heads));
  }
  shape.activation = transformer::ActivationKind::kSilu;
  return shape;
}

struct Layout {
  std::vector<StoredTensor> blocks;
  std::uint64_t num_bytes = 0;  ///< of the whole file
};

/// Where everything lies. No sum or product overflows: see the limits in trace_bundle.h.
Layout layout_of(const fs::path& file, const ModelShape& shape) {
  const auto size = [](int value) { return static_cast<std::size_t>(value); };
  Layout layout;
  layout.num_bytes = kHeaderBytes;
  const auto add = [&](const std::string& name, std::size_t rows, std::size_t cols) {
    const std::uint64_t num_bytes = std::uint64_t{rows} * cols * sizeof(float);
    std::vector<std::uint64_t> sizes = {cols};
    if (rows > 1) sizes = {rows, cols};
    layout.blocks.push_back({name, "F32", sizes, file, layout.num_bytes, num_bytes});
    layout.num_bytes += num_bytes;
  };
  const auto add_layers = [&](const std::string& name, std::size_t rows, std::size_t cols) {
    for (int layer = 0; layer < shape.num_layers; ++layer)
      add(fmt::format("model.layers.{}.{}.weight", layer, name), rows, cols);
  };
  const std::size_t hidden = size(shape.hidden_size);
  const std::size_t kv_width = size(shape.num_kv_heads) * size(shape.head_size);
  const std::size_t intermediate = size(shape.intermediate_size);
  add("model.embed_tokens.weight", size(shape.vocabulary_size), hidden);
  add_layers("input_layernorm", 1, hidden);
  add_layers("self_attn.q_proj", hidden, hidden);
  add_layers("self_attn.k_proj", kv_width, hidden);
  add_layers("self_attn.v_proj", kv_width, hidden);
  add_layers("self_attn.o_proj", hidden, hidden);
  add_layers("post_attention_layernorm", 1, hidden);
  add_layers("mlp.gate_proj", intermediate, hidden);
  add_layers("mlp.down_proj", hidden, intermediate);
  add_layers("mlp.up_proj", intermediate, hidden);
  add("model.norm.weight", 1, hidden);
  layout.num_bytes += std::uint64_t{size(shape.context_length)} * size(shape.head_size) * sizeof(float);  // both tables
  if (!shape.tied_head) add("lm_head.weight", size(shape.vocabulary_size), hidden);
  return layout;
}

}  // namespace

ImportedModel import_llama2c(const fs::path& file) {
  const InputFile input(file);
  if (input.size() < kHeaderBytes) {
    fail(file, fmt::format("got {} bytes; expected at least the {} of a llama2.c header", input.size(), kHeaderBytes));
  }
  check_not_another_format(input);
  ImportedModel imported;
  imported.shape = read_shape(input);
  // Every layer takes bytes of the file: refuse before the list of blocks grows with a claimed number.
  const std::uint64_t least_bytes = std::uint64_t{static_cast<unsigned>(imported.shape.num_layers)} *
                                    static_cast<unsigned>(imported.shape.hidden_size) * sizeof(float);
  Layout layout;
  if (least_bytes <= input.size()) layout = layout_of(file, imported.shape);
  if (layout.num_bytes != input.size()) {
    fail(file, fmt::format("got {} bytes; expected {}{} for the sizes in the header", input.size(),
                           layout.blocks.empty() ? "more than " : "",
                           layout.blocks.empty() ? least_bytes : layout.num_bytes));
  }
  imported.name = file.stem().string();
  imported.sources = {file};
  imported.write_weights = [blocks = std::move(layout.blocks)](const fs::path& to, const ByteProgress& progress) {
    return write_stored_tensors(to, blocks, progress);
  };
  return imported;
}

}  // namespace guardbit::sim
