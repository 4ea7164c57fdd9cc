// Names of calibration methods and variants: what is accepted, in which order it is applied, what is refused how.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "models/calibration/method.h"
#include "models/transformer/family.h"
#include "tests/support/random_models.h"

namespace guardbit::calibration {
namespace {

transformer::Model<double> any_model() { return transformer::convert<double>(tests::random_models().front().build()); }

std::string message_of(const std::string& variant) {
  transformer::Model<double> model = any_model();
  try {
    apply_variant(variant, model, {});
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "no error";
}

TEST(VariantTest, RegistryIsSortedAndFinds) {
  std::vector<std::string> names;
  for (const Method& method : methods()) {
    names.emplace_back(method.name);
    EXPECT_EQ(find_method(method.name), &method);
    EXPECT_FALSE(method.summary.empty());
  }
  EXPECT_THAT(names, testing::ElementsAre("dynamic_norm", "none", "rotate", "rrs", "rs", "slanc", "slanc_residual"));
  EXPECT_EQ(find_method("gptq"), nullptr);
}

TEST(VariantTest, OrderOfWritingDoesNotMatter) {
  for (const auto& [one, other] :
       std::vector<std::pair<std::string, std::string>>{{"slanc+rrs", "rrs+slanc"},
                                                        {"slanc_residual+rotate+rs", "rs+rotate+slanc_residual"},
                                                        {"rrs", "rs+rotate"}}) {
    transformer::Model<double> first = any_model();
    transformer::Model<double> second = any_model();
    apply_variant(one, first, {});
    apply_variant(other, second, {});
    EXPECT_EQ(first.ops, second.ops) << one << " and " << other;
    EXPECT_EQ(first.weights, second.weights) << one << " and " << other;
  }
}

/// What the method refuses a model with; "" if it takes it.
template <class Rewrite>
std::string refusal(const Rewrite& rewrite) {
  try {
    rewrite();
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "";
}

TEST(VariantTest, OutlinesHaveTheOpsAndShapesOfTheRewrittenModel) {
  for (const tests::RandomModel& source : tests::all_random_models()) {
    for (const Method& method : methods()) {
      for (const bool smooth_qkv : {false, true}) {
        const CalibrationOptions options{.smooth_qkv = smooth_qkv};
        transformer::Model<float> applied = source.build();
        transformer::Model<float> outlined = applied;
        for (auto& [name, weight] : outlined.weights) {
          weight = numerics::Matrix<float>::outline(weight.rows(), weight.cols());
        }
        const std::string refused = refusal([&] { apply_variant(method.name, applied, options); });
        EXPECT_EQ(refusal([&] { outline_variant(method.name, outlined, options); }), refused) << method.name;
        if (!refused.empty()) continue;
        for (transformer::Op& op : applied.ops) {
          op.input_scale = 1;
          op.predicted_norm = 0;
        }
        EXPECT_EQ(outlined.ops, applied.ops) << source.label << " " << method.name;
        for (const transformer::Op& op : applied.ops) {
          for (const std::string& key : {op.weight, op.bias}) {
            if (key.empty()) continue;
            EXPECT_EQ(outlined.weights.at(key).rows(), applied.weights.at(key).rows()) << key;
            EXPECT_EQ(outlined.weights.at(key).cols(), applied.weights.at(key).cols()) << key;
          }
        }
      }
    }
  }
}

TEST(VariantTest, OnlyExactNormScalesNeedWeightsForTheTime) {
  EXPECT_FALSE(time_needs_weights("slanc+rrs", {.pow2_scales = true}));
  EXPECT_TRUE(time_needs_weights("rrs+slanc", {.pow2_scales = false}));
  EXPECT_TRUE(time_needs_weights("slanc_residual", {.pow2_scales = false}));
  EXPECT_FALSE(time_needs_weights("dynamic_norm", {.pow2_scales = false}));
  EXPECT_FALSE(time_needs_weights("rrs", {.pow2_scales = false}));
}

TEST(VariantTest, SlancReadsTheWeightsBeforeRotation) {
  transformer::Model<double> late = any_model();
  apply_variant("rotate", late, {});
  apply_variant("slanc", late, {.pow2_scales = false});
  transformer::Model<double> combined = any_model();
  apply_variant("rotate+slanc", combined, {.pow2_scales = false});
  EXPECT_NE(late.ops, combined.ops) << "rotation is meant to change what slanc computes from gamma and W_V";
}

TEST(VariantTest, UnknownPartsAreNamedWithTheKnownOnes) {
  EXPECT_EQ(message_of("slanc+rss"),
            "variant \"slanc+rss\": no method \"rss\"; known: dynamic_norm, none, rotate, rrs, rs, slanc, "
            "slanc_residual; did you mean "
            "\"rrs\"?");
  EXPECT_THAT(message_of("quarot_gptq"), testing::Not(testing::HasSubstr("did you mean")));
  EXPECT_THAT(message_of("rotat"), testing::HasSubstr("did you mean \"rotate\"?"));
  EXPECT_THAT(message_of(""), testing::HasSubstr("no method \"\""));
  EXPECT_THAT(message_of("rrs+"), testing::HasSubstr("no method \"\""));
}

TEST(VariantTest, PartsThatExcludeOneAnotherAreRefused) {
  for (const std::string variant : {"slanc+slanc_residual", "rotate+rrs", "rs+rrs", "slanc+slanc", "none+rrs",
                                    "slanc+none", "none+none", "slanc+dynamic_norm", "slanc+rotate+rrs"})
    EXPECT_THAT(message_of(variant), testing::HasSubstr("exclude one another")) << variant;
}

TEST(VariantTest, ARefusedVariantLeavesTheModelAlone) {
  transformer::Model<double> model = any_model();
  EXPECT_THROW(apply_variant("rotate+nonsense", model, {}), std::invalid_argument);
  EXPECT_EQ(model.weights, any_model().weights);
}

}  // namespace
}  // namespace guardbit::calibration
