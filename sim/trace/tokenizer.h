#pragma once
/// From text to token ids: Hugging Face's tokenizer.json (byte-level BPE and SentencePiece-like BPE), llama2.c's
/// tokenizer.bin, or bytes. docs/models.md says which settings of tokenizer.json are read. Tests:
/// tests/unit/tokenizer_test.cpp.
#include <filesystem>
#include <memory>
#include <string_view>
#include <vector>

namespace guardbit::sim {

class Tokenizer {
 public:
  virtual ~Tokenizer() = default;
  /// Ids of the whole text, with the ids that the tokenizer puts before and behind every text (beginning of sequence).
  /// UserError kMalformedInput naming `file` for text that it cannot encode.
  [[nodiscard]] virtual std::vector<int> encode(std::string_view text, const std::filesystem::path& file) const = 0;
};

/// The name that stands for the tokenizer whose ids are bytes.
inline constexpr const char* kBytesTokenizer = "bytes";

/// @param source           a .json file, another file (tokenizer.bin), or kBytesTokenizer
/// @param vocabulary_size  of the model; ids beyond it are errors of the tokenizer's file
/// UserError: kMissingInput, kMalformedInput naming file and place.
[[nodiscard]] std::unique_ptr<Tokenizer> load_tokenizer(const std::filesystem::path& source, int vocabulary_size);

/// The tokenizer of a model without a word from the user: tokenizer.json in its directory, tokenizer.bin beside a
/// checkpoint file, bytes for a vocabulary of 256. UserError kMissingInput, saying what was looked for.
[[nodiscard]] std::filesystem::path find_tokenizer(const std::filesystem::path& model, int vocabulary_size);

/// The kinds behind load_tokenizer(), one .cpp each.
[[nodiscard]] std::unique_ptr<Tokenizer> load_tokenizer_json(const std::filesystem::path& file, int vocabulary_size);
[[nodiscard]] std::unique_ptr<Tokenizer> load_tokenizer_llama2c(const std::filesystem::path& file, int vocabulary_size);

}  // namespace guardbit::sim
