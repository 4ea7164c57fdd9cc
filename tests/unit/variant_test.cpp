// Names of calibration methods and variants: what is accepted, in which order it is applied, what is refused how.
#include "models/calibration/variant.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "models/calibration/calibration_data.h"
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
  EXPECT_TRUE(std::is_sorted(names.begin(), names.end()));
  EXPECT_THAT(names, testing::IsSupersetOf({"dynamic_norm", "none", "rotate", "rrs", "rs", "slanc", "slanc_residual"}));
  EXPECT_EQ(find_method("gguf"), nullptr);
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

std::string known_methods() {
  std::string names;
  for (const Method& method : methods()) names += (names.empty() ? "" : ", ") + std::string(method.name);
  return names;
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
        const CalibrationData data{{tests::random_tokens(source.shape, 1)}, {}};
        const CalibrationOptions options{.smooth_qkv = smooth_qkv, .weight_bits = smooth_qkv ? 4 : 0, .data = &data};
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
            "variant \"slanc+rss\": no method \"rss\"; known: " + known_methods() + "; did you mean \"rrs\"?");
  EXPECT_THAT(message_of("quarot_gguf"), testing::Not(testing::HasSubstr("did you mean")));
  EXPECT_THAT(message_of("rotat"), testing::HasSubstr("did you mean \"rotate\"?"));
  EXPECT_THAT(message_of("SLANC"), testing::HasSubstr("did you mean \"slanc\"?"));
  EXPECT_THAT(message_of("w"), testing::Not(testing::HasSubstr("did you mean"))) << "all of it would be wrong";
}

TEST(VariantTest, NothingIsNoVariantAndNoPart) {
  EXPECT_EQ(message_of(""), "variant \"\": got nothing; expected methods and widths, or none: the model as it is");
  for (const std::string variant : {"rrs+", "+rrs", "w4++a4"}) {
    EXPECT_EQ(message_of(variant), "variant \"" + variant + "\": got nothing beside a +; expected a method or widths");
  }
}

TEST(VariantTest, StaticSpelledOtherwiseIsSuggested) {
  for (const auto& [text, meant] : std::vector<std::pair<std::string, std::string>>{
           {"STATIC", "static"}, {"rrs+statc", "static"}, {"a8static", "a8+static"}, {"w8A8_static", "w8a8+static"}}) {
    EXPECT_THAT(message_of(text), testing::EndsWith("; did you mean \"" + meant + "\"?")) << text;
  }
}

TEST(VariantTest, PartsThatExcludeOneAnotherAreRefused) {
  for (const std::string variant : {"slanc+slanc_residual", "rotate+rrs", "rs+rrs", "slanc+slanc", "none+rrs",
                                    "slanc+none", "none+none", "slanc+dynamic_norm", "slanc+rotate+rrs"})
    EXPECT_THAT(message_of(variant), testing::HasSubstr("exclude one another")) << variant;
}

TEST(VariantTest, CanonicalTextIsInTheOrderOfApplicationWithoutDefaults) {
  for (const auto& [text, canonical] :
       std::vector<std::pair<std::string, std::string>>{{"none", "none"},
                                                        {"slanc+rrs", "slanc+rrs"},
                                                        {"rrs+slanc", "slanc+rrs"},
                                                        {"gptq(act_order)+w4+rrs", "rrs+gptq(act_order)+w4"},
                                                        {"awq+rotate+slanc", "slanc+rotate+awq"},
                                                        {"rrs(qkv)", "rrs(qkv)"},
                                                        {"rrs(qkv=true)", "rrs(qkv)"},
                                                        {"rrs(qkv=false)", "rrs"},
                                                        {"rrs()", "rrs"},
                                                        {"slanc(target=8.0)", "slanc(target=8)"},
                                                        {"slanc(target=1)", "slanc(target=1)"},
                                                        {"gptq(damp=-0)", "gptq(damp=0)"},
                                                        {"w4a4kv4", "w4a4kv4"},
                                                        {"kv8+rrs+a8", "rrs+a8kv8"},
                                                        {"none+kv16a16w16", "none+w16a16kv16"},
                                                        {"w4a16_fp16", "w4a16_fp16"},
                                                        {"static+a8+w8", "w8a8+static"},
                                                        {"static+rtn(asym)", "rtn(asym)+static"},
                                                        {"rrs(qkv)+a4+w4", "rrs(qkv)+w4a4"}}) {
    const Variant variant = parse_variant(text);
    EXPECT_EQ(variant.canonical_text(), canonical) << text;
    EXPECT_EQ(parse_variant(canonical).canonical_text(), canonical) << "canonical text is a fixed point";
    EXPECT_EQ(parse_variant(canonical).widths, variant.widths) << text;
  }
}

TEST(VariantTest, WidthsAreTheOnesWritten) {
  const Variant variant = parse_variant("rrs+w4a8kv16");
  EXPECT_EQ(variant.widths, (VariantWidths{.weight = 4, .activation = 8, .kv_cache = 16}));
  EXPECT_EQ(parse_variant("none").widths, VariantWidths{});
  EXPECT_EQ(parse_variant("w3").widths, VariantWidths{.weight = 3});
  EXPECT_TRUE(parse_variant("w4a16_fp16").widths.fp16_codes);
}

TEST(VariantTest, ArgumentsReachTheMethod) {
  const auto smooths_queries = [](const std::string& variant) {
    transformer::Model<double> model = any_model();
    apply_variant(variant, model, {});
    return std::any_of(model.ops.begin(), model.ops.end(),
                       [](const transformer::Op& op) { return op.name.ends_with(".attn.q") && op.smooth; });
  };
  EXPECT_FALSE(smooths_queries("rs"));
  EXPECT_TRUE(smooths_queries("rs(qkv)"));
  EXPECT_FALSE(smooths_queries("rrs(qkv=false)"));

  const auto last_scale = [](const std::string& variant, double target) {
    transformer::Model<double> model = any_model();
    apply_variant(variant, model, {.target_norm = target});
    double scale = 0;
    for (const transformer::Op& op : model.ops)
      if (op.kind == transformer::OpKind::kNorm && op.norm_size == 0) scale = op.input_scale;
    return scale;
  };
  EXPECT_EQ(last_scale("slanc(target=8)", 1), last_scale("slanc", 8));
  EXPECT_EQ(last_scale("slanc(target=8)", 4), last_scale("slanc", 8));
  EXPECT_NE(last_scale("slanc(target=8)", 1), last_scale("slanc", 1));
}

TEST(VariantTest, WrongArgumentsAndWidthsAreRefusedWithTheVariantNamed) {
  for (const auto& [variant, problem] : std::vector<std::pair<std::string, std::string>>{
           {"rrs(qk)", "rrs: no argument \"qk\"; known: qkv; did you mean \"qkv\"?"},
           {"none(x=1)", "none: no argument \"x\"; known: none"},
           {"rrs(qkv,qkv)", "rrs: argument \"qkv\" is given twice"},
           {"rrs(qkv=yes)", "rrs: argument \"qkv\": got \"yes\"; expected true or false"},
           {"slanc(target)", "slanc: argument \"target\": got no value; expected a number 1e-06..1e+06"},
           {"slanc(target=)", "slanc: argument \"target\": got \"\"; expected a number 1e-06..1e+06"},
           {"slanc(target=0)", "slanc: argument \"target\": got \"0\"; expected a number 1e-06..1e+06"},
           {"slanc(target=nan)", "slanc: argument \"target\": got \"nan\"; expected a number 1e-06..1e+06"},
           {"slanc(target=1x)", "slanc: argument \"target\": got \"1x\"; expected a number 1e-06..1e+06"},
           {"slanc(,)", "slanc: no argument \"\"; known: target"},
           {"rtn(tensor,group=4)", "rtn: got both tensor and group; expected one of them"},
           {"rrs(qkv", "got \"rrs(qkv\"; expected name or name(argument,...)"},
           {"rrs(qkv)x", "got \"rrs(qkv)x\"; expected name or name(argument,...)"},
           {"rrs((qkv))", "got \"rrs((qkv))\"; expected name or name(argument,...)"},
           {"rrs)", "no method \"rrs)\""},
           {"w1", "got width w1; expected w2 to w8, or w16"},
           {"w9a8", "got width w9; expected w2 to w8, or w16"},
           {"a2", "got width a2; expected a3 to a8, or a16"},
           {"kv5", "got width kv5; expected kv4, kv8 or kv16"},
           {"w4w4", "width \"w\" is given twice"},
           {"w4+rrs+w4", "width \"w\" is given twice"},
           {"w4a4_fp16", "\"_fp16\" is for integer weights and 16-bit activations, as in w4a16_fp16"},
           {"w16a16_fp16", "\"_fp16\" is for integer weights and 16-bit activations, as in w4a16_fp16"},
           {"static+w4+static", "\"static\" is given twice"},
           {"w", "no method \"w\""},
           {"w4x", "no method \"w4x\""},
           {"w-4", "no method \"w-4\""},
           {"w99999999999", "no method \"w99999999999\""}}) {
    EXPECT_THAT(message_of(variant), testing::StartsWith("variant \"" + variant + "\": " + problem));
  }
}

TEST(VariantTest, ListsAreCutAtCommasOutsideParentheses) {
  EXPECT_THAT(split_variants("none,rrs(qkv,x=1)+w4,slanc"), testing::ElementsAre("none", "rrs(qkv,x=1)+w4", "slanc"));
  EXPECT_THAT(split_variants("none"), testing::ElementsAre("none"));
  EXPECT_THAT(split_variants("a,"), testing::ElementsAre("a", ""));
}

TEST(VariantTest, ARefusedVariantLeavesTheModelAlone) {
  transformer::Model<double> model = any_model();
  EXPECT_THROW(apply_variant("rotate+nonsense", model, {}), std::invalid_argument);
  EXPECT_EQ(model.weights, any_model().weights);
}

}  // namespace
}  // namespace guardbit::calibration
