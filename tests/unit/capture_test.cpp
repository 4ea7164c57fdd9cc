// Import and capture: malformed models and token files are refused before anything is written, with their own message.
#include <gtest/gtest.h>

#include <cstring>
#include <limits>

#include "sim/base/signal_guard.h"
#include "sim/trace/model_import.h"
#include "tests/support/expect_error.h"
#include "tests/support/small_trace.h"

namespace guardbit::sim {
namespace {

namespace fs = std::filesystem;
using tests::content_of;
using tests::refuses;

const transformer::ModelShape kSmallShape = [] {
  transformer::ModelShape shape;
  shape.family = "gpt2";
  shape.vocabulary_size = 5;
  shape.context_length = 4;
  return shape;
}();

TEST(ReadWindowsTest, AcceptsBothListsAndIgnoresOtherKeys) {
  const tests::TemporaryDirectory directory;
  const auto file =
      directory.write("t.json", R"({"note": {"x": 1}, "windows": [[0, 1], {"tokens": [4, 3, 2, 1, 0], "nll": 7}]})");
  const std::vector<Trace::Window> windows = read_windows(file, kSmallShape);
  ASSERT_EQ(windows.size(), 2u);
  EXPECT_EQ(windows[0].tokens, (std::vector<int>{0, 1}));
  EXPECT_EQ(windows[1].tokens, (std::vector<int>{4, 3, 2, 1, 0}));
  const auto documents = directory.write("d.json", R"({"bos": 1, "documents": [{"tokens": [1, 2]}]})");
  EXPECT_EQ(read_windows(documents, kSmallShape).at(0).tokens, (std::vector<int>{1, 2}));
}

TEST(ReadWindowsTest, MalformedFilesAreRefused) {
  const std::vector<std::pair<const char*, const char*>> rows = {
      {R"([[0, 1]])", "t.json: got an array of 1; expected an object"},
      {R"({})", "/windows: got nothing; expected this key"},
      {R"({"windows": []})", "/windows: got an array of 0; expected at least one window"},
      {R"({"windows": [[0, 1]], "documents": [[0, 1]]})", "/documents: got an array of 1; expected either"},
      {R"({"windows": {"tokens": [0, 1]}})", "/windows: got an object with 1 members; expected an array"},
      {R"({"windows": [7]})", "/windows/0: got 7; expected an array"},
      {R"({"windows": [{"ids": [0, 1]}]})", "/windows/0/tokens: got nothing"},
      {R"({"windows": [[0]]})", "/windows/0: got an array of 1; expected 2..5 ids"},
      {R"({"windows": [[0, 1, 2, 3, 4, 0]]})", "/windows/0: got an array of 6; expected 2..5 ids"},
      {R"({"windows": [[0, 5]]})", "/windows/0/1: got 5; expected an integer in 0..4"},
      {R"({"windows": [[0, "1"]]})", R"(/windows/0/1: got "1"; expected an integer)"},
      {R"({"windows": [[0, 1]], "windows": [[0, 1]]})", "/windows: got key given twice"},
  };
  const tests::TemporaryDirectory directory;
  for (const auto& [text, message] : rows) {
    const auto file = directory.write("t.json", text);
    EXPECT_TRUE(refuses([&] { (void)read_windows(file, kSmallShape); }, ExitCode::kMalformedInput, message)) << text;
  }
}

/// The small checkpoint with one header field changed.
std::string with_header(std::size_t field, std::int32_t value) {
  std::string bytes = tests::llama2c_checkpoint();
  std::memcpy(bytes.data() + field * sizeof value, &value, sizeof value);
  return bytes;
}

TEST(ImportLlama2cTest, MalformedFilesAreRefused) {
  const std::string valid = tests::llama2c_checkpoint();
  const std::string size = std::to_string(valid.size());
  constexpr std::int32_t kLargest = std::numeric_limits<std::int32_t>::max();
  const std::vector<std::pair<std::string, std::string>> rows = {
      {"", "got 0 bytes; expected at least the 28"},
      {valid.substr(0, 27), "got 27 bytes; expected at least the 28"},
      {valid + "x", "got " + std::to_string(valid.size() + 1) + " bytes; expected " + size},
      {with_header(0, 0), "header: got dim 0; expected 1.."},
      {with_header(0, -4), "header: got dim -4; expected 1.."},
      {with_header(1, kLargest), "header: got hidden_dim 2147483647; expected 1.."},
      {with_header(2, -1), "header: got n_layers -1; expected 1..4096"},
      {with_header(2, 4096), "bytes; expected more than 65536"},
      {with_header(2, 2), "got " + size + " bytes; expected "},
      {with_header(3, 3), "header: got n_heads 3 for dim 4; expected heads of an even size"},
      {with_header(3, 4), "header: got n_heads 4 for dim 4; expected heads of an even size"},
      {with_header(4, 0), "header: got n_kv_heads 0; expected 1..4096"},
      {with_header(4, 3), "header: got n_kv_heads 3; expected a divisor of n_heads (2)"},
      {with_header(5, 0), "header: got vocab_size (magnitude) 0; expected 1.."},
      {with_header(5, std::numeric_limits<std::int32_t>::min()),
       "header: got vocab_size (magnitude) 2147483648; expected 1.."},
      {with_header(0, 640), "got " + size + " bytes; expected "},  // begins as a pickle does
      {with_header(6, 1 << 20), "got " + size + " bytes; expected "},
      {"GGUF" + valid, "this is a GGUF file"},
      {"24ka" + valid, "this is a llama2.c export of version 1 or 2"},
      {std::string("\x40\0\0\0\0\0\0\0{\"a\"", 12) + valid, "this is perhaps a safetensors file"},
  };
  const tests::TemporaryDirectory directory;
  const auto tokens = directory.write("t.json", R"({"windows": [[0, 1]]})");
  for (const auto& [bytes, message] : rows) {
    const auto file = directory.write("m.bin", bytes);
    EXPECT_TRUE(refuses([&] { capture(file, tokens, directory / "out"); }, ExitCode::kMalformedInput, message));
  }
  EXPECT_EQ(directory.num_entries(), 2u) << "something was written";
}

TEST(ImportLlama2cTest, Gen03TruncationAtEveryByteIsRefused) {
  const tests::TemporaryDirectory directory;
  const std::string valid = tests::llama2c_checkpoint();
  for (std::size_t length = 0; length < valid.size(); ++length) {
    const auto file = directory.write("m.bin", valid.substr(0, length));
    ASSERT_TRUE(refuses([&] { (void)import_model(file); }, ExitCode::kMalformedInput, "m.bin: got")) << length;
  }
}

TEST(ImportLlama2cTest, Gen10HeaderBitFlipsAreRefused) {
  const tests::TemporaryDirectory directory;
  const std::string valid = tests::llama2c_checkpoint();
  for (std::size_t bit = 0; bit < 28 * 8; ++bit) {
    std::string flipped = valid;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
    const auto file = directory.write("m.bin", flipped);
    EXPECT_TRUE(refuses([&] { (void)import_model(file); }, ExitCode::kMalformedInput, "m.bin: ")) << "bit " << bit;
  }
}

TEST(ImportLlama2cTest, Dv01NonFiniteWeightIsRefusedWithItsPlace) {
  const tests::TemporaryDirectory directory;
  std::string bytes = tests::llama2c_checkpoint();
  const float nan = std::numeric_limits<float>::quiet_NaN();
  constexpr std::size_t kInQ = 28 + 4 * (20 + 4 + 4 + 2);  // embedding, norm, then (1, 2) of q
  std::memcpy(bytes.data() + kInQ, &nan, sizeof nan);
  const auto file = directory.write("m.bin", bytes);
  const auto tokens = directory.write("t.json", R"({"windows": [[0, 1]]})");
  EXPECT_TRUE(refuses([&] { capture(file, tokens, directory / "out"); }, ExitCode::kMalformedInput,
                      "tensor 'model.layers.0.self_attn.q_proj.weight': got nan at (1, 2)"));
  EXPECT_EQ(directory.num_entries(), 2u) << "a half-written trace is left";
}

constexpr const char* kConfig =
    R"({"model_type": "gpt2", "n_embd": 8, "n_layer": 1, "n_head": 2, "n_positions": 4, "vocab_size": 5, "summary_type": "x"})";

TEST(ImportHuggingFaceTest, ConfigIsReadAndChecked) {
  const tests::TemporaryDirectory directory;
  directory.write("m/model.safetensors", std::string("\2\0\0\0\0\0\0\0{}", 10));
  directory.write("m/config.json", kConfig);
  const transformer::ModelShape shape = import_model(directory / "m").shape;
  EXPECT_EQ(shape.family, "gpt2");
  EXPECT_EQ(shape.head_size, 4);
  EXPECT_EQ(shape.intermediate_size, 32);
  EXPECT_EQ(shape.norm_epsilon, 1e-5);
  EXPECT_TRUE(shape.tied_head);
  EXPECT_EQ(shape.activation, transformer::ActivationKind::kGeluTanh);

  const auto changed = [](const char* from, const char* to) {
    std::string text = kConfig;
    return text.replace(text.find(from), std::strlen(from), to);
  };
  const std::vector<std::pair<std::string, const char*>> rows = {
      {changed("\"gpt2\"", "\"gptj\""),
       R"(config.json:/model_type: got "gptj"; expected one of: bert, gpt2, llama, mistral, opt, qwen2, qwen3)"},
      {changed("\"n_embd\": 8", "\"n_embd\": 7"), "/n_head: got 2; expected a divisor of n_embd (7)"},
      {changed("\"n_embd\": 8,", ""), "/n_embd: got nothing; expected this key"},
      {changed("\"n_layer\": 1", "\"n_layer\": \"1\""), R"(/n_layer: got "1"; expected an integer)"},
      {changed("\"summary_type\": \"x\"", "\"n_inner\": 0"), "/n_inner: got 0; expected an integer in 1.."},
      {changed("\"summary_type\": \"x\"", "\"activation_function\": \"mish\""),
       R"(/activation_function: got "mish"; expected one of: gelu_new)"},
      {changed("\"summary_type\": \"x\"", "\"scale_attn_weights\": false"),
       "/scale_attn_weights: got false; expected true"},
      {changed("\"summary_type\": \"x\"", "\"scale_attn_by_inverse_layer_idx\": true"), "got true; expected false"},
      {changed("\"summary_type\": \"x\"", "\"add_cross_attention\": true"), "got true; expected false"},
      {changed("\"summary_type\": \"x\"", "\"layer_norm_epsilon\": -1"),
       "/layer_norm_epsilon: got -1; expected a number in 0..1"},
  };
  for (const auto& [config, message] : rows) {
    directory.write("m/config.json", config);
    EXPECT_TRUE(refuses([&] { (void)import_model(directory / "m"); }, ExitCode::kMalformedInput, message)) << config;
  }
}

TEST(ImportHuggingFaceTest, MissingAndMalformedFiles) {
  const tests::TemporaryDirectory directory;
  fs::create_directory(directory / "m");
  const auto import = [&] { (void)import_model(directory / "m"); };
  EXPECT_TRUE(refuses(import, ExitCode::kMissingInput,
                      "m: got a directory without config.json; expected a Hugging Face directory"));
  directory.write("m/config.json", kConfig);
  EXPECT_TRUE(refuses(import, ExitCode::kMissingInput, "m/model.safetensors: cannot open"));
  directory.write("m/model.safetensors", "short");
  EXPECT_TRUE(refuses(import, ExitCode::kMalformedInput, "m/model.safetensors: got 5 bytes"));
  EXPECT_TRUE(refuses([&] { (void)import_model(directory / "none"); }, ExitCode::kMissingInput, "none: cannot open"));
}

TEST(CaptureTest, MissingTensorLeavesNothingBehind) {
  const tests::TemporaryDirectory directory;
  directory.write("m/config.json", kConfig);
  directory.write("m/model.safetensors", std::string("\2\0\0\0\0\0\0\0{}", 10));
  const auto tokens = directory.write("t.json", R"({"windows": [[0, 1]]})");
  EXPECT_TRUE(refuses([&] { capture(directory / "m", tokens, directory / "out"); }, ExitCode::kMalformedInput,
                      "no tensor 'transformer.wte.weight'; expected one of shape (5, 8)"));
  EXPECT_EQ(directory.num_entries(), 2u);
}

TEST(CaptureTest, OutputThatIsNotATraceIsRefusedFirst) {
  const tests::TemporaryDirectory directory;
  const auto model = directory.write("small.bin", tests::llama2c_checkpoint());
  const auto tokens = directory.write("t.json", R"({"windows": [[0, 1]]})");
  directory.write("out/notes.txt", "mine");
  EXPECT_TRUE(
      refuses([&] { capture(model, tokens, directory / "out"); }, ExitCode::kCannotCreate, "out: holds 'notes.txt'"));
  EXPECT_EQ(content_of(directory / "out/notes.txt"), "mine");
}

TEST(CaptureTest, BadTraceNameIsAUsageError) {
  const tests::TemporaryDirectory directory;
  const auto model = directory.write("small.bin", tests::llama2c_checkpoint());
  const auto tokens = directory.write("t.json", R"({"windows": [[0, 1]]})");
  CaptureOptions options;
  options.name = "../x";
  EXPECT_TRUE(refuses([&] { capture(model, tokens, directory / "out", options); }, ExitCode::kUsage,
                      "trace name '../x': it has a path separator"));
}

TEST(CaptureTest, MoreMemoryThanThereIsIsRefusedBeforeWriting) {
  const tests::TemporaryDirectory directory;
  tests::Llama2cSizes sizes;
  sizes.seq_len = 1 << 20;
  const auto model = directory.write("long.bin", tests::llama2c_checkpoint(sizes));
  std::string tokens = R"({"windows": [[0)";
  for (int i = 0; i < sizes.seq_len; ++i) tokens += ",1";
  const auto file = directory.write("t.json", tokens + "]]}");
  // 2 heads * 2 * 2^40 scores and probabilities of 4 bytes: 16 TiB.
  EXPECT_TRUE(refuses([&] { capture(model, file, directory / "out"); }, ExitCode::kRefused,
                      "the fp32 reference over 1048576 tokens needs 1677"));
  EXPECT_EQ(directory.num_entries(), 2u);
}

}  // namespace
}  // namespace guardbit::sim
