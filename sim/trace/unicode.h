#pragma once
/// As much of Unicode as tokenizers need: UTF-8, and the classes of characters that their regular expressions name.
#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace guardbit::sim {

/// A closed range of code points.
struct CodePointRange {
  char32_t low = 0;
  char32_t high = 0;
};

/// Sorted, disjoint (unicode_tables.cpp, made by make_unicode_tables.py).
namespace unicode_tables {
std::span<const CodePointRange> letters();   ///< general category L
std::span<const CodePointRange> numbers();   ///< general category N
std::span<const CodePointRange> unstable();  ///< may change under NFC, by itself or with its neighbours
}  // namespace unicode_tables

bool is_letter(char32_t c);
bool is_number(char32_t c);
bool is_white_space(char32_t c);  ///< property White_Space
/// Text without such characters is in NFC.
bool may_change_under_nfc(char32_t c);

/// A character and the bytes it was.
struct Character {
  char32_t code = 0;
  std::size_t offset = 0;
  std::size_t num_bytes = 0;
};

/// The characters of UTF-8 text. UserError kMalformedInput naming `file` and the first wrong byte (overlong forms,
/// surrogates and values above U+10FFFF are wrong).
[[nodiscard]] std::vector<Character> decode_utf8(std::string_view text, const std::filesystem::path& file);
[[nodiscard]] std::string encode_utf8(char32_t c);

}  // namespace guardbit::sim
