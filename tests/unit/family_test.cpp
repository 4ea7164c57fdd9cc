// Op lists and names of the model families (the contract of family.h), and the errors of their builders.
#include "models/transformer/family.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "tests/support/random_models.h"

namespace guardbit::transformer {
namespace {

std::vector<std::string> names_of(const Model<float>& model) {
  std::vector<std::string> names;
  for (const Op& op : model.ops) names.push_back(op.name);
  return names;
}

TEST(FamilyTest, Gpt2OpsAreInOrder) {
  ModelShape shape = tests::make_shape("gpt2", 8, 2, 2, 4, 16);
  shape.num_layers = 1;
  EXPECT_THAT(
      names_of(tests::RandomModel{"", shape, 1}.build()),
      testing::ElementsAre("embed", "layers.0.attn_norm", "layers.0.attn.q", "layers.0.attn.k", "layers.0.attn.v",
                           "layers.0.attn.scores", "layers.0.attn.softmax", "layers.0.attn.values", "layers.0.attn.o",
                           "layers.0.attn_residual", "layers.0.mlp_norm", "layers.0.mlp.up", "layers.0.mlp.act",
                           "layers.0.mlp.down", "layers.0.mlp_residual", "final_norm", "head"));
}

TEST(FamilyTest, LlamaOpsAreInOrder) {
  ModelShape shape = tests::make_shape("llama", 8, 2, 1, 4, 16);
  shape.num_layers = 1;
  EXPECT_THAT(
      names_of(tests::RandomModel{"", shape, 1}.build()),
      testing::ElementsAre("embed", "layers.0.attn_norm", "layers.0.attn.q", "layers.0.attn.k", "layers.0.attn.v",
                           "layers.0.attn.rope_q", "layers.0.attn.rope_k", "layers.0.attn.scores",
                           "layers.0.attn.softmax", "layers.0.attn.values", "layers.0.attn.o", "layers.0.attn_residual",
                           "layers.0.mlp_norm", "layers.0.mlp.gate", "layers.0.mlp.up", "layers.0.mlp.act",
                           "layers.0.mlp.down", "layers.0.mlp_residual", "final_norm", "head"));
}

TEST(FamilyTest, BertOpsAreInOrder) {
  ModelShape shape = tests::make_shape("bert", 8, 2, 2, 4, 16);
  shape.num_layers = 1;
  EXPECT_THAT(names_of(tests::RandomModel{"", shape, 1}.build()),
              testing::ElementsAre("embed", "embed_norm", "layers.0.attn.q", "layers.0.attn.k", "layers.0.attn.v",
                                   "layers.0.attn.scores", "layers.0.attn.softmax", "layers.0.attn.values",
                                   "layers.0.attn.o", "layers.0.attn_residual", "layers.0.attn_norm", "layers.0.mlp.up",
                                   "layers.0.mlp.act", "layers.0.mlp.down", "layers.0.mlp_residual",
                                   "layers.0.mlp_norm", "head.dense", "head.act", "head.norm", "head"));
}

TEST(FamilyTest, OutlinesGiveTheModelsOpsAndShapes) {
  for (const tests::RandomModel& source : tests::all_random_models()) {
    const Model<float> model = source.build();
    const Model<float> outline = find_family(source.shape.family)
                                     ->build(source.shape, [](const std::string&, std::size_t rows, std::size_t cols) {
                                       return Matrix<float>::outline(rows, cols);
                                     });
    EXPECT_EQ(outline.ops, model.ops) << source.label;
    ASSERT_EQ(outline.weights.size(), model.weights.size()) << source.label;
    for (const auto& [name, weight] : model.weights) {
      const Matrix<float>& shape = outline.weights.at(name);
      EXPECT_TRUE(shape.is_outline()) << source.label << " " << name;
      EXPECT_EQ(shape.rows(), weight.rows()) << source.label << " " << name;
      EXPECT_EQ(shape.cols(), weight.cols()) << source.label << " " << name;
    }
  }
}

TEST(FamilyTest, NormsOfHeadsStandBeforeTheRotation) {
  ModelShape shape = tests::make_shape("llama", 8, 2, 1, 4, 16);
  shape.num_layers = 1;
  shape.qk_norm = true;
  const Model<float> model = tests::RandomModel{"", shape, 1}.build();
  EXPECT_THAT(names_of(model), testing::IsSupersetOf({"layers.0.attn.q_norm", "layers.0.attn.k_norm"}));
  for (const Op& op : model.ops) {
    EXPECT_EQ(op.norm_size, op.name.ends_with("q_norm") || op.name.ends_with("k_norm") ? 4 : 0) << op.name;
    if (op.name == "layers.0.attn.rope_k") {
      EXPECT_EQ(op.inputs, std::vector<std::string>{"layers.0.attn.k_norm"});
    }
  }
}

TEST(FamilyTest, EveryInputIsAnEarlierOutputAndEveryWeightIsUsedOnce) {
  for (const tests::RandomModel& random : tests::all_random_models()) {
    const Model<float> model = random.build();
    std::set<std::string> outputs;
    std::set<std::string> weights;
    for (const Op& op : model.ops) {
      for (const std::string& input : op.inputs) EXPECT_TRUE(outputs.contains(input)) << op.name << " reads " << input;
      EXPECT_EQ(op.output, op.name);
      EXPECT_TRUE(outputs.insert(op.output).second) << op.name;
      for (const std::string& key : {op.weight, op.bias}) {
        if (key.empty()) continue;
        EXPECT_TRUE(model.weights.contains(key) && weights.insert(key).second) << key;
      }
      EXPECT_EQ(op.operand_class, op.name == "head" || op.name == "head.dense"               ? OperandClass::kHead
                                  : op.kind == OpKind::kScores || op.kind == OpKind::kValues ? OperandClass::kAttention
                                                                                             : OperandClass::kLinear);
    }
    EXPECT_EQ(weights.size(), model.weights.size()) << random.label;
  }
}

TEST(FamilyTest, TiedHeadIsACopyOfTheTable) {
  for (const tests::RandomModel& random : tests::random_models()) {
    const Model<float> model = random.build();
    EXPECT_EQ(model.weights.at("head.weight") == model.weights.at("embed.tokens"), random.shape.tied_head)
        << random.label;
  }
}

TEST(FamilyTest, RegistryIsSortedAndFinds) {
  std::vector<std::string> names;
  for (const Family& family : families()) {
    names.emplace_back(family.name);
    EXPECT_EQ(find_family(family.name), &family);
    EXPECT_FALSE(family.summary.empty());
  }
  EXPECT_THAT(names, testing::ElementsAre("bert", "gpt2", "llama", "opt"));
  EXPECT_EQ(find_family("t5"), nullptr);
}

TEST(FamilyTest, BadShapesNameFieldValueAndRule) {
  const auto message_of = [](const ModelShape& shape) -> std::string {
    try {
      tests::RandomModel{"", shape, 1}.build();
    } catch (const std::invalid_argument& error) {
      return error.what();
    }
    return "no error";
  };
  EXPECT_EQ(message_of(tests::make_shape("llama", 8, 4, 3, 4, 16)),
            "model shape: num_kv_heads is 3; expected a divisor of num_heads");
  EXPECT_THAT(message_of(tests::make_shape("gpt2", 8, 4, 2, 4, 16)), testing::HasSubstr("num_kv_heads is 2"));
  EXPECT_THAT(message_of(tests::make_shape("llama", 8, 2, 2, 3, 16)), testing::HasSubstr("head_size is 3"));
  EXPECT_THAT(message_of(tests::make_shape("gpt2", 0, 2, 2, 4, 16)), testing::HasSubstr("hidden_size is 0"));
}

}  // namespace
}  // namespace guardbit::transformer
