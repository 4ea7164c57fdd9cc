// Trace bundles: what capture() writes is read back, and every malformed bundle is refused with its own message
// (ids TR-nn, PATH-nn, GEN-nn of the design's catalogue).
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <functional>
#include <span>

#include "models/transformer/reference.h"
#include "sim/base/sha256.h"
#include "sim/trace/model_import.h"
#include "sim/trace/safetensors.h"
#include "tests/support/expect_error.h"
#include "tests/support/small_trace.h"
#include "tests/support/trace_bit_flips.h"

namespace guardbit::sim {
namespace {

namespace fs = std::filesystem;
using numerics::Matrix;
using tests::content_of;
using tests::refuses;

/// `text` with the first `from` replaced, which must be there.
std::string replaced(std::string text, std::string_view from, std::string_view to) {
  const std::size_t position = text.find(from);
  if (position == std::string::npos) throw std::runtime_error("no '" + std::string(from) + "' in " + text);
  return text.replace(position, from.size(), to);
}

/// Loads, builds and verifies: all that a replay does with a trace before it starts.
void use(const fs::path& directory) {
  const Trace trace = load_trace(directory);
  verify_trace(trace, load_model(trace));
}

TEST(TraceTest, CapturedTraceReadsBack) {
  const tests::TemporaryDirectory directory;
  const Trace trace = load_trace(tests::make_small_trace(directory));
  EXPECT_EQ(trace.name, "small");
  EXPECT_EQ(trace.origin, "captured by guardbit from small; tokens.json");
  EXPECT_EQ(trace.sha256, sha256_hex(content_of(directory / "small/trace.json")));
  EXPECT_EQ(trace.shape.family, "llama");
  EXPECT_EQ(trace.shape.hidden_size, 4);
  EXPECT_EQ(trace.shape.intermediate_size, 6);
  EXPECT_EQ(trace.shape.num_kv_heads, 1);
  EXPECT_EQ(trace.shape.head_size, 2);
  EXPECT_EQ(trace.shape.vocabulary_size, 5);
  EXPECT_EQ(trace.shape.context_length, 8);
  EXPECT_EQ(trace.shape.activation, transformer::ActivationKind::kSilu);
  EXPECT_TRUE(trace.shape.tied_head);
  ASSERT_EQ(trace.windows.size(), 2u);
  EXPECT_EQ(trace.windows[0].tokens, (std::vector<int>{0, 1, 2, 3}));
  EXPECT_EQ(trace.windows[1].tokens, (std::vector<int>{4, 0}));
  ASSERT_EQ(trace.sources.size(), 2u);
  EXPECT_EQ(trace.sources[0].sha256, sha256_of_file(directory / "small.bin"));
  EXPECT_EQ(trace_json(trace), content_of(directory / "small/trace.json"));
  EXPECT_EQ(directory.num_entries(), 3u) << "a temporary is left";

  const SafetensorsFile activations(*trace.activations);
  EXPECT_EQ(activations.tensors().size(), 7u) << "embed, two norms, two residuals, final norm, head";
  EXPECT_NO_THROW((void)activations.read_matrix("0/layers.0.attn_norm", 2, 4));
  EXPECT_NO_THROW((void)activations.read_matrix("0/head", 2, 5));
  EXPECT_NO_THROW(use(directory / "small"));
}

TEST(TraceTest, CheckpointBlocksGetTheirNames) {
  const tests::TemporaryDirectory directory;
  const std::string checkpoint = tests::llama2c_checkpoint();
  const Trace trace = load_trace(tests::make_small_trace(directory));
  const SafetensorsFile weights(trace.weights);
  // (name, rows, cols) in the order of llama2.c's layout, which the values follow.
  const std::vector<std::tuple<const char*, std::size_t, std::size_t>> rows = {
      {"model.embed_tokens.weight", 5, 4},
      {"model.layers.0.input_layernorm.weight", 1, 4},
      {"model.layers.0.self_attn.q_proj.weight", 4, 4},
      {"model.layers.0.self_attn.k_proj.weight", 2, 4},
      {"model.layers.0.self_attn.v_proj.weight", 2, 4},
      {"model.layers.0.self_attn.o_proj.weight", 4, 4},
      {"model.layers.0.post_attention_layernorm.weight", 1, 4},
      {"model.layers.0.mlp.gate_proj.weight", 6, 4},
      {"model.layers.0.mlp.down_proj.weight", 4, 6},
      {"model.layers.0.mlp.up_proj.weight", 6, 4},
      {"model.norm.weight", 1, 4},
  };
  std::size_t offset = 28;
  for (const auto& [name, num_rows, num_cols] : rows) {
    const Matrix<float> values = weights.read_matrix(name, num_rows, num_cols);
    const std::string_view bytes(reinterpret_cast<const char*>(values.data().data()), values.data().size() * 4);
    EXPECT_EQ(bytes, std::string_view(checkpoint).substr(offset, bytes.size())) << name;
    offset += bytes.size();
  }
  EXPECT_EQ(weights.tensors().size(), rows.size());
}

TEST(TraceTest, UntiedHeadIsTheLastBlock) {
  const tests::TemporaryDirectory directory;
  tests::Llama2cSizes sizes;
  sizes.vocab_size = -5;
  const std::string checkpoint = tests::llama2c_checkpoint(sizes);
  const auto model = directory.write("untied.bin", checkpoint);
  capture(model, directory.write("tokens.json", R"({"windows": [[0, 1]]})"), directory / "out");
  const Trace trace = load_trace(directory / "out");
  EXPECT_FALSE(trace.shape.tied_head);
  const Matrix<float> head = load_model(trace).weights.at("head.weight");
  ASSERT_EQ(head.rows(), 5u);
  const std::string_view bytes(reinterpret_cast<const char*>(head.data().data()), 80);
  EXPECT_EQ(bytes, std::string_view(checkpoint).substr(checkpoint.size() - 80));
}

/// One way to damage trace.json, and the message.
struct DamagedJson {
  const char* id;
  const char* from;
  const char* to;
  const char* message;
};
void PrintTo(const DamagedJson& value, std::ostream* stream) { *stream << value.id; }

class DamagedTraceJsonTest : public testing::TestWithParam<DamagedJson> {};

TEST_P(DamagedTraceJsonTest, IsRefusedWithItsOwnMessage) {
  const tests::TemporaryDirectory directory;
  const fs::path trace = tests::make_small_trace(directory);
  directory.write("small/trace.json", replaced(content_of(trace / "trace.json"), GetParam().from, GetParam().to));
  EXPECT_TRUE(refuses([&] { use(trace); }, ExitCode::kMalformedInput, GetParam().message));
}
INSTANTIATE_TEST_SUITE_P(
    Corpus, DamagedTraceJsonTest,
    testing::Values(
        DamagedJson{"TR_01_newer", "guardbit-trace/1", "guardbit-trace/2",
                    R"(trace.json:/schema: got "guardbit-trace/2"; expected "guardbit-trace/1")"},
        DamagedJson{"TR_01_type", R"("guardbit-trace/1")", "1", "/schema: got 1; expected"},
        DamagedJson{"TR_01_missing", R"("schema": "guardbit-trace/1",)", "", "/schema: got nothing; expected this key"},
        DamagedJson{"unknown_key", R"("name":)", R"("nmae": 1, "name":)",
                    "/nmae: got an unknown key; expected one of: schema, name"},
        DamagedJson{"unknown_model_key", R"("head_size":)", R"("rms": 1, "head_size":)",
                    "/model/rms: got an unknown key"},
        DamagedJson{"duplicate_key", R"("name":)", R"("name": "x", "name":)", "/name: got key given twice"},
        DamagedJson{"duplicate_deep", R"("hidden_size": 4)", R"("hidden_size": 4, "hidden_size": 4)",
                    "/model/hidden_size: got key given twice"},
        DamagedJson{"not_json", "}", "", "expected JSON"},
        DamagedJson{"family", R"("family": "llama")", R"("family": "lama")",
                    R"(/model/family: got "lama"; expected one of: bert, gpt2, llama, opt)"},
        DamagedJson{"family_of_others", R"("family": "llama")", R"("family": "gpt2")", "expected num_heads (2)"},
        DamagedJson{"activation", R"("silu")", R"("swish")",
                    R"(/model/activation: got "swish"; expected one of: gelu, gelu_tanh, relu, silu)"},
        DamagedJson{"negative", R"("num_layers": 1)", R"("num_layers": -1)",
                    "/model/num_layers: got -1; expected an integer in 1..4096"},
        DamagedJson{"zero", R"("num_heads": 2)", R"("num_heads": 0)",
                    "/model/num_heads: got 0; expected an integer in 1..4096"},
        DamagedJson{"huge", R"("hidden_size": 4)", R"("hidden_size": 4294967300)",
                    "/model/hidden_size: got 4294967300; expected"},
        DamagedJson{"real_for_integer", R"("head_size": 2)", R"("head_size": 2.0)",
                    "/model/head_size: got 2.0; expected an integer"},
        DamagedJson{"text_for_integer", R"("head_size": 2)", R"("head_size": "2")",
                    R"(/model/head_size: got "2"; expected an integer)"},
        DamagedJson{"odd_head_size", R"("head_size": 2)", R"("head_size": 3)", "expected an even number"},
        DamagedJson{"kv_heads", R"("num_kv_heads": 1)", R"("num_kv_heads": 3)",
                    "/model/num_kv_heads: got 3; expected a divisor of num_heads"},
        DamagedJson{"epsilon", R"("norm_epsilon": 1e-05)", R"("norm_epsilon": -1e-05)",
                    "/model/norm_epsilon: got -1e-05; expected a number in 0..1"},
        DamagedJson{"text_for_boolean", R"("tied_head": true)", R"("tied_head": "yes")",
                    R"(/model/tied_head: got "yes"; expected true or false)"},
        DamagedJson{"TR_02_weights", R"("weights.safetensors",
    "sha256": ")",
                    R"("weights.safetensors",
    "sha256": "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
    "x": ")",
                    "/weights/x: got an unknown key"},
        DamagedJson{"hash_upper_case", R"("sha256": ")", R"("sha256": "A)", "/weights/sha256: got"},
        DamagedJson{
            "TR_03_more_layers", R"("num_layers": 1)", R"("num_layers": 2)",
            "weights.safetensors: no tensor 'model.layers.1.input_layernorm.weight'; expected one of shape (1, 4)"},
        DamagedJson{
            "TR_03_width", R"("intermediate_size": 6)", R"("intermediate_size": 7)",
            "weights.safetensors: tensor 'model.layers.0.mlp.gate_proj.weight': got shape [6, 4]; expected (7, 4)"},
        DamagedJson{"TR_03_untied", R"("tied_head": true)", R"("tied_head": false)", "no tensor 'lm_head.weight'"},
        DamagedJson{"TR_03_vocabulary", R"("vocabulary_size": 5)", R"("vocabulary_size": 6)",
                    "tensor 'model.embed_tokens.weight': got shape [5, 4]; expected (6, 4)"},
        DamagedJson{"token_too_large", "[0,1,2,3]", "[0,1,2,5]",
                    "/windows/0/tokens/3: got 5; expected an integer in 0..4"},
        DamagedJson{"token_negative", "[4,0]", "[4,-1]", "/windows/1/tokens/1: got -1; expected an integer in 0..4"},
        DamagedJson{"token_real", "[4,0]", "[4,0.0]", "/windows/1/tokens/1: got 0.0; expected an integer"},
        DamagedJson{"window_too_short", "[4,0]", "[4]", "/windows/1/tokens: got an array of 1; expected 2..9 ids"},
        DamagedJson{"window_too_long", "[4,0]", "[1,1,1,1,1,1,1,1,1,1]",
                    "/windows/1/tokens: got an array of 10; expected 2..9 ids"},
        DamagedJson{"window_null", "[4,0]", "null", "/windows/1/tokens: got null; expected an array"},
        DamagedJson{"PATH_01", R"("file": "weights.safetensors")", R"("file": "../weights.safetensors")",
                    R"(/weights/file: got "../weights.safetensors"; expected a plain name)"},
        DamagedJson{"PATH_02", R"("file": "weights.safetensors")", R"("file": "/etc/passwd")", "/weights/file: got"},
        DamagedJson{"PATH_03", R"("file": "weights.safetensors")", R"("file": "a/../../x")",
                    "(it has a path separator)"},
        DamagedJson{"PATH_06_backslash", R"("file": "weights.safetensors")", R"("file": "..\\x")",
                    "(it has a path separator)"},
        DamagedJson{"PATH_06_drive", R"("file": "weights.safetensors")", R"("file": "C:x")", "(it has a colon)"},
        DamagedJson{"PATH_06_nul", R"("file": "weights.safetensors")", R"("file": "a\u0000b")",
                    "(it has control characters)"},
        DamagedJson{"PATH_06_control", R"("file": "weights.safetensors")", R"("file": "a\u001b[2J")",
                    "(it has control characters)"},
        DamagedJson{"PATH_07_dash", R"("file": "weights.safetensors")", R"("file": "-rf")",
                    "(it starts with a dot or a dash)"},
        DamagedJson{"PATH_01_dots", R"("file": "weights.safetensors")", R"("file": "..")",
                    "(it starts with a dot or a dash)"},
        DamagedJson{"name_control", R"("name": "small")", R"("name": "small\u0007")", "/name: got"}),
    [](const auto& row) { return std::string(row.param.id); });

TEST(TraceTest, AllProblemsOfTraceJsonAreReportedTogether) {
  const tests::TemporaryDirectory directory;
  const fs::path trace = tests::make_small_trace(directory);
  std::string text = content_of(trace / "trace.json");
  text = replaced(text, R"("num_layers": 1)", R"("num_layers": 0)");
  text = replaced(text, R"("silu")", R"("swish")");
  text = replaced(text, "[4,0]", "[4,7]");
  directory.write("small/trace.json", text);
  const std::string file = (trace / "trace.json").string();
  EXPECT_TRUE(refuses([&] { (void)load_trace(trace); }, ExitCode::kMalformedInput,
                      file + ":/model/num_layers: got 0; expected an integer in 1..4096\n" + file +
                          ":/model/activation: got \"swish\"; expected one of: gelu, gelu_tanh, relu, silu\n" + file +
                          ":/windows/1/tokens/1: got 7; expected an integer in 0..4"));
}

TEST(TraceTest, Gen05MissingFilesAreMissingInput) {
  const tests::TemporaryDirectory directory;
  EXPECT_TRUE(refuses([&] { use(directory / "none"); }, ExitCode::kMissingInput, "none/trace.json: cannot open"));
  for (const char* name : {"activations.safetensors", "weights.safetensors", "trace.json"}) {
    const fs::path trace = tests::make_small_trace(directory);
    fs::remove(trace / name);
    EXPECT_TRUE(refuses([&] { use(trace); }, ExitCode::kMissingInput, name));
    fs::remove_all(trace);
  }
}

TEST(TraceTest, Gen06FifoInPlaceOfAFileIsNotWaitedFor) {
  const tests::TemporaryDirectory directory;
  const fs::path trace = tests::make_small_trace(directory);
  fs::remove(trace / "weights.safetensors");
  ASSERT_EQ(mkfifo((trace / "weights.safetensors").c_str(), 0600), 0);
  EXPECT_TRUE(refuses([&] { use(trace); }, ExitCode::kMalformedInput, "weights.safetensors: got a FIFO"));
}

TEST(TraceTest, Path04SymbolicLinkIsRefused) {
  const tests::TemporaryDirectory directory;
  const fs::path trace = tests::make_small_trace(directory);
  fs::rename(trace / "weights.safetensors", directory / "elsewhere");
  fs::create_symlink(directory / "elsewhere", trace / "weights.safetensors");
  EXPECT_TRUE(refuses([&] { use(trace); }, ExitCode::kMalformedInput, "weights.safetensors: got a symbolic link"));
}

TEST(TraceTest, Tr02ChangedFilesAreRefused) {
  const tests::TemporaryDirectory directory;
  for (const char* name : {"small/weights.safetensors", "small/activations.safetensors"}) {
    tests::make_small_trace(directory);
    std::string bytes = content_of(directory / name);
    bytes.back() = static_cast<char>(bytes.back() ^ 1);
    directory.write(name, bytes);
    EXPECT_TRUE(refuses([&] { use(directory / "small"); }, ExitCode::kMalformedInput,
                        "got SHA-256 " + sha256_hex(bytes) + "; expected "))
        << name;
  }
}

/// The small trace with its recorded activations replaced, hashes right.
fs::path with_activations(const tests::TemporaryDirectory& directory, const std::vector<TensorToWrite>& tensors) {
  fs::remove_all(directory / "small");
  Trace trace = load_trace(tests::make_small_trace(directory));
  write_safetensors(*trace.activations, tensors);
  trace.activations_sha256 = sha256_of_file(*trace.activations);
  directory.write("small/trace.json", trace_json(trace));
  return trace.directory;
}

TEST(TraceTest, Tr03RecordedActivationsMustFitTheModel) {
  const tests::TemporaryDirectory directory;
  const Matrix<float> values(1, 4);
  const Matrix<float> tall(4, 4);
  const auto verdict = [&](const std::string& name, const Matrix<float>& matrix, bool is_vector, const char* message) {
    const fs::path trace = with_activations(directory, {{name, &matrix, is_vector, TensorToWrite::Dtype::kF32}});
    return refuses([&] { use(trace); }, ExitCode::kMalformedInput, message);
  };
  EXPECT_TRUE(verdict("embed", values, false, "tensor 'embed': got this name; expected '<window index>/<op name>'"));
  EXPECT_TRUE(verdict("/embed", values, false, "got this name"));
  EXPECT_TRUE(verdict("-1/embed", values, false, "got this name"));
  EXPECT_TRUE(verdict("99999999999999999999/embed", values, false, "got this name"));
  EXPECT_TRUE(verdict("2/embed", values, false, "got window 2; expected one of the 2 windows"));
  EXPECT_TRUE(
      verdict("0/layers.7.attn_norm", values, false, "got op 'layers.7.attn_norm'; expected an op of the llama model"));
  EXPECT_TRUE(verdict("0/embed", tall, false, "expected shape (1..3, width of the op)"));
  EXPECT_TRUE(verdict("0/embed", values, true, "expected shape (1..3, width of the op)"));
  EXPECT_TRUE(verdict("0/head", values, false, "tensor '0/head': got 4 columns; expected 5"));
  EXPECT_TRUE(verdict("0/embed", values, false, "tensor '0/embed': got 0 at (0, 0); expected"));
}

TEST(TraceTest, VerificationSeesASmallDifferenceAndAllowsRounding) {
  const tests::TemporaryDirectory directory;
  const Trace trace = load_trace(tests::make_small_trace(directory));
  const transformer::Model<float> model = load_model(trace);
  const Matrix<float> exact = transformer::run_reference(model, std::span(trace.windows[1].tokens).first(1)).at("head");
  float largest = 0;
  for (const float value : exact.data()) largest = std::max(largest, std::abs(value));
  for (const auto& [relative, is_accepted] : {std::pair{0.5e-4f, true}, {2e-4f, false}}) {
    Matrix<float> changed = exact;
    changed(0, 3) += relative * largest;
    const fs::path path = with_activations(directory, {{"1/head", &changed, false, TensorToWrite::Dtype::kF32}});
    if (is_accepted) {
      EXPECT_NO_THROW(use(path));
    } else {
      EXPECT_TRUE(refuses([&] { use(path); }, ExitCode::kMalformedInput, "tensor '1/head': got"));
    }
  }
}

TEST(TraceTest, Gen03TruncationOfEveryFileIsRefused) {
  const tests::TemporaryDirectory directory;
  const fs::path trace = tests::make_small_trace(directory);
  for (const char* name : {"trace.json", "weights.safetensors", "activations.safetensors"}) {
    const std::string bytes = content_of(trace / name);
    // The last byte of trace.json is a line feed, which JSON does not need.
    const std::size_t num_lengths = bytes.size() - (std::string_view(name) == "trace.json" ? 1 : 0);
    for (std::size_t length = 0; length < num_lengths; ++length) {
      directory.write(std::string("small/") + name, bytes.substr(0, length));
      ASSERT_TRUE(refuses([&] { (void)load_trace(trace); }, ExitCode::kMalformedInput, name)) << length << " bytes";
    }
    directory.write(std::string("small/") + name, bytes);
  }
  EXPECT_NO_THROW(use(trace));
}

// One bit of every byte; tests/unit/trace_bit_flip_test.cpp (label full) flips them all.
TEST(TraceTest, Gen10BitFlipsAreRefusedOrHarmless) {
  const auto one_per_byte = [](std::size_t bit) { return bit % 8 == bit / 8 % 8; };
  tests::flip_bits_of_small_trace(one_per_byte);
}

}  // namespace
}  // namespace guardbit::sim
