#include "sim/trace/unicode.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "sim/base/error.h"

namespace guardbit::sim {
namespace {

bool is_in(std::span<const CodePointRange> ranges, char32_t c) {
  const auto after = std::upper_bound(ranges.begin(), ranges.end(), c,
                                      [](char32_t value, const CodePointRange& range) { return value < range.low; });
  return after != ranges.begin() && c <= std::prev(after)->high;
}

/// Number of bytes that a first byte announces; 0: none does.
std::size_t length_of(unsigned char first) {
  if (first < 0x80) return 1;
  if (first < 0xC2) return 0;
  if (first < 0xE0) return 2;
  if (first < 0xF0) return 3;
  return first < 0xF5 ? 4 : 0;
}

}  // namespace

bool is_letter(char32_t c) { return is_in(unicode_tables::letters(), c); }
bool is_number(char32_t c) { return is_in(unicode_tables::numbers(), c); }
bool may_change_under_nfc(char32_t c) { return is_in(unicode_tables::unstable(), c); }
bool is_white_space(char32_t c) {
  return (c >= 0x09 && c <= 0x0D) || c == 0x20 || c == 0x85 || c == 0xA0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

std::vector<Character> decode_utf8(std::string_view text, const std::filesystem::path& file) {
  std::vector<Character> characters;
  characters.reserve(text.size());
  for (std::size_t offset = 0; offset < text.size();) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[offset + i]); };
    const std::size_t length = length_of(byte(0));
    bool valid = length > 0 && length <= text.size() - offset;
    char32_t code = 0;
    if (valid) {
      constexpr std::array<unsigned char, 5> kPayload = {0, 0x7F, 0x1F, 0x0F, 0x07};
      code = byte(0) & kPayload[length];
      for (std::size_t i = 1; i < length; ++i) {
        valid = valid && (byte(i) & 0xC0) == 0x80;
        code = code << 6 | (byte(i) & 0x3FU);
      }
      constexpr std::array<char32_t, 5> kLeast = {0, 0, 0x80, 0x800, 0x10000};
      valid = valid && code >= kLeast[length] && code <= 0x10FFFF && (code < 0xD800 || code > 0xDFFF);
    }
    if (!valid) {
      throw UserError(ExitCode::kMalformedInput,
                      fmt::format("{}: byte {}: got 0x{:02X}; expected UTF-8 text", file.string(), offset, byte(0)));
    }
    characters.push_back({code, offset, length});
    offset += length;
  }
  return characters;
}

std::string encode_utf8(char32_t c) {
  const auto tail = [c](int shift) { return static_cast<char>(0x80 | ((c >> shift) & 0x3F)); };
  if (c < 0x80) return {static_cast<char>(c)};
  if (c < 0x800) return {static_cast<char>(0xC0 | c >> 6), tail(0)};
  if (c < 0x10000) return {static_cast<char>(0xE0 | c >> 12), tail(6), tail(0)};
  return {static_cast<char>(0xF0 | c >> 18), tail(12), tail(6), tail(0)};
}

}  // namespace guardbit::sim
