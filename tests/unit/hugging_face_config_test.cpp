// config.json of every architecture: fields that say something else than the model are named with file and pointer.
#include "sim/trace/hugging_face_config.h"

#include <gtest/gtest.h>

#include "tests/support/expect_error.h"
#include "tests/support/hugging_face_model.h"

namespace guardbit::sim {
namespace {

using nlohmann::json;

transformer::ModelShape read(const json& config) {
  const JsonValue root = parse_json(config.dump(), "config.json");
  JsonProblems problems("config.json");
  transformer::ModelShape shape = read_hugging_face_shape(JsonCursor(root, problems));
  problems.throw_if_any();
  return shape;
}

/// The config of the first model of that type, with members replaced or (null pointer's text "remove") taken out.
json config_of(const std::string& model_type, const json& changes = json::object()) {
  for (const auto& model : tests::hugging_face_models()) {
    if (model.model_type != model_type) continue;
    json config = tests::hugging_face_config(model.random.shape, model_type);
    for (const auto& [key, value] : changes.items()) {
      if (value == "remove") {
        config.erase(key);
      } else {
        config[key] = value;
      }
    }
    return config;
  }
  throw std::runtime_error("no " + model_type);
}

struct BadField {
  const char* model_type;
  json changes;
  const char* message;
};

TEST(HuggingFaceConfigTest, WrongFieldsAreNamedWithFileAndPointer) {
  const std::vector<BadField> rows = {
      {"llama", {{"hidden_size", "remove"}}, "config.json:/hidden_size: got nothing; expected this key"},
      {"llama", {{"hidden_size", 0}}, "config.json:/hidden_size: got 0; expected an integer in 1.."},
      {"llama", {{"hidden_size", 32.5}}, "config.json:/hidden_size: got 32.5; expected an integer"},
      {"llama", {{"num_hidden_layers", 5000}}, "/num_hidden_layers: got 5000; expected an integer in 1..4096"},
      {"llama", {{"num_attention_heads", -1}}, "/num_attention_heads: got -1"},
      {"llama",
       {{"num_key_value_heads", 3}},
       "/num_key_value_heads: got 3; expected a divisor of num_attention_heads (4)"},
      {"llama", {{"head_dim", 7}}, "/head_dim: got 7; expected heads of an even size"},
      {"llama",
       {{"head_dim", "remove"}, {"num_attention_heads", 3}},
       "/num_attention_heads: got 3; expected a divisor of"},
      {"llama", {{"hidden_act", "mish"}}, "/hidden_act: got \"mish\"; expected one of: gelu_new"},
      {"llama", {{"rms_norm_eps", -1}}, "/rms_norm_eps: got -1"},
      {"llama", {{"rope_theta", 0}}, "/rope_theta: got 0"},
      {"llama", {{"tie_word_embeddings", 1}}, "/tie_word_embeddings: got 1"},
      {"llama",
       {{"rope_scaling", {{"rope_type", "yarn"}, {"factor", 4}}}},
       "/rope_scaling/rope_type: got \"yarn\"; expected one of: default, linear, llama3"},
      {"llama", {{"rope_scaling", {{"type", "linear"}}}}, "/rope_scaling/factor: got nothing; expected this key"},
      {"llama", {{"rope_scaling", {{"type", "linear"}, {"factor", 0.5}}}}, "/rope_scaling/factor: got 0.5"},
      {"llama", {{"rope_parameters", {{"rope_type", "dynamic"}}}}, "/rope_parameters/rope_type: got \"dynamic\""},
      {"llama",
       {{"rope_scaling",
         {{"rope_type", "llama3"},
          {"factor", 8},
          {"low_freq_factor", 4},
          {"high_freq_factor", 4},
          {"original_max_position_embeddings", 64}}}},
       "/rope_scaling/high_freq_factor: got 4; expected more than low_freq_factor"},
      {"llama", {{"partial_rotary_factor", 0.5}}, "/partial_rotary_factor: got 0.5; expected 1"},
      {"mistral", {{"num_key_value_heads", "remove"}}, "/num_key_value_heads: got nothing"},
      {"qwen3", {{"head_dim", "remove"}}, "/head_dim: got nothing"},
      {"qwen2", {{"layer_types", {"full_attention", "linear_attention"}}}, "/layer_types/1: got \"linear_attention\""},
      {"opt", {{"word_embed_proj_dim", 16}}, "/word_embed_proj_dim: got 16; expected hidden_size (32); projected"},
      {"opt", {{"do_layer_norm_before", false}}, "/do_layer_norm_before: got false; expected true"},
      {"opt", {{"enable_bias", false}}, "/enable_bias: got false; expected true"},
      {"opt", {{"ffn_dim", "remove"}}, "/ffn_dim: got nothing"},
      {"bert", {{"position_embedding_type", "relative_key"}}, "/position_embedding_type: got \"relative_key\""},
      {"bert", {{"type_vocab_size", 1}}, "/type_vocab_size: got 1; expected 2"},
      {"bert", {{"is_decoder", true}}, "/is_decoder: got true; expected false"},
      {"gpt2",
       {{"model_type", "t5"}},
       "/model_type: got \"t5\"; expected one of: bert, gpt2, llama, mistral, opt, qwen2, qwen3"},
      {"gpt2", {{"model_type", "remove"}}, "/model_type: got nothing; expected this key"},
  };
  for (const BadField& row : rows) {
    EXPECT_TRUE(tests::refuses([&] { (void)read(config_of(row.model_type, row.changes)); }, ExitCode::kMalformedInput,
                               row.message))
        << row.changes.dump();
  }
}

TEST(HuggingFaceConfigTest, EveryProblemIsReportedInOneRun) {
  try {
    (void)read(config_of("llama", {{"hidden_size", 0}, {"vocab_size", "x"}, {"hidden_act", "mish"}}));
    FAIL() << "accepted";
  } catch (const UserError& error) {
    const std::string message = error.what();
    for (const char* const pointer : {"/hidden_size:", "/vocab_size:", "/hidden_act:"}) {
      EXPECT_NE(message.find(pointer), std::string::npos) << message;
    }
  }
}

TEST(HuggingFaceConfigTest, ValuesThatAreRefusedContradictNoOthers) {
  const auto problems_of = [](const json& changes) -> std::string {
    try {
      (void)read(config_of("llama", changes));
    } catch (const UserError& error) {
      return error.what();
    }
    return "accepted";
  };
  const std::string hidden = problems_of({{"hidden_size", -64}, {"head_dim", "remove"}});
  EXPECT_NE(hidden.find("/hidden_size: got -64"), std::string::npos) << hidden;
  EXPECT_EQ(hidden.find("heads"), std::string::npos) << hidden;
  const std::string heads = problems_of({{"num_attention_heads", "four"}, {"num_key_value_heads", 2}});
  EXPECT_NE(heads.find("/num_attention_heads: got \"four\""), std::string::npos) << heads;
  EXPECT_EQ(heads.find("num_key_value_heads"), std::string::npos) << heads;
}

TEST(HuggingFaceConfigTest, SlidingWindowsLimitTheContext) {
  EXPECT_EQ(read(config_of("mistral", {{"sliding_window", 5}})).context_length, 5);
  EXPECT_EQ(read(config_of("mistral", {{"sliding_window", 4096}})).context_length, 12);
  EXPECT_EQ(read(config_of("mistral", {{"sliding_window", nullptr}})).context_length, 12);
  EXPECT_EQ(read(config_of("qwen2", {{"sliding_window", 5}})).context_length, 12) << "not used";
  EXPECT_EQ(read(config_of("qwen2", {{"sliding_window", 5}, {"use_sliding_window", true}})).context_length, 5);
  EXPECT_EQ(read(config_of("qwen3", {{"sliding_window", 5}, {"layer_types", {"full_attention", "sliding_attention"}}}))
                .context_length,
            5);
}

TEST(HuggingFaceConfigTest, DefaultsAreHuggingFaces) {
  const auto gpt2 = read(
      {{"model_type", "gpt2"}, {"n_embd", 8}, {"n_layer", 1}, {"n_head", 2}, {"n_positions", 4}, {"vocab_size", 5}});
  EXPECT_EQ(gpt2.intermediate_size, 32);
  EXPECT_EQ(gpt2.norm_epsilon, 1e-5);
  EXPECT_TRUE(gpt2.tied_head);
  const json sizes = {{"hidden_size", 8},
                      {"num_hidden_layers", 1},
                      {"num_attention_heads", 2},
                      {"max_position_embeddings", 4},
                      {"vocab_size", 5},
                      {"intermediate_size", 16},
                      {"ffn_dim", 16}};
  const auto with_type = [&](const char* type) {
    json config = sizes;
    config["model_type"] = type;
    return read(config);
  };
  const auto llama = with_type("llama");
  EXPECT_EQ(llama.num_kv_heads, 2);
  EXPECT_EQ(llama.norm_epsilon, 1e-6);
  EXPECT_EQ(llama.rope_theta, 10000);
  EXPECT_EQ(llama.rope_pairs, units::RopePairs::kHalves);
  EXPECT_FALSE(llama.tied_head || llama.qkv_bias || llama.mlp_bias || llama.qk_norm);
  EXPECT_EQ(with_type("opt").activation, transformer::ActivationKind::kRelu);
  EXPECT_EQ(with_type("bert").norm_epsilon, 1e-12);
  EXPECT_EQ(with_type("bert").activation, transformer::ActivationKind::kGelu);
  EXPECT_EQ(read(config_of("llama", {{"rope_theta", "remove"},
                                     {"rope_parameters", {{"rope_type", "default"}, {"rope_theta", 5e5}}}}))
                .rope_theta,
            5e5);
}

}  // namespace
}  // namespace guardbit::sim
