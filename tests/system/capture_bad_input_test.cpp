// `guardbit capture` on malformed input: every case of the design's catalogue has its exit code and message, nothing is
// written, and all of it happens in 100 MB of address space, so that nothing is allocated because a file claims a size.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <limits>
#include <nlohmann/json.hpp>

#include "sim/trace/trace_bundle.h"
#include "tests/support/hugging_face_model.h"
#include "tests/support/malformed_npy.h"
#include "tests/support/malformed_safetensors.h"
#include "tests/support/run_guardbit.h"
#include "tests/support/small_trace.h"

namespace guardbit::tests {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr int kUsage = 2;
constexpr int kMalformed = 65;
constexpr int kMissing = 66;
constexpr int kCannotCreate = 73;

#ifdef __SANITIZE_ADDRESS__
constexpr const char* kLimit = "";  // the sanitizer reserves terabytes of addresses
#else
constexpr const char* kLimit = "ulimit -v 100000; ";
#endif

/// A directory with a GPT-2 in model/ and token ids in t.json, of which a case changes something.
class CaptureBadInputTest : public testing::Test {
 protected:
  CaptureBadInputTest() {
    write_hugging_face(directory_, "model", model_);
    directory_.write("t.json", R"({"windows": [[1, 2, 3]]})");
  }

  CommandResult capture(const std::string& model, const std::string& input) const {
    const std::string from = "cd " + directory_.path().string() + "; ";
    return run_guardbit("capture " + model + " " + input + " -o out --threads 1", kLimit + from);
  }
  /// What was said.
  std::string refused(const std::string& id, int status, const std::string& message, const std::string& model = "model",
                      const std::string& input = "--tokens t.json") {
    const std::size_t num_entries = directory_.num_entries();
    const CommandResult result = capture(model, input);
    EXPECT_EQ(result.status, status) << id << ": " << result.err;
    EXPECT_NE(result.err.find(message), std::string::npos) << id << ": " << result.err << "expected: " << message;
    EXPECT_EQ(result.out, "") << id;
    EXPECT_EQ(directory_.num_entries(), num_entries) << id << " left something behind";
    return result.err;
  }
  void write_weights(const std::string& bytes) { directory_.write("model/model.safetensors", bytes); }
  PlainTensors tensors() const { return checkpoint_tensors(model_.random); }

  TemporaryDirectory directory_;
  HuggingFaceModel model_ = hugging_face_models().at(0);
};

TEST_F(CaptureBadInputTest, TheUnchangedInputIsCapturedWithinTheLimit) {
  const CommandResult result = capture("model", "--tokens t.json --quiet");
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_TRUE(fs::exists(directory_ / "out/trace.json"));
}

TEST_F(CaptureBadInputTest, SafetensorsCorpus) {
  for (const MalformedCase& row : malformed_safetensors()) {
    write_weights(row.bytes);
    EXPECT_TRUE(refused(row.id, kMalformed, row.message).starts_with("guardbit: model/model.safetensors:")) << row.id;
  }
}

TEST_F(CaptureBadInputTest, AnEndBeyondTheFileIsTheOnlyProblemOfItsTensor) {
  write_weights(file_bytes(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[8,16]}})", zeros(8)));
  const std::string said = refused("ST-15", kMalformed, ":/a/data_offsets/1: got 16; expected an integer in 0..8");
  EXPECT_EQ(said.find("begin not above end"), std::string::npos) << said;
}

TEST_F(CaptureBadInputTest, WeightsThatAreNoRegularFile) {
  const fs::path weights = directory_ / "model/model.safetensors";
  fs::remove(weights);
  refused("GEN-05", kMissing, "model/model.safetensors: cannot open");
  ASSERT_EQ(mkfifo(weights.c_str(), 0600), 0);
  refused("GEN-06 FIFO", kMalformed, "model/model.safetensors: got a FIFO; expected a regular file");
  fs::remove(weights);
  fs::create_directory(weights);
  refused("GEN-06 directory", kMalformed, "model/model.safetensors: got a directory; expected a regular file");
  fs::remove(weights);
  fs::create_symlink("/dev/zero", weights);
  refused("PATH-04 device", kMalformed, "got a symbolic link to /dev/zero; expected a file of this directory");
}

TEST_F(CaptureBadInputTest, TensorsThatDoNotFitTheConfiguration) {
  PlainTensors missing = tensors();
  missing.erase("transformer.h.0.attn.c_attn.weight");
  write_weights(safetensors_bytes(missing));
  refused("tensor missing", kMalformed, "no tensor 'transformer.h.0.attn.c_attn.weight'; expected one of shape");
  PlainTensors extra = tensors();
  extra["transformer.h.0.attn.rotary"] = {{1}, {1}};
  write_weights(safetensors_bytes(extra));
  refused("tensor unused", kMalformed, "tensor 'transformer.h.0.attn.rotary', which the described gpt2 model does not");
  PlainTensors shape = tensors();
  shape["transformer.ln_f.weight"].shape = {1, shape["transformer.ln_f.weight"].values.size()};
  shape["transformer.ln_f.bias"].shape = {2, shape["transformer.ln_f.bias"].values.size() / 2};
  write_weights(safetensors_bytes(shape));
  refused("shape mismatch", kMalformed, "tensor 'transformer.ln_f.bias': got shape [2, ");
  for (const char* const dtype : {"F8_E4M3", "BOOL", "U8"}) {  // DV-06, DV-07: codes are never taken for numbers
    std::string bytes = safetensors_bytes(tensors());
    std::string header = bytes.substr(8, bytes.find("}}") + 2 - 8);
    Json json = Json::parse(header);
    const std::size_t num_elements = json["transformer.ln_f.bias"]["shape"][0];
    Json changed = {
        {"transformer.ln_f.bias", {{"dtype", dtype}, {"shape", {num_elements}}, {"data_offsets", {0, num_elements}}}}};
    PlainTensors others = tensors();
    others.erase("transformer.ln_f.bias");
    directory_.write("model/two.safetensors", file_bytes(changed.dump(), zeros(num_elements)));
    directory_.write("model/one.safetensors", safetensors_bytes(others));
    Json map;
    for (const auto& [name, tensor] : others) map[name] = "one.safetensors";
    map["transformer.ln_f.bias"] = "two.safetensors";
    fs::remove(directory_ / "model/model.safetensors");
    directory_.write("model/model.safetensors.index.json", Json{{"weight_map", map}}.dump());
    refused(std::string("DV-06 DV-07 ") + dtype, kMalformed,
            std::string("got dtype ") + dtype + "; expected F64, F32, F16 or BF16");
  }
}

TEST_F(CaptureBadInputTest, NonFiniteWeights) {
  const float infinity = std::numeric_limits<float>::infinity();
  const std::string name = "transformer.wpe.weight";
  const auto context = static_cast<std::size_t>(model_.random.shape.context_length);
  const auto hidden = static_cast<std::size_t>(model_.random.shape.hidden_size);
  const std::string row = std::to_string(context - 1);  // a position that three tokens do not reach
  for (const StoredAs type : {StoredAs::kF32, StoredAs::kF16, StoredAs::kBf16}) {
    for (const auto& [value, text] : {std::pair{infinity, "inf"}, {-infinity, "-inf"}, {std::nanf(""), "nan"}}) {
      PlainTensors changed = checkpoint_tensors(model_.random, type);
      changed[name].values[(context - 1) * hidden + 2] = value;
      write_weights(safetensors_bytes(changed, type));
      refused("DV-01 DV-02 DV-05", kMalformed,
              "tensor '" + name + "': got " + text + " at (" + row + ", 2); expected finite values");
    }
  }
  const CommandResult counted = capture("model", "--tokens t.json --on-nonfinite count");
  EXPECT_EQ(counted.status, 0) << counted.err;
  EXPECT_NE(counted.err.find("model: 1 weight is not finite"), std::string::npos) << counted.err;
  fs::remove_all(directory_ / "out");
  directory_.write("u.json", Json{{"windows", {std::vector<int>(context + 1, 1)}}}.dump());
  refused("DV-01 used", kMalformed, "model: the fp32 forward of window 0 is not finite", "model",
          "--tokens u.json --on-nonfinite propagate");
  refused("policy", kUsage, "--on-nonfinite: got ignore; expected one of error, count, propagate", "model",
          "--tokens t.json --on-nonfinite ignore");
}

TEST_F(CaptureBadInputTest, SubnormalsAndMinusZeroAreKept) {
  PlainTensors changed = tensors();
  changed["transformer.ln_f.bias"].values[0] = -0.0F;
  changed["transformer.ln_f.bias"].values[1] = 0x1p-149F;
  const std::string bytes = safetensors_bytes(changed);
  write_weights(bytes);
  EXPECT_EQ(capture("model", "--tokens t.json").status, 0) << "DV-03 DV-04";
  EXPECT_EQ(content_of(directory_ / "out/weights.safetensors"), bytes);
}

TEST_F(CaptureBadInputTest, ShardIndexesAndPaths) {
  fs::rename(directory_ / "model/model.safetensors", directory_ / "model/one.safetensors");
  const PlainTensors all = tensors();
  const auto write_index = [&](const std::string& first_shard, bool list_all = true) {
    Json map;
    for (const auto& [name, tensor] : all) map[name] = "one.safetensors";
    map[all.begin()->first] = first_shard;
    if (!list_all) map.erase(all.begin()->first);
    directory_.write("model/model.safetensors.index.json", Json{{"weight_map", map}}.dump());
  };
  const std::string place = "/weight_map/" + all.begin()->first + ": got ";
  directory_.write("model/two.safetensors", safetensors_bytes({{"other", {{1}, {1}}}}));
  write_index("two.safetensors");
  refused("IDX-01", kMalformed, place + "'two.safetensors'; expected the file that holds this tensor");
  write_index("three.safetensors");
  refused("IDX-02 missing", kMissing, "model/three.safetensors: cannot open");
  write_index("one.safetensors", false);
  refused("IDX-02 not listed", kMalformed, "of one.safetensors is not listed");
  directory_.write("model/two.safetensors", safetensors_bytes({*all.begin()}));
  write_index("two.safetensors");
  refused("IDX-03", kMalformed, "is in two.safetensors and in one.safetensors; expected it in one file");
  for (const auto& [id, name] : {std::pair{"PATH-01", "../one.safetensors"},
                                 {"PATH-02", "/etc/one.safetensors"},
                                 {"PATH-03", "a/../../one.safetensors"},
                                 {"PATH-06 backslash", "..\\one.safetensors"},
                                 {"PATH-06 drive", "C:one.safetensors"},
                                 {"PATH-06 control", "\x1b[31mone.safetensors"},
                                 {"PATH-07 dash", "-o.safetensors"}}) {
    write_index(name);
    refused(id, kMalformed, place);
  }
  write_index("\x1b[31mone.safetensors");
  EXPECT_EQ(capture("model", "--tokens t.json").err.find('\x1b'), std::string::npos) << "PATH-06: escaped";
  write_index(std::string(5000, 'x') + ".safetensors");
  refused("PATH-06 long", kMalformed, place);
  fs::rename(directory_ / "model/two.safetensors", directory_ / "two.safetensors");
  fs::create_symlink("../two.safetensors", directory_ / "model/two.safetensors");
  write_index("two.safetensors");
  refused("PATH-04", kMalformed, "model/two.safetensors: got a symbolic link to ");
}

TEST_F(CaptureBadInputTest, Configurations) {
  const Json config = hugging_face_config(model_.random.shape, "gpt2");
  const auto with = [&](const char* key, const Json& value) {
    Json changed = config;
    changed[key] = value;
    return changed.dump();
  };
  const std::vector<std::tuple<const char*, std::string, const char*>> rows = {
      {"architecture", with("model_type", "gptj"),
       "config.json:/model_type: got \"gptj\"; expected one of: bert, gpt2, llama, mistral, opt, qwen2, qwen3"},
      {"CFG-03 string", with("n_layer", "1"), "config.json:/n_layer: got \"1\"; expected an integer"},
      {"CFG-03 real", with("n_embd", 8.5), "config.json:/n_embd: got 8.5; expected an integer"},
      {"CFG-05 negative", with("n_head", -2), "config.json:/n_head: got -2; expected an integer in 1.."},
      {"CFG-05 huge", with("n_embd", std::uint64_t{1} << 63), "config.json:/n_embd: got 9223372036854775808"},
      {"claimed vocabulary", with("vocab_size", 1 << 22), "tensor 'transformer.wte.weight': got shape ["},
      {"claimed context", with("n_positions", 1 << 20), "tensor 'transformer.wpe.weight': got shape ["},
      {"claimed layers", with("n_layer", 4096), "no tensor 'transformer.h."},
      {"CFG-02", R"({"model_type": "gpt2", "model_type": "gpt2"})", "config.json:/model_type: got key given twice"},
      {"GEN-01", "", "config.json: got parse error"},
      {"GEN-09 LFS", "version https://git-lfs.github.com/spec/v1\n",
       "perhaps a Git LFS pointer; fetch the file itself"},
      {"ST-13", std::string(200'000, '['), "got nesting deeper than 16"},
      {"not an object", "[]", "config.json: got an array of 0; expected an object"}};
  for (const auto& [id, text, message] : rows) {
    directory_.write("model/config.json", text);
    refused(id, kMalformed, message);
  }
  fs::remove(directory_ / "model/config.json");
  refused("GEN-05", kMissing, "model: got a directory without config.json; expected a Hugging Face directory");
}

TEST_F(CaptureBadInputTest, NpyCorpus) {
  for (const MalformedNpy& row : malformed_npy()) {
    directory_.write("x.npy", row.content);
    const std::string said = refused(row.id, kMalformed, row.message, "model", "--tokens x.npy");
    EXPECT_TRUE(said.starts_with("guardbit: x.npy: ")) << row.id;
  }
}

TEST_F(CaptureBadInputTest, TokensAndText) {
  const auto ids = [&](const std::string& descr, const std::string& data, std::size_t count) {
    return npy_file(npy_header(descr, "(" + std::to_string(count) + ",)"), data);
  };
  directory_.write("real.npy", ids("<f4", raw_bytes<float>({1, 2}), 2));
  directory_.write("high.npy", ids("<i8", raw_bytes<std::int64_t>({1, 23}), 2));
  directory_.write("negative.npy", ids("<i8", raw_bytes<std::int64_t>({1, -1}), 2));
  directory_.write("one.npy", ids("<i8", raw_bytes<std::int64_t>({1}), 1));
  directory_.write("empty.json", "");
  directory_.write("deep.json", std::string(200'000, '['));
  directory_.write("high.json", R"({"windows": [[1, 23]]})");
  directory_.write("zip.npz", "PK\x03\x04" + zeros(20));
  directory_.write("npy.json", ids("<i8", raw_bytes<std::int64_t>({1, 2}), 2));
  directory_.write("empty.txt", "");
  directory_.write("latin1.txt", "caf\xE9");
  directory_.write("tokenizer.json",
                   R"({"model": {"type": "BPE", "vocab": {"a": 0}, "merges": []}, "added_tokens": []})");
  const std::vector<std::tuple<const char*, int, const char*, const char*>> rows = {
      {"ids real", kMalformed, "--tokens real.npy", "real.npy: got a floating-point type; expected integers"},
      {"ids high", kMalformed, "--tokens high.npy", "high.npy: got 23 at element 1; expected an integer in 0..22"},
      {"ids negative", kMalformed, "--tokens negative.npy", "negative.npy: got -1 at element 1"},
      {"ids few", kMalformed, "--tokens one.npy", "one.npy: got 1 token; expected at least 2"},
      {"GEN-01", kMalformed, "--tokens empty.json", "empty.json: got parse error"},
      {"nesting", kMalformed, "--tokens deep.json", "got nesting deeper than 16"},
      {"ids high", kMalformed, "--tokens high.json", "/windows/0/1: got 23; expected an integer in 0..22"},
      {"NPZ", kMalformed, "--tokens zip.npz", "zip.npz: got no JSON (this is a ZIP archive, perhaps .npz"},
      {"GEN-09", kMalformed, "--tokens npy.json", "npy.json: got no JSON (this is a NumPy file)"},
      {"GEN-05", kMissing, "--tokens none.json", "none.json: cannot open"},
      {"GEN-06", kMalformed, "--tokens /dev/zero", "/dev/zero: got a device; expected a regular file"},
      {"empty text", kMalformed, "--text empty.txt --tokenizer tokenizer.json",
       "empty.txt: got 0 bytes; expected text"},
      {"no text", kMissing, "--text none.txt --tokenizer tokenizer.json", "none.txt: cannot open"},
      {"no input", kUsage, "", "expected one of --text and --tokens"},
      {"name", kUsage, "--tokens t.json --name ../x", "trace name '../x': it has a path separator"},
      {"name", kUsage, "--tokens t.json --name caf\xE9", "trace name 'caf\\xE9': it is not UTF-8, or not printable"},
      {"origin", kUsage, "--tokens t.json --origin caf\xE9", "--origin: got 'caf\\xE9'; expected one line of UTF-8"}};
  for (const auto& [id, status, input, message] : rows) refused(id, status, message, "model", input);
  refused("not UTF-8", kMalformed, "latin1.txt: ", "model", "--text latin1.txt --tokenizer tokenizer.json");
}

TEST_F(CaptureBadInputTest, FilesWhoseNamesAreNoTextAreNamedEscaped) {
  const std::string name = "caf\xE9\x01.json";
  directory_.write(name, R"({"windows": [[1, 2, 3]]})");
  const CommandResult result = capture("model", "--tokens " + name);
  ASSERT_EQ(result.status, 0) << result.err;
  const sim::Trace trace = sim::load_trace(directory_ / "out");
  EXPECT_EQ(trace.origin, "captured by guardbit from model; caf\\xE9\\x01.json");
  EXPECT_EQ(trace.sources.back().file, "caf\\xE9\\x01.json");

  write_hugging_face(directory_, "mod\xE9", model_);
  refused("model", kUsage, "trace name 'mod\\xE9': it is not UTF-8, or not printable; expected a plain name (--name)",
          "mod\xE9");
  EXPECT_EQ(capture("mod\xE9", "--tokens t.json --name plain").status, 0);
}

TEST_F(CaptureBadInputTest, ModelsThatAreOtherFiles) {
  const std::string checkpoint = llama2c_checkpoint();
  const auto with_size = [&](std::size_t field, std::int32_t value) {
    std::string bytes = checkpoint;
    std::memcpy(bytes.data() + field * sizeof value, &value, sizeof value);
    return bytes;
  };
  const std::string size = std::to_string(checkpoint.size());
  const std::vector<std::tuple<const char*, std::string, std::string>> rows = {
      {"GEN-01", "", "m.bin: got 0 bytes; expected at least the 28 of a llama2.c header"},
      {"GEN-03", checkpoint.substr(0, 60), "m.bin: got 60 bytes; expected " + size},
      {"GEN-04", checkpoint + "x", "bytes; expected " + size},
      {"GEN-09 gguf", "GGUF" + checkpoint, "m.bin: got another format (this is a GGUF file); expected a llama2.c"},
      {"GEN-09 zip", "PK\x03\x04" + checkpoint, "this is a ZIP archive"},
      {"GEN-09 npy", "\x93NUMPY" + checkpoint, "this is a NumPy file"},
      {"GEN-09 pickle", "\x80\x02}q" + checkpoint, "this is a Python pickle"},
      {"GEN-09 json", R"({"model_type": "gpt2", "n_embd": 8})", "this is perhaps a JSON file"},
      {"GEN-09 safetensors", file_bytes(kValidHeader, zeros(8)), "this is perhaps a safetensors file"},
      {"claimed layers", with_size(2, 4096), "bytes; expected more than 65536 for the sizes in the header"},
      {"claimed vocabulary", with_size(5, 1 << 22), "got " + size + " bytes; expected "},
      {"claimed context", with_size(6, 1 << 20), "got " + size + " bytes; expected "},
      {"size negative", with_size(1, -4), "header: got hidden_dim -4; expected 1.."}};
  for (const auto& [id, bytes, message] : rows) {
    directory_.write("m.bin", bytes);
    refused(id, kMalformed, message, "m.bin");
  }
  refused("GEN-05", kMissing, "none: cannot open", "none");
  refused("GEN-06", kMalformed, "/dev/null: got a device; expected a regular file", "/dev/null");
}

TEST_F(CaptureBadInputTest, Tokenizers) {
  Llama2cSizes sizes;
  sizes.vocab_size = 300;
  directory_.write("m.bin", llama2c_checkpoint(sizes));
  directory_.write("text.txt", "hello");
  constexpr std::int32_t kLargest = std::numeric_limits<std::int32_t>::max();
  const auto bin = [](std::int32_t length) {  // longest piece, and the score and length of the first
    return raw_bytes<std::int32_t>({kLargest, 0, length}) + zeros(4096);
  };
  const std::vector<std::tuple<const char*, std::string, const char*>> rows = {
      {"GEN-01", "", "tokenizer: got 0 bytes; expected a tokenizer.bin"},
      {"claimed length", bin(kLargest), "token 0: got length 2147483647; expected at most the "},
      {"negative length", bin(-1), "token 0: got length -1"},
      {"truncated", bin(4000), "tokenizer: "}};
  for (const auto& [id, bytes, message] : rows) {
    directory_.write("tokenizer", bytes);
    refused(id, kMalformed, message, "m.bin", "--text text.txt --tokenizer tokenizer");
  }
  directory_.write("t.json", R"({"model": {"type": "WordPiece", "vocab": {}}})");
  refused("other model", kMalformed, "t.json:/model/type: got \"WordPiece\"; expected \"BPE\"", "m.bin",
          "--text text.txt --tokenizer t.json");
  refused("GEN-06", kMalformed, "/dev/zero: got a device", "m.bin", "--text text.txt --tokenizer /dev/zero");
}

TEST_F(CaptureBadInputTest, OutputsThatCannotBe) {
  const auto refused_output = [&](const char* output, const char* message) {
    const std::size_t num_entries = directory_.num_entries();
    const CommandResult result = run_guardbit("capture model --tokens t.json -o " + std::string(output),
                                              kLimit + ("cd " + directory_.path().string() + "; "));
    EXPECT_EQ(result.status, kCannotCreate) << output << result.err;
    EXPECT_NE(result.err.find(message), std::string::npos) << output << ": " << result.err;
    EXPECT_EQ(directory_.num_entries(), num_entries) << output;
  };
  refused_output("t.json", "t.json: is there and is not a directory");
  refused_output("model", "model: holds '");
  refused_output("t.json/out", "cannot create a directory beside it: Not a directory");
  EXPECT_EQ(content_of(directory_ / "t.json"), R"({"windows": [[1, 2, 3]]})");
}

}  // namespace
}  // namespace guardbit::tests
