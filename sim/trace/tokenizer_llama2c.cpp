/// llama2.c's tokenizer.bin: int32 length of the longest token, then for every token a float32 score, an int32 length
/// and that many bytes. Encoding as its bpe_encode(): token 1 (beginning of sequence), a blank before the text, one
/// token for every character, or byte + 3 where the vocabulary has none; then the pair whose joint token has the best
/// score is merged, the leftmost of equals, until there is none.
#include <fmt/format.h>

#include <cmath>
#include <cstring>
#include <string>
#include <unordered_map>

#include "sim/base/error.h"
#include "sim/base/input_file.h"
#include "sim/trace/byte_pair_merger.h"
#include "sim/trace/tokenizer.h"

namespace guardbit::sim {
namespace {

namespace fs = std::filesystem;

constexpr int kBeginning = 1;
constexpr int kFirstByte = 3;
constexpr int kNumBytes = 256;

[[noreturn]] void fail(const fs::path& file, const std::string& text) {
  throw UserError(ExitCode::kMalformedInput, fmt::format("{}: {}", file.string(), text));
}

class Llama2cTokenizer final : public Tokenizer {
 public:
  Llama2cTokenizer(const fs::path& file, int vocabulary_size) {
    const std::string bytes = read_file(file);
    std::size_t offset = sizeof(std::int32_t);  // the longest token: the lengths say it again
    const auto take = [&](auto& value) {
      if (bytes.size() - offset < sizeof value) {
        fail(file,
             fmt::format("got {} bytes; expected more for {} tokens, as the model has", bytes.size(), vocabulary_size));
      }
      std::memcpy(&value, bytes.data() + offset, sizeof value);
      offset += sizeof value;
    };
    if (bytes.size() < offset) fail(file, fmt::format("got {} bytes; expected a tokenizer.bin", bytes.size()));
    if (vocabulary_size < kFirstByte + kNumBytes) {
      fail(file, fmt::format("got a model of {} tokens; expected at least {}, among them every byte", vocabulary_size,
                             kFirstByte + kNumBytes));
    }
    for (int token = 0; token < vocabulary_size; ++token) {
      float score = 0;
      std::int32_t length = 0;
      take(score);
      take(length);
      if (!std::isfinite(score))
        fail(file, fmt::format("token {}: got score {}; expected a finite number", token, score));
      if (length < 0 || static_cast<std::uint32_t>(length) > bytes.size() - offset) {
        fail(file, fmt::format("token {}: got length {}; expected at most the {} bytes that are left", token, length,
                               bytes.size() - offset));
      }
      pieces_.push_back(bytes.substr(offset, static_cast<std::size_t>(length)));
      scores_.push_back(score);
      ids_.try_emplace(pieces_.back(), token);
      offset += static_cast<std::size_t>(length);
    }
    if (offset != bytes.size()) {
      fail(file, fmt::format("got {} bytes behind token {}; expected the end, the model has {} tokens",
                             bytes.size() - offset, vocabulary_size - 1, vocabulary_size));
    }
  }

  std::vector<int> encode(std::string_view text, const fs::path& file) const override {
    std::vector<int> tokens;
    const auto blank = ids_.find(" ");
    if (blank == ids_.end()) fail(file, "the tokenizer has no token for the blank before a text");
    tokens.push_back(blank->second);
    for (std::size_t begin = 0; begin < text.size();) {
      std::size_t length = 1;
      constexpr std::size_t kLongestCharacter = 4;
      while (length < kLongestCharacter && begin + length < text.size() && is_continuation(text[begin + length]))
        ++length;
      const auto found = ids_.find(std::string(text.substr(begin, length)));
      if (found != ids_.end()) {
        tokens.push_back(found->second);
      } else {
        for (const char byte : text.substr(begin, length))
          tokens.push_back(static_cast<unsigned char>(byte) + kFirstByte);
      }
      begin += length;
    }
    tokens = merge_pairs(tokens, [this](int left, int right) -> std::optional<Merge> {
      const auto found = ids_.find(piece(left) + piece(right));
      if (found == ids_.end()) return std::nullopt;
      return Merge{-static_cast<double>(scores_[static_cast<std::size_t>(found->second)]), found->second};
    });
    tokens.insert(tokens.begin(), kBeginning);
    return tokens;
  }

 private:
  static bool is_continuation(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }
  const std::string& piece(int token) const { return pieces_[static_cast<std::size_t>(token)]; }

  std::vector<std::string> pieces_;
  std::vector<float> scores_;
  std::unordered_map<std::string, int> ids_;
};

}  // namespace

std::unique_ptr<Tokenizer> load_tokenizer_llama2c(const fs::path& file, int vocabulary_size) {
  return std::make_unique<Llama2cTokenizer>(file, vocabulary_size);
}

}  // namespace guardbit::sim
