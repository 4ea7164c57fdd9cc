// Hugging Face directories of every architecture, through config.json and safetensors to a trace: the model that comes
// out is the one that was written, bit for bit.
#include <gtest/gtest.h>

#include <cmath>

#include "models/transformer/reference.h"
#include "sim/trace/model_import.h"
#include "tests/support/expect_error.h"
#include "tests/support/hugging_face_model.h"

namespace guardbit::sim {
namespace {

namespace fs = std::filesystem;
using tests::HuggingFaceModel;
using tests::refuses;
using tests::StoredAs;

/// A window over the whole context, as capture() wants it.
std::string window_json(const transformer::ModelShape& shape) {
  std::vector<int> tokens = tests::random_tokens(shape, 7);
  if (transformer::is_causal(shape)) tokens.push_back(1);
  return nlohmann::json{{"windows", {tokens}}}.dump();
}

class ImportFamiliesTest : public testing::TestWithParam<int> {
 protected:
  HuggingFaceModel model_ = tests::hugging_face_models().at(static_cast<std::size_t>(GetParam()));
  tests::TemporaryDirectory directory_;
};

TEST_P(ImportFamiliesTest, GivesTheModelThatWasWrittenInEveryElementType) {
  for (const StoredAs type : {StoredAs::kF32, StoredAs::kF16, StoredAs::kBf16}) {
    const fs::path source = write_hugging_face(directory_, "model", model_, type);
    EXPECT_EQ(import_model(source).shape, model_.random.shape);
    const fs::path tokens = directory_.write("t.json", window_json(model_.random.shape));
    capture(source, tokens, directory_ / "trace");
    const Trace trace = load_trace(directory_ / "trace");
    EXPECT_EQ(trace.shape, model_.random.shape);
    const transformer::Model<float> loaded = load_model(trace);
    EXPECT_NO_THROW(verify_trace(trace, loaded));

    const tests::PlainTensors tensors = checkpoint_tensors(model_.random, type);
    const transformer::Model<float> written =
        transformer::find_family(model_.random.shape.family)
            ->build(model_.random.shape, [&](const std::string& name, std::size_t rows, std::size_t cols) {
              return numerics::Matrix<float>(rows, cols, tensors.at(name).values);
            });
    EXPECT_TRUE(loaded.ops == written.ops);
    EXPECT_TRUE(loaded.weights == written.weights);
    if (!transformer::is_causal(trace.shape)) continue;
    const auto wide = transformer::convert<double>(written);
    const std::vector<int>& ids = trace.windows.at(0).tokens;
    const auto inputs = std::span(ids).first(ids.size() - 1);
    const double nll = transformer::negative_log_likelihood(transformer::run_reference(wide, inputs).at("head"),
                                                            std::span(ids).subspan(1));
    EXPECT_NEAR(trace.windows.at(0).reference_nll, nll, 1e-5 * nll);
  }
}

TEST_P(ImportFamiliesTest, ShardsAreTheSameModel) {
  const fs::path single = write_hugging_face(directory_, "single", model_, StoredAs::kF16);
  const tests::PlainTensors tensors = checkpoint_tensors(model_.random, StoredAs::kF16);
  std::vector<tests::PlainTensors> shards(3);
  nlohmann::json map;
  std::size_t index = 0;
  for (const auto& [name, tensor] : tensors) {
    map[name] = "part-" + std::to_string(index % 3) + ".safetensors";
    shards[index++ % 3][name] = tensor;
  }
  fs::create_directory(directory_ / "sharded");
  fs::copy_file(single / "config.json", directory_ / "sharded/config.json");
  for (std::size_t i = 0; i < shards.size(); ++i)
    directory_.write("sharded/part-" + std::to_string(i) + ".safetensors",
                     tests::safetensors_bytes(shards[i], i == 0 ? StoredAs::kF32 : StoredAs::kF16));
  directory_.write("sharded/model.safetensors.index.json",
                   nlohmann::json{{"metadata", {{"total_size", 1}}}, {"weight_map", map}}.dump());
  const fs::path tokens = directory_.write("t.json", window_json(model_.random.shape));
  capture(single, tokens, directory_ / "a");
  capture(directory_ / "sharded", tokens, directory_ / "b");
  const Trace trace = load_trace(directory_ / "b");
  EXPECT_TRUE(load_model(trace).weights == load_model(load_trace(directory_ / "a")).weights);
  EXPECT_EQ(trace.sources.size(), 6u) << "config, three shards, index, tokens";
  EXPECT_EQ(trace.windows.at(0).reference_nll, load_trace(directory_ / "a").windows.at(0).reference_nll);
}

TEST_P(ImportFamiliesTest, TensorsThatTheModelDoesNotUseAreRefused) {
  write_hugging_face(directory_, "model", model_);
  tests::PlainTensors tensors = checkpoint_tensors(model_.random);
  tensors["model.layers.0.self_attn.extra.bias"] = {{1}, {0.5F}};
  directory_.write("model/model.safetensors", tests::safetensors_bytes(tensors));
  const fs::path tokens = directory_.write("t.json", window_json(model_.random.shape));
  EXPECT_TRUE(refuses([&] { capture(directory_ / "model", tokens, directory_ / "trace"); }, ExitCode::kMalformedInput,
                      "model: got tensor 'model.layers.0.self_attn.extra.bias', which the described"));
}

TEST_P(ImportFamiliesTest, MissingTensorsAndOtherShapesAreNamed) {
  write_hugging_face(directory_, "model", model_);
  const tests::PlainTensors all = checkpoint_tensors(model_.random);
  const fs::path tokens = directory_.write("t.json", window_json(model_.random.shape));
  for (const auto& [name, tensor] : all) {
    tests::PlainTensors tensors = all;
    tensors.erase(name);
    // Without its dense layer an encoder has no head at all, and the rest of the head is what nobody uses.
    const bool is_switch = name.starts_with("cls.predictions.transform.dense.weight");
    directory_.write("model/model.safetensors", tests::safetensors_bytes(tensors));
    EXPECT_TRUE(refuses([&] { capture(directory_ / "model", tokens, directory_ / "trace"); }, ExitCode::kMalformedInput,
                        is_switch ? "which the described" : "no tensor '" + name + "'"));
    tensors[name] = {{tensor.values.size() + 1}, std::vector<float>(tensor.values.size() + 1)};
    directory_.write("model/model.safetensors", tests::safetensors_bytes(tensors));
    EXPECT_TRUE(refuses([&] { capture(directory_ / "model", tokens, directory_ / "trace"); }, ExitCode::kMalformedInput,
                        "tensor '" + name + "': got shape ["));
  }
}

INSTANTIATE_TEST_SUITE_P(All, ImportFamiliesTest,
                         testing::Range(0, static_cast<int>(tests::hugging_face_models().size())), [](const auto& row) {
                           const auto model = tests::hugging_face_models().at(static_cast<std::size_t>(row.param));
                           return model.model_type + std::to_string(row.param);
                         });

TEST(ImportNamesTest, InnerModelsAndOldNormNamesAreUnderstood) {
  const tests::TemporaryDirectory directory;
  for (const HuggingFaceModel& model : tests::hugging_face_models()) {
    const transformer::Family& family = *transformer::find_family(model.random.shape.family);
    tests::PlainTensors renamed;
    for (const auto& [name, tensor] : checkpoint_tensors(model.random)) {
      std::string stored = name.starts_with(family.optional_prefix) ? name.substr(family.optional_prefix.size()) : name;
      for (const auto& [now, then] :
           {std::pair{"LayerNorm.weight", "LayerNorm.gamma"}, {"LayerNorm.bias", "LayerNorm.beta"}})
        if (stored.ends_with(now)) stored.replace(stored.size() - std::strlen(now), std::strlen(now), then);
      renamed[stored] = tensor;
    }
    for (const std::string_view part : family.unused_tensors) renamed["h.0" + std::string(part) + "x"] = {{1}, {1.0F}};
    if (model.random.shape.tied_head) renamed[std::string(family.head_weight)] = {{1}, {1.0F}};
    write_hugging_face(directory, "model", model);
    directory.write("model/model.safetensors", tests::safetensors_bytes(renamed));
    capture(directory / "model", directory.write("t.json", window_json(model.random.shape)), directory / "trace");
    EXPECT_TRUE(load_model(load_trace(directory / "trace")).weights == model.random.build().weights)
        << model.model_type;
  }
}

TEST(ImportNonfiniteTest, IsRefusedUnlessAllowed) {
  const tests::TemporaryDirectory directory;
  HuggingFaceModel model = tests::hugging_face_models().at(4);  // an untied head
  write_hugging_face(directory, "model", model);
  tests::PlainTensors tensors = checkpoint_tensors(model.random);
  const std::size_t hidden = static_cast<std::size_t>(model.random.shape.hidden_size);
  tensors["model.embed_tokens.weight"].values[22 * hidden + 3] = INFINITY;
  directory.write("model/model.safetensors", tests::safetensors_bytes(tensors));
  const fs::path tokens = directory.write("t.json", R"({"windows": [[0, 1, 2]]})");
  EXPECT_TRUE(refuses([&] { capture(directory / "model", tokens, directory / "trace"); }, ExitCode::kMalformedInput,
                      "tensor 'model.embed_tokens.weight': got inf at (22, 3); expected finite values"));
  CaptureOptions options;
  options.on_nonfinite = OnNonfinite::kCount;
  EXPECT_EQ(capture(directory / "model", tokens, directory / "trace", options), 1u);
  options.on_nonfinite = OnNonfinite::kPropagate;
  EXPECT_EQ(capture(directory / "model", tokens, directory / "trace", options), 0u) << "not asked for";
  const Trace trace = load_trace(directory / "trace");
  EXPECT_TRUE(trace.allow_nonfinite);
  EXPECT_EQ(load_model(trace).weights.at("embed.tokens")(22, 3), INFINITY);
  const fs::path used = directory.write("u.json", R"({"windows": [[22, 1, 2]]})");
  EXPECT_TRUE(refuses([&] { capture(directory / "model", used, directory / "other", options); },
                      ExitCode::kMalformedInput, "the fp32 forward of window 0 is not finite; expected finite logits"));
}

}  // namespace
}  // namespace guardbit::sim
