#pragma once
/// tokenizer.json, read and checked: what it says beyond its defaults in a form that encoding can follow. Whatever it
/// asks for that is not implemented is a problem, named with file and JSON pointer.
#include <filesystem>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "sim/trace/byte_pair_merger.h"
#include "sim/trace/pre_tokenizer.h"

namespace guardbit::sim {

/// A text that is one token wherever it occurs.
struct AddedToken {
  std::string content;
  int id = 0;
  bool strips_left = false;  ///< takes the blanks before it
  bool strips_right = false;
};

/// When a marker that stands for a blank is put before a text.
enum class Prepend { kNever, kFirst, kAlways };

struct TokenizerSettings {
  std::vector<AddedToken> added;  ///< the longest first

  bool is_byte_level = false;       ///< symbols are bytes; false: characters
  bool requires_nfc = false;        ///< text is normalised to NFC
  bool adds_prefix_space = false;   ///< byte level: a blank before text that has none
  std::optional<PieceRule> pieces;  ///< byte level: how text is cut; nothing: not at all
  std::string blank_marker;         ///< characters: what stands for a blank ("" : blanks stay)
  Prepend prepend = Prepend::kNever;
  bool repeats_marker = false;    ///< also before a text that begins with a blank
  bool splits_at_marker = false;  ///< characters: merges do not cross a marker

  std::unordered_map<std::string, int> vocabulary;  ///< by the bytes that a token stands for
  std::unordered_map<std::uint64_t, Merge> merges;  ///< by pair_key()
  bool byte_fallback = false;                       ///< characters: unknown ones are the tokens <0x00> .. <0xFF>
  std::optional<int> unknown;
  bool fuses_unknown = false;
  bool ignores_merges = false;  ///< a piece that is a token is that token

  std::vector<int> before;  ///< every text
  std::vector<int> behind;
};

inline std::uint64_t pair_key(int left, int right) {
  return static_cast<std::uint64_t>(static_cast<std::uint32_t>(left)) << 32 | static_cast<std::uint32_t>(right);
}

/// UserError kMissingInput, kMalformedInput with every problem of the file.
[[nodiscard]] TokenizerSettings read_tokenizer_settings(const std::filesystem::path& file, int vocabulary_size);

}  // namespace guardbit::sim
