// Tokenizers against recorded ids of Hugging Face's tokenizers (tests/golden/tokenizers) and of ../shared's documents,
// and malformed tokenizer files.
#include "sim/trace/tokenizer.h"

#include <gtest/gtest.h>

#include <cstring>
#include <nlohmann/json.hpp>

#include "sim/trace/pre_tokenizer.h"
#include "sim/trace/unicode.h"
#include "tests/support/expect_error.h"
#include "tests/support/shared_data.h"
#include "tests/support/temporary_directory.h"

namespace guardbit::sim {
namespace {

namespace fs = std::filesystem;
using tests::content_of;
using tests::refuses;

const fs::path kFolder = fs::path(GUARDBIT_SOURCE_DIR) / "tests/golden/tokenizers";
constexpr int kVocabulary = 1000;

class TokenizerJsonTest : public testing::TestWithParam<const char*> {};

TEST_P(TokenizerJsonTest, GivesTheIdsOfHuggingFacesTokenizers) {
  const auto texts = nlohmann::json::parse(content_of(kFolder / "cases.json")).get<std::vector<std::string>>();
  const auto expected =
      nlohmann::json::parse(content_of(kFolder / "expected.json")).at(GetParam()).get<std::vector<std::vector<int>>>();
  const auto tokenizer = load_tokenizer(kFolder / GetParam(), kVocabulary);
  ASSERT_EQ(texts.size(), expected.size());
  ASSERT_GT(texts.size(), 100u);
  for (std::size_t i = 0; i < texts.size(); ++i) {
    EXPECT_EQ(tokenizer->encode(texts[i], "case"), expected[i]) << nlohmann::json(texts[i]).dump();
  }
}
INSTANTIATE_TEST_SUITE_P(All, TokenizerJsonTest,
                         testing::Values("gpt2.json", "gpt2_prefix.json", "llama2.json", "llama3.json",
                                         "metaspace_first.json", "metaspace_split.json", "qwen2.json"),
                         [](const auto& row) {
                           const std::string name = row.param;
                           return name.substr(0, name.find('.'));
                         });

/// llama3.json with one change.
std::string changed(const std::string& name, const std::string& from, const std::string& to) {
  std::string text = content_of(kFolder / name);
  const std::size_t place = text.find(from);
  if (place == std::string::npos) throw std::runtime_error("no " + from);
  return text.replace(place, from.size(), to);
}

TEST(TokenizerJsonTest, MalformedAndUnknownSettingsAreNamed) {
  const std::vector<std::pair<std::string, std::string>> rows = {
      {"{", "t.json"},
      {"{}", "/model: got nothing; expected this key"},
      {changed("gpt2.json", "\"BPE\"", "\"Unigram\""),
       "/model/type: got \"Unigram\"; expected \"BPE\"; for other models"},
      {changed("gpt2.json", "\"BPE\"", "\"WordPiece\""), "/model/type: got \"WordPiece\""},
      {changed("gpt2.json", "\"dropout\":null", "\"dropout\":0.1"), "/model/dropout: got 0.1; expected null"},
      {changed("gpt2.json", "\"end_of_word_suffix\":null", "\"end_of_word_suffix\":\"</w>\""),
       "/model/end_of_word_suffix: got \"</w>\"; expected null"},
      {changed("gpt2.json", "\"normalizer\":null", "\"normalizer\":{\"type\":\"Lowercase\"}"),
       "/normalizer/type: got \"Lowercase\"; expected one of: NFC"},
      {changed("llama3.json", "\\\\p{N}{1,3}", "\\\\p{N}{1,4}"), "/pre_tokenizer/pretokenizers/0/pattern/Regex: got "},
      {changed("llama3.json", "\"Isolated\"", "\"MergedWithNext\""), "expected \"Isolated\", not inverted"},
      {changed("llama3.json", "\"type\":\"Split\"", "\"type\":\"Digits\""),
       "/pre_tokenizer/pretokenizers/0/type: got \"Digits\"; expected one of: ByteLevel"},
      {changed("llama3.json", "\"add_prefix_space\":false", "\"add_prefix_space\":true"),
       "expected false behind a Split"},
      {changed("llama2.json", "{\"String\":\" \"}", "{\"String\":\"x\"}"), "/normalizer/normalizers/1/pattern/String"},
      {changed("gpt2.json", "\"merges\":[\"", "\"merges\":[\"!! "), "/model/merges/0: got "},
      {changed("gpt2.json", "\"vocab\":{\"", "\"vocab\":{\"zz\":-1,\""),
       "/model/vocab/zz: got -1; expected an integer in"},
      {changed("gpt2.json", "\"vocab\":{\"", "\"vocab\":{\"zz\":1000,\""), "/model/vocab/zz: got 1000; expected"},
      {changed("gpt2.json", "\"single_word\":false", "\"single_word\":true"), "/added_tokens/0/single_word: got true"},
      {changed("gpt2.json", "\"<|endoftext|>\"", "\"\""), "/added_tokens/0/content: got \"\"; expected at least one"},
      {changed("llama3.json", "\"SpecialToken\":{\"id\":\"<|begin|>\"", "\"SpecialToken\":{\"id\":\"<none>\""),
       "expected a token of the vocabulary"},
  };
  const tests::TemporaryDirectory directory;
  for (const auto& [text, message] : rows) {
    const fs::path file = directory.write("t.json", text);
    EXPECT_TRUE(refuses([&] { (void)load_tokenizer(file, kVocabulary); }, ExitCode::kMalformedInput, message))
        << message;
  }
  EXPECT_TRUE(refuses([&] { (void)load_tokenizer(directory / "none.json", kVocabulary); }, ExitCode::kMissingInput,
                      "none.json: cannot open"));
}

TEST(TokenizerJsonTest, TextThatCannotBeEncodedIsRefusedWithItsPlace) {
  const auto gpt2 = load_tokenizer(kFolder / "gpt2.json", kVocabulary);
  for (const char* const text :
       {"ab\xC3", "ab\x80", "ab\xC0\xAF", "ab\xED\xA0\x80", "ab\xF4\x90\x80\x80", "ab\xE2\x82"}) {
    EXPECT_TRUE(
        refuses([&] { (void)gpt2->encode(text, "x.txt"); }, ExitCode::kMalformedInput, "x.txt: byte 2: got 0x"));
  }
  const auto qwen2 = load_tokenizer(kFolder / "qwen2.json", kVocabulary);
  EXPECT_NO_THROW((void)qwen2->encode("caf\u00e9 \u2019 \u4f60", "x.txt"));
  EXPECT_TRUE(refuses([&] { (void)qwen2->encode("cafe\u0301", "x.txt"); }, ExitCode::kMalformedInput,
                      "x.txt: byte 4: got U+0301, which the tokenizer's normalisation to NFC might change"));
  const int endoftext = gpt2->encode("<|endoftext|>", "x.txt").at(0);
  const auto small = load_tokenizer(kFolder / "gpt2.json", endoftext);
  EXPECT_TRUE(refuses([&] { (void)small->encode("a<|endoftext|>", "x.txt"); }, ExitCode::kMalformedInput,
                      "x.txt: the tokenizer gives token " + std::to_string(endoftext)));
}

TEST(PreTokenizerTest, PiecesCoverTextOfAnyCharacters) {
  std::string text;
  for (std::uint32_t state = 1, i = 0; i < 20000; ++i) {
    state = state * 1664525u + 1013904223u;
    constexpr std::array<char32_t, 12> kSome = {' ', '\n', '\r',   '\'',   's',     'L',
                                                '7', 0xE9, 0x4F60, 0x2028, 0x1F600, '-'};
    text += encode_utf8(kSome[(state >> 16) % kSome.size()]);
  }
  const std::vector<Character> characters = decode_utf8(text, "t");
  for (const PieceRule rule : {PieceRule::kGpt2, PieceRule::kLlama3, PieceRule::kQwen2}) {
    for (std::size_t begin = 0; begin < characters.size();) {
      const std::size_t length = piece_length(std::span(characters).subspan(begin), rule);
      ASSERT_GE(length, 1u) << begin;
      ASSERT_LE(length, characters.size() - begin) << begin;
      begin += length;
    }
  }
}

/// A tokenizer.bin of the 256 bytes behind three special tokens, and some pieces with scores.
std::string tokenizer_bin(const std::vector<std::pair<std::string, float>>& pieces) {
  std::vector<std::pair<std::string, float>> all = {{"<unk>", 0}, {"\n<s>\n", 0}, {"\n</s>\n", 0}};
  for (int byte = 0; byte < 256; ++byte) all.emplace_back("<" + std::to_string(byte) + ">", 0.0F);
  all.insert(all.end(), pieces.begin(), pieces.end());
  std::string bytes(4, '\7');
  for (const auto& [piece, score] : all) {
    const auto length = static_cast<std::int32_t>(piece.size());
    bytes.append(reinterpret_cast<const char*>(&score), 4).append(reinterpret_cast<const char*>(&length), 4) += piece;
  }
  return bytes;
}

TEST(TokenizerLlama2cTest, MergesTheBestScoreFirstAndFallsBackToBytes) {
  const tests::TemporaryDirectory directory;
  const std::vector<std::pair<std::string, float>> pieces = {{" ", -9},  {"a", -9},   {"b", -9},  {"ab", -2},
                                                             {"ba", -1}, {"aba", -3}, {" a", -5}, {"\u00e9", -9}};
  const int first = 259;
  const int size = first + static_cast<int>(pieces.size());
  const auto tokenizer = load_tokenizer(directory.write("tokenizer.bin", tokenizer_bin(pieces)), size);
  const auto encode = [&](const char* text) { return tokenizer->encode(text, "t"); };
  EXPECT_EQ(encode("ab"), (std::vector<int>{1, first, first + 3})) << "'ab' is better than ' a'";
  EXPECT_EQ(encode("aba"), (std::vector<int>{1, first, first + 5})) << "'ba' goes first, then 'aba'";
  EXPECT_EQ(encode("b\u00e9z"), (std::vector<int>{1, first, first + 2, first + 7, 'z' + 3}));
  EXPECT_EQ(encode("\u00e8"), (std::vector<int>{1, first, 0xC3 + 3, 0xA8 + 3}));
}

TEST(TokenizerLlama2cTest, MalformedFilesAreRefused) {
  const tests::TemporaryDirectory directory;
  const std::string valid = tokenizer_bin({{" ", -1}});
  std::string negative = valid;
  negative[8] = '\xFF', negative[9] = '\xFF', negative[10] = '\xFF', negative[11] = '\xFF';
  std::string nan = valid;
  nan[6] = '\xC0', nan[7] = '\x7F';
  const std::vector<std::tuple<std::string, int, std::string>> rows = {
      {"", 260, "got 0 bytes; expected a tokenizer.bin"},
      {valid.substr(0, valid.size() / 2), 260, ""},
      {valid.substr(0, valid.size() - 1), 260, "token 259: got length 1; expected at most the 0 bytes"},
      {valid + "x", 260, "got 1 bytes behind token 259; expected the end, the model has 260 tokens"},
      {valid, 261, "expected more for 261 tokens"},
      {valid, 258, "got a model of 258 tokens; expected at least 259"},
      {negative, 260, "token 0: got length -1"},
      {nan, 260, "token 0: got score nan"},
  };
  for (const auto& [bytes, vocabulary, message] : rows) {
    const fs::path file = directory.write("tokenizer.bin", bytes);
    EXPECT_TRUE(
        refuses([&, &size = vocabulary] { (void)load_tokenizer(file, size); }, ExitCode::kMalformedInput, message))
        << message;
  }
}

TEST(TokenizerLlama2cTest, Stories260kDocumentsEncodeToTheirIds) {
  GUARDBIT_REQUIRE_SHARED("models/stories260k/tok512.bin");
  constexpr int kTokens = 512;
  const fs::path folder = tests::shared_path("models/stories260k");
  const std::string bytes = content_of(folder / "tok512.bin");
  std::vector<std::string> pieces;
  for (std::size_t offset = 4; offset < bytes.size();) {
    std::int32_t length = 0;
    std::memcpy(&length, bytes.data() + offset + 4, 4);
    pieces.push_back(bytes.substr(offset + 8, static_cast<std::size_t>(length)));
    offset += 8 + static_cast<std::size_t>(length);
  }
  const auto tokenizer = load_tokenizer(folder / "tok512.bin", kTokens);
  const auto documents = nlohmann::json::parse(content_of(folder / "reference_fp64.json")).at("documents");
  ASSERT_FALSE(documents.empty());
  for (const auto& document : documents) {
    const auto ids = document.at("tokens").get<std::vector<int>>();
    std::string text;
    for (std::size_t i = 1; i < ids.size(); ++i) {
      const int id = ids[i];
      text += id >= 3 && id < 259 ? std::string(1, static_cast<char>(id - 3)) : pieces[static_cast<std::size_t>(id)];
    }
    ASSERT_EQ(text.front(), ' ');
    // The last piece was cut from a longer text, which may have merged on.
    std::vector<int> found = tokenizer->encode(text.substr(1), "document");
    ASSERT_GE(found.size(), ids.size() - 2);
    found.resize(ids.size() - 2);
    EXPECT_EQ(found, std::vector<int>(ids.begin(), ids.end() - 2));
  }
}

TEST(FindTokenizerTest, LooksBesideTheModelThenAtTheVocabulary) {
  const tests::TemporaryDirectory directory;
  fs::create_directory(directory / "m");
  EXPECT_TRUE(refuses([&] { (void)find_tokenizer(directory / "m", 300); }, ExitCode::kMissingInput,
                      "m/tokenizer.json: there is no such file; expected it, or --tokenizer FILE"));
  EXPECT_EQ(find_tokenizer(directory / "m", 256), kBytesTokenizer);
  directory.write("m/tokenizer.json", "{}");
  EXPECT_EQ(find_tokenizer(directory / "m", 256), directory / "m/tokenizer.json");
  EXPECT_EQ(find_tokenizer(directory.write("c.bin", "x"), 256), kBytesTokenizer);
  directory.write("tokenizer.bin", "x");
  EXPECT_EQ(find_tokenizer(directory / "c.bin", 512), directory / "tokenizer.bin");
  EXPECT_EQ(load_tokenizer(kBytesTokenizer, 256)->encode("a\xFF", "t"), (std::vector<int>{'a', 255}));
  EXPECT_TRUE(refuses([] { (void)load_tokenizer(kBytesTokenizer, 255); }, ExitCode::kUsage, "--tokenizer bytes: got"));
}

}  // namespace
}  // namespace guardbit::sim
