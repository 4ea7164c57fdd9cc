#include "sim/trace/pre_tokenizer.h"

#include <algorithm>
#include <array>

namespace guardbit::sim {
namespace {

using Text = std::span<const Character>;

constexpr std::array<std::string_view, 3> kPatterns = {
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)",
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
};

bool is_line_end(char32_t c) { return c == '\r' || c == '\n'; }
bool is_other(char32_t c) { return !is_white_space(c) && !is_letter(c) && !is_number(c); }

/// Characters from `begin` on that have the property, at most `most`.
template <class Property>
std::size_t run_length(Text text, std::size_t begin, Property has, std::size_t most = static_cast<std::size_t>(-1)) {
  std::size_t count = 0;
  while (count < most && begin + count < text.size() && has(text[begin + count].code)) ++count;
  return count;
}

/// Lower case of what may stand in a contraction; U+017F is a long s.
char32_t folded(char32_t c) {
  if (c >= 'A' && c <= 'Z') return c - 'A' + 'a';
  return c == 0x017F ? U's' : c;
}

/// 's 't 're 've 'm 'll 'd, or 0.
std::size_t contraction_length(Text text, bool any_case) {
  if (text[0].code != '\'') return 0;
  for (const std::u32string_view ending : {U"s", U"t", U"re", U"ve", U"m", U"ll", U"d"}) {
    if (text.size() <= ending.size()) continue;
    const bool matches =
        std::equal(ending.begin(), ending.end(), text.begin() + 1,
                   [&](char32_t c, const Character& x) { return c == (any_case ? folded(x.code) : x.code); });
    if (matches) return 1 + ending.size();
  }
  return 0;
}

/// \s+(?!\S)|\s+: a run of blanks without the last one, which belongs to the word behind it; all of it at the end.
std::size_t blanks_length(Text text) {
  const std::size_t run = run_length(text, 0, is_white_space);
  return run == text.size() || run == 1 ? run : run - 1;
}

/// " ?x+" for a property, or 0.
template <class Property>
std::size_t word_length(Text text, Property has) {
  const std::size_t blank = text[0].code == ' ' ? 1 : 0;
  const std::size_t run = run_length(text, blank, has);
  return run == 0 ? 0 : blank + run;
}

std::size_t gpt2_length(Text text) {
  if (const std::size_t length = contraction_length(text, false)) return length;
  if (const std::size_t length = word_length(text, is_letter)) return length;
  if (const std::size_t length = word_length(text, is_number)) return length;
  if (const std::size_t length = word_length(text, is_other)) return length;
  return blanks_length(text);
}

std::size_t llama3_length(Text text, std::size_t most_digits) {
  if (const std::size_t length = contraction_length(text, true)) return length;
  const char32_t first = text[0].code;
  const std::size_t lead = is_line_end(first) || is_letter(first) || is_number(first) ? 0 : 1;
  if (const std::size_t run = run_length(text, lead, is_letter)) return lead + run;
  if (const std::size_t run = run_length(text, 0, is_number, most_digits)) return run;
  if (const std::size_t length = word_length(text, is_other)) return length + run_length(text, length, is_line_end);
  // \s*[\r\n]+: the run of blanks up to its last line end.
  std::size_t run = run_length(text, 0, is_white_space);
  while (run > 0 && !is_line_end(text[run - 1].code)) --run;
  return run > 0 ? run : blanks_length(text);
}

}  // namespace

std::optional<PieceRule> find_piece_rule(std::string_view pattern) {
  const auto* found = std::find(kPatterns.begin(), kPatterns.end(), pattern);
  if (found == kPatterns.end()) return std::nullopt;
  constexpr std::array kRules = {PieceRule::kGpt2, PieceRule::kLlama3, PieceRule::kQwen2};
  return kRules[static_cast<std::size_t>(found - kPatterns.begin())];
}

std::span<const std::string_view> piece_patterns() { return kPatterns; }

std::size_t piece_length(std::span<const Character> text, PieceRule rule) {
  constexpr std::size_t kLlama3Digits = 3;
  switch (rule) {
    case PieceRule::kGpt2: return gpt2_length(text);
    case PieceRule::kLlama3: return llama3_length(text, kLlama3Digits);
    case PieceRule::kQwen2: return llama3_length(text, 1);
  }
  return text.size();  // unreachable: the switch is exhaustive (-Wswitch-enum)
}

}  // namespace guardbit::sim
