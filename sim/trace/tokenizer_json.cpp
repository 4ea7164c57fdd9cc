/// Encoding by a tokenizer.json, in the order of Hugging Face's tokenizers: added tokens are cut out, the rest is
/// normalised, cut into pieces, and every piece merged.
#include <fmt/format.h>

#include <algorithm>

#include "sim/base/error.h"
#include "sim/trace/tokenizer.h"
#include "sim/trace/tokenizer_settings.h"

namespace guardbit::sim {
namespace {

namespace fs = std::filesystem;
using Text = std::span<const Character>;

[[noreturn]] void fail(const fs::path& file, const std::string& text) {
  throw UserError(ExitCode::kMalformedInput, fmt::format("{}: {}", file.string(), text));
}

class JsonTokenizer final : public Tokenizer {
 public:
  JsonTokenizer(TokenizerSettings settings, int vocabulary_size)
      : settings_(std::move(settings)), vocabulary_size_(vocabulary_size) {
    for (const AddedToken& token : settings_.added) {
      first_bytes_[static_cast<unsigned char>(token.content.front())] = true;
    }
  }

  std::vector<int> encode(std::string_view text, const fs::path& file) const override {
    const std::vector<Character> characters = decode_utf8(text, file);
    if (settings_.requires_nfc) require_nfc(characters, file);
    std::vector<int> ids = settings_.before;
    std::size_t begin = 0;  // of the text since the last added token, in characters
    for (std::size_t i = 0; i < characters.size();) {
      const AddedToken* const token = added_at(text, characters[i].offset);
      if (token == nullptr) {
        ++i;
        continue;
      }
      std::size_t end = i;
      while (token->strips_left && end > begin && is_white_space(characters[end - 1].code)) --end;
      encode_part(text, Text(characters).subspan(begin, end - begin), file, ids);
      ids.push_back(checked(token->id, file));
      const std::size_t next = characters[i].offset + token->content.size();
      while (i < characters.size() && characters[i].offset < next) ++i;
      while (token->strips_right && i < characters.size() && is_white_space(characters[i].code)) ++i;
      begin = i;
    }
    encode_part(text, Text(characters).subspan(begin), file, ids);
    ids.insert(ids.end(), settings_.behind.begin(), settings_.behind.end());
    for (const int id : ids) (void)checked(id, file);
    return ids;
  }

 private:
  int checked(int id, const fs::path& file) const {
    if (id < vocabulary_size_) return id;
    fail(file, fmt::format("the tokenizer gives token {}; expected ids in 0..{}, as the model has", id,
                           vocabulary_size_ - 1));
  }

  static void require_nfc(Text characters, const fs::path& file) {
    const auto bad = std::find_if(characters.begin(), characters.end(),
                                  [](const Character& c) { return may_change_under_nfc(c.code); });
    if (bad == characters.end()) return;
    fail(file, fmt::format("byte {}: got U+{:04X}, which the tokenizer's normalisation to NFC might change; expected "
                           "text without such characters",
                           bad->offset, static_cast<std::uint32_t>(bad->code)));
  }

  /// The longest added token that begins there.
  const AddedToken* added_at(std::string_view text, std::size_t offset) const {
    if (!first_bytes_[static_cast<unsigned char>(text[offset])]) return nullptr;
    const auto found = std::find_if(settings_.added.begin(), settings_.added.end(), [&](const AddedToken& token) {
      return text.substr(offset).starts_with(token.content);
    });
    return found == settings_.added.end() ? nullptr : &*found;
  }

  void encode_part(std::string_view text, Text part, const fs::path& file, std::vector<int>& ids) const {
    if (part.empty()) return;
    const bool is_first = part.front().offset == 0;
    if (settings_.is_byte_level) {
      encode_bytes(text, part, file, ids);
    } else {
      encode_characters(text, part, is_first, file, ids);
    }
  }

  static std::string_view bytes_of(std::string_view text, Text part) {
    const std::size_t begin = part.front().offset;
    return text.substr(begin, part.back().offset + part.back().num_bytes - begin);
  }

  void encode_bytes(std::string_view text, Text part, const fs::path& file, std::vector<int>& ids) const {
    std::vector<Character> prefixed;
    std::string prefixed_text;
    if (settings_.adds_prefix_space && part.front().code != ' ') {
      prefixed_text = " " + std::string(bytes_of(text, part));
      prefixed = decode_utf8(prefixed_text, file);
      text = prefixed_text;
      part = prefixed;
    }
    while (!part.empty()) {
      const std::size_t length = settings_.pieces ? piece_length(part, *settings_.pieces) : part.size();
      const std::string_view piece = bytes_of(text, part.first(length));
      std::vector<int> symbols;
      if (!take_whole(piece, ids)) {
        for (const char byte : piece) add_symbol(std::string_view(&byte, 1), file, symbols);
        append_merged(symbols, ids);
      }
      part = part.subspan(length);
    }
  }

  void encode_characters(std::string_view text, Text part, bool is_first, const fs::path& file,
                         std::vector<int>& ids) const {
    const std::string& marker = settings_.blank_marker;
    std::vector<std::string> symbols;
    for (const Character& character : part) {
      symbols.push_back(character.code == ' ' && !marker.empty()
                            ? marker
                            : std::string(text.substr(character.offset, character.num_bytes)));
    }
    const bool prepends = settings_.prepend == Prepend::kAlways || (settings_.prepend == Prepend::kFirst && is_first);
    if (prepends && !marker.empty() && (settings_.repeats_marker || symbols.front() != marker)) {
      symbols.insert(symbols.begin(), marker);
    }
    for (std::size_t begin = 0; begin < symbols.size();) {
      std::size_t end = begin + 1;
      while (end < symbols.size() && !(settings_.splits_at_marker && symbols[end] == marker)) ++end;
      std::string piece;
      for (std::size_t i = begin; i < end; ++i) piece += symbols[i];
      if (!take_whole(piece, ids)) {
        std::vector<int> tokens;
        for (std::size_t i = begin; i < end; ++i) add_symbol(symbols[i], file, tokens);
        append_merged(tokens, ids);
      }
      begin = end;
    }
  }

  bool take_whole(std::string_view piece, std::vector<int>& ids) const {
    if (!settings_.ignores_merges) return false;
    const auto found = settings_.vocabulary.find(std::string(piece));
    if (found == settings_.vocabulary.end()) return false;
    ids.push_back(found->second);
    return true;
  }

  /// One byte or character before merging.
  void add_symbol(std::string_view symbol, const fs::path& file, std::vector<int>& tokens) const {
    const auto found = settings_.vocabulary.find(std::string(symbol));
    if (found != settings_.vocabulary.end()) {
      tokens.push_back(found->second);
      return;
    }
    std::vector<int> bytes;
    for (const char byte : symbol) {
      const auto fallback = settings_.vocabulary.find(fmt::format("<0x{:02X}>", static_cast<unsigned char>(byte)));
      if (settings_.byte_fallback && fallback != settings_.vocabulary.end()) bytes.push_back(fallback->second);
    }
    if (bytes.size() == symbol.size()) {
      tokens.insert(tokens.end(), bytes.begin(), bytes.end());
    } else if (settings_.unknown) {
      const bool is_fused = settings_.fuses_unknown && !tokens.empty() && tokens.back() == *settings_.unknown;
      if (!is_fused) tokens.push_back(*settings_.unknown);
    } else {
      fail(file, fmt::format("the tokenizer has no token for '{}'; expected text that it can encode", symbol));
    }
  }

  void append_merged(const std::vector<int>& tokens, std::vector<int>& ids) const {
    const std::vector<int> merged = merge_pairs(tokens, [this](int left, int right) -> std::optional<Merge> {
      const auto found = settings_.merges.find(pair_key(left, right));
      return found == settings_.merges.end() ? std::nullopt : std::optional(found->second);
    });
    ids.insert(ids.end(), merged.begin(), merged.end());
  }

  const TokenizerSettings settings_;
  const int vocabulary_size_;
  std::array<bool, 256> first_bytes_{};
};

}  // namespace

std::unique_ptr<Tokenizer> load_tokenizer_json(const fs::path& file, int vocabulary_size) {
  return std::make_unique<JsonTokenizer>(read_tokenizer_settings(file, vocabulary_size), vocabulary_size);
}

}  // namespace guardbit::sim
