#include "sim/trace/tokenizer.h"

#include <fmt/format.h>

#include <algorithm>

#include "sim/base/error.h"

namespace guardbit::sim {
namespace {

namespace fs = std::filesystem;

constexpr int kNumBytes = 256;

class BytesTokenizer final : public Tokenizer {
 public:
  std::vector<int> encode(std::string_view text, const fs::path& /*file*/) const override {
    std::vector<int> ids(text.size());
    std::transform(text.begin(), text.end(), ids.begin(), [](char c) { return static_cast<unsigned char>(c); });
    return ids;
  }
};

}  // namespace

std::unique_ptr<Tokenizer> load_tokenizer(const fs::path& source, int vocabulary_size) {
  if (source == kBytesTokenizer) {
    if (vocabulary_size >= kNumBytes) return std::make_unique<BytesTokenizer>();
    throw UserError(ExitCode::kUsage, fmt::format("--tokenizer bytes: got a model of {} tokens; expected at least {}",
                                                  vocabulary_size, kNumBytes));
  }
  if (source.extension() == ".json") return load_tokenizer_json(source, vocabulary_size);
  return load_tokenizer_llama2c(source, vocabulary_size);
}

fs::path find_tokenizer(const fs::path& model, int vocabulary_size) {
  std::error_code ignored;
  const bool is_directory = fs::is_directory(model, ignored);
  const fs::path file = is_directory ? model / "tokenizer.json" : model.parent_path() / "tokenizer.bin";
  if (fs::exists(file, ignored)) return file;
  if (vocabulary_size == kNumBytes) return kBytesTokenizer;
  throw UserError(ExitCode::kMissingInput,
                  fmt::format("{}: there is no such file; expected it, or --tokenizer FILE (tokenizer.json, or "
                              "llama2.c's tokenizer.bin), or token ids by --tokens",
                              file.string()));
}

}  // namespace guardbit::sim
