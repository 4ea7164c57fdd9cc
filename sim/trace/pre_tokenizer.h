#pragma once
/// The first cut of byte-level BPE: text into pieces that merges never cross, as the regular expressions of GPT-2,
/// LLaMA-3 and Qwen define them. Written out by hand: no expression from a file is ever run.
/// Test: tests/unit/tokenizer_test.cpp, against recorded results of Hugging Face's tokenizers.
#include <cstddef>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "sim/trace/unicode.h"

namespace guardbit::sim {

enum class PieceRule {
  kGpt2,    ///< contractions, words, numbers, other characters, blanks; each with one blank before it
  kLlama3,  ///< contractions in any case, words with one character before them, numbers of up to three digits, lines
  kQwen2,   ///< as kLlama3, but every digit by itself
};

/// The rule whose regular expression is `pattern`, character by character, if there is one.
std::optional<PieceRule> find_piece_rule(std::string_view pattern);
/// The expressions, for messages.
std::span<const std::string_view> piece_patterns();

/// Number of characters of the piece that begins at text[0]; text is not empty. All pieces together are the text.
std::size_t piece_length(std::span<const Character> text, PieceRule rule);

}  // namespace guardbit::sim
