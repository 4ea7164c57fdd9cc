// Tokenizer files: whatever is accepted must encode, and give ids of the vocabulary.
#include <stdexcept>
#include <string>

#include "sim/trace/tokenizer.h"
#include "tests/fuzz/fuzz_targets.h"
#include "tests/support/temporary_directory.h"

namespace guardbit::tests {
namespace {

constexpr int kVocabulary = 1000;
constexpr std::string_view kText =
    "Hello, world! It's 1234567 o'clock\n\n  na\xC3\xAFve \xE4\xBD\xA0\xE5\xA5\xBD \xF0\x9F\x98\x80<0x41></s>\t.";

void encode(const sim::Tokenizer& tokenizer) {
  for (const std::string_view text : {kText, std::string_view("ab  ab"), std::string_view("")}) {
    for (const int id : tokenizer.encode(text, "text")) {
      if (id < 0 || id >= kVocabulary) throw std::logic_error("an id outside the vocabulary");
    }
  }
}

}  // namespace

void fuzz_tokenizer_json(std::string_view bytes) {
  static const TemporaryDirectory directory;
  encode(*sim::load_tokenizer_json(directory.write("tokenizer.json", bytes), kVocabulary));
}

void fuzz_tokenizer_bin(std::string_view bytes) {
  static const TemporaryDirectory directory;
  constexpr int kFewTokens = 300;
  encode(*sim::load_tokenizer_llama2c(directory.write("tokenizer.bin", bytes), kFewTokens));
}

}  // namespace guardbit::tests
