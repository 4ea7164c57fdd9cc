// Every method and combination leaves a model's function unchanged in exact arithmetic, and does what it is for.
#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "models/calibration/variant.h"
#include "models/calibration/weight_quantizer.h"
#include "models/transformer/family.h"
#include "models/transformer/reference.h"
#include "models/units/hadamard_matrix.h"
#include "tests/support/random_models.h"

namespace guardbit::calibration {
namespace {

using numerics::Matrix;
using transformer::Activations;
using transformer::convert;
using transformer::Model;
using transformer::NormKind;
using transformer::Op;
using transformer::OpKind;
using transformer::run_reference;

/// Design rule: relative error of fp64 logits below 1e-9.
constexpr double kDoubleTolerance = 1e-9;
/// Weights rounded to binary32 after a rotation, and a binary32 forward.
constexpr double kFloatTolerance = 1e-4;

const std::vector<std::string> kVariants = {"none",
                                            "rotate",
                                            "rs",
                                            "rrs",
                                            "dynamic_norm",
                                            "slanc",
                                            "slanc_residual",
                                            "slanc+rotate",
                                            "slanc+rs",
                                            "slanc+rrs",
                                            "rs+rotate",
                                            "rrs+slanc_residual",
                                            "rs+rotate+slanc",
                                            "rtn",
                                            "rtn(group=16,asym,clip)+slanc+rrs",
                                            "rtn(tensor)+w16a16kv16"};

struct Subject {
  tests::RandomModel random;
  std::vector<int> tokens = tests::random_tokens(random.shape, 99);
  Model<float> model = random.build();
  Model<double> wide = convert<double>(model);
  Activations<double> activations = run_reference(wide, tokens);
};

std::vector<Subject> subjects() {
  std::vector<Subject> result;
  for (const tests::RandomModel& random : tests::random_models()) result.push_back({random});
  return result;
}

const Op& op_of(const Model<double>& model, const std::string& name) {
  for (const Op& op : model.ops)
    if (op.name == name) return op;
  throw std::runtime_error("no op " + name);
}

TEST(CalibrationIdentityTest, EveryVariantKeepsTheLogits) {
  CalibrationOptions options;
  for (const Subject& subject : subjects())
    for (const std::string& variant : kVariants)
      for (const bool smooth_qkv : {false, true}) {
        options.smooth_qkv = smooth_qkv;
        options.seed += 1;
        Model<double> model = subject.wide;
        apply_variant(variant, model, options);
        EXPECT_LT(
            tests::relative_difference(run_reference(model, subject.tokens).at("head"), subject.activations.at("head")),
            kDoubleTolerance)
            << subject.random.label << " " << variant << " seed " << options.seed;
        Model<float> narrow = subject.model;
        apply_variant(variant, narrow, options);
        EXPECT_LT(tests::relative_difference(run_reference(narrow, subject.tokens).at("head"),
                                             run_reference(subject.model, subject.tokens).at("head")),
                  kFloatTolerance)
            << subject.random.label << " " << variant << " in float, seed " << options.seed;
      }
}

TEST(CalibrationIdentityTest, QuantizersLeaveTheModelAndTheirCodesStandForItsWeights) {
  for (const Subject& subject : subjects())
    for (const std::string variant : {"rtn", "rtn(group=16,asym)", "rtn(clip)", "rtn(tensor,asym)"}) {
      Model<double> model = subject.wide;
      apply_variant(variant, model, {.weight_bits = 8});
      EXPECT_EQ(model.weights, subject.wide.weights) << variant;
      EXPECT_LT(
          tests::relative_difference(run_reference(model, subject.tokens).at("head"), subject.activations.at("head")),
          kDoubleTolerance);
      for (const Op& op : model.ops) {
        const bool quantized = op.kind == OpKind::kLinear && op.operand_class == transformer::OperandClass::kLinear;
        EXPECT_EQ(model.quantized_weights.contains(op.weight), quantized) << op.name;
        EXPECT_EQ(op.codes.bits, quantized ? 8 : 0) << op.name;
        if (!quantized) continue;
        const Matrix<double> values = dequantize(model.quantized_weights.at(op.weight));
        EXPECT_LT(tests::relative_difference(values, model.weights.at(op.weight).get()), 0.02)
            << op.name << " " << variant;
      }
    }
}

TEST(CalibrationIdentityTest, FloatModelsAreTheDoubleOnesRoundedOnce) {
  for (const Subject& subject : subjects()) {
    Model<double> wide = subject.wide;
    Model<float> narrow = subject.model;
    apply_variant("slanc+rrs", wide, {});
    apply_variant("slanc+rrs", narrow, {});
    EXPECT_EQ(narrow.weights, convert<float>(wide).weights) << subject.random.label;
  }
}

TEST(CalibrationIdentityTest, RotationLeavesRmsNormsWithoutGammaAndBeta) {
  for (const Subject& subject : subjects()) {
    Model<double> model = subject.wide;
    apply_variant("rotate", model, {});
    for (const Op& op : model.ops) {
      if (op.kind != OpKind::kNorm || op.norm_size != 0) continue;
      EXPECT_EQ(op.norm, NormKind::kRmsNorm) << op.name;
      EXPECT_EQ(op.bias, "") << op.name;
      EXPECT_EQ(op.epsilon, subject.random.shape.norm_epsilon) << op.name;
      for (const double gamma : model.weights.at(op.weight).data()) EXPECT_EQ(gamma, 1) << op.name;
    }
    EXPECT_EQ(op_of(model, "head").bias, subject.random.shape.family == "llama" ? "" : "head.bias");
  }
}

/// Length of row t about its mean where `centred`.
double row_length(const Matrix<double>& m, std::size_t t, bool centred) {
  double mean = 0;
  if (centred)
    for (std::size_t c = 0; c < m.cols(); ++c) mean += m(t, c) / static_cast<double>(m.cols());
  double sum = 0;
  for (std::size_t c = 0; c < m.cols(); ++c) sum += (m(t, c) - mean) * (m(t, c) - mean);
  return std::sqrt(sum);
}

TEST(CalibrationIdentityTest, RotationTurnsTheStreamAndKeepsWhatNormsDivideBy) {
  for (const Subject& subject : subjects()) {
    Model<double> model = subject.wide;
    apply_variant("rotate", model, {});
    const Activations<double> rotated = run_reference(model, subject.tokens);
    for (const Op& op : subject.wide.ops) {
      if (op.kind != OpKind::kNorm || op.norm_size != 0) continue;
      const Matrix<double>& before = subject.activations.at(op.inputs[0]);
      const Matrix<double>& after = rotated.at(op.inputs[0]);
      EXPECT_GT(tests::relative_difference(after, before), 0.1) << subject.random.label << " " << op.name;
      for (std::size_t t = 0; t < before.rows(); ++t) {
        const double expected = row_length(before, t, op.norm == NormKind::kLayerNorm);
        EXPECT_NEAR(row_length(after, t, false), expected, 1e-12 * expected) << op.name << " token " << t;
      }
    }
  }
}

/// The largest divisor of `width` for which there is a Hadamard matrix.
int expected_rotation(int width) {
  int best = 1;
  for (int size = 1; size <= width; ++size)
    if (width % size == 0 && units::hadamard_supported(size)) best = size;
  return best;
}

TEST(CalibrationIdentityTest, RotationRunsAcrossHeadsBeforeOAndFullWidthBeforeDown) {
  for (const Subject& subject : subjects()) {
    const transformer::ModelShape& shape = subject.random.shape;
    Model<double> model = subject.wide;
    apply_variant("rotate", model, {});
    for (const Op& op : model.ops) {
      transformer::RuntimeRotation expected;
      if (op.name.ends_with("attn.o")) expected = {expected_rotation(shape.num_heads), shape.head_size};
      if (op.name.ends_with("mlp.down")) expected = {expected_rotation(shape.intermediate_size), 1};
      if (expected.size == 1) expected = {};
      EXPECT_EQ(op.rotation, expected) << subject.random.label << " " << op.name << ": size " << op.rotation.size;
      EXPECT_FALSE(op.smooth) << op.name;
    }
  }
}

TEST(CalibrationIdentityTest, ValuesAreRotatedWithinEachHead) {
  for (const Subject& subject : subjects()) {
    const std::size_t head_size = static_cast<std::size_t>(subject.random.shape.head_size);
    if (!units::hadamard_supported(subject.random.shape.head_size)) continue;
    const Matrix<float> h = units::hadamard_matrix(subject.random.shape.head_size);
    Model<double> model = subject.wide;
    apply_variant("rotate", model, {});
    const Matrix<double> rotated = run_reference(model, subject.tokens).at("layers.0.attn.values");
    const Matrix<double>& original = subject.activations.at("layers.0.attn.values");
    Matrix<double> expected(original.rows(), original.cols());
    for (std::size_t t = 0; t < original.rows(); ++t)
      for (std::size_t c = 0; c < original.cols(); ++c)
        for (std::size_t k = 0; k < head_size; ++k)
          expected(t, c) += static_cast<double>(h(c % head_size, k)) * original(t, c - c % head_size + k) /
                            std::sqrt(static_cast<double>(head_size));
    EXPECT_LT(tests::relative_difference(rotated, expected), 1e-12) << subject.random.label;
  }
}

TEST(CalibrationIdentityTest, SeedsGiveDifferentRotations) {
  const Subject subject{tests::random_models().front()};
  Model<double> first = subject.wide;
  Model<double> second = subject.wide;
  Model<double> again = subject.wide;
  apply_variant("rotate", first, {.seed = 1});
  apply_variant("rotate", second, {.seed = 2});
  apply_variant("rotate", again, {.seed = 1});
  EXPECT_EQ(first.weights, again.weights);
  EXPECT_GT(tests::relative_difference(second.weights.at("head.weight").get(), first.weights.at("head.weight").get()),
            0.1);
}

TEST(CalibrationIdentityTest, SmoothingIsOnWherePublished) {
  for (const Subject& subject : subjects())
    for (const bool smooth_qkv : {false, true}) {
      Model<double> model = subject.wide;
      apply_variant("rs", model, {.smooth_qkv = smooth_qkv});
      EXPECT_EQ(model.weights, subject.wide.weights);
      std::set<std::string> locals = {"o", "gate", "up", "down"};
      if (smooth_qkv) locals.insert({"q", "k", "v"});
      for (const Op& op : model.ops)
        EXPECT_EQ(op.smooth, locals.contains(op.name.substr(op.name.rfind('.') + 1))) << op.name;
    }
}

TEST(CalibrationIdentityTest, SlancChangesScalesOnlyAndRotationKeepsThem) {
  for (const Subject& subject : subjects())
    for (const std::string method : {"slanc", "slanc_residual"}) {
      Model<double> scaled = subject.wide;
      apply_variant(method, scaled, {});
      EXPECT_EQ(scaled.weights, subject.wide.weights);
      Model<double> combined = subject.wide;
      apply_variant("rrs+" + method, combined, {});
      for (std::size_t i = 0; i < scaled.ops.size(); ++i) {
        EXPECT_EQ(combined.ops[i].input_scale, scaled.ops[i].input_scale) << scaled.ops[i].name;
        Op without_scale = scaled.ops[i];
        without_scale.input_scale = 1;
        without_scale.predicted_norm = 0;
        EXPECT_TRUE(without_scale == subject.wide.ops[i]) << scaled.ops[i].name;
      }
    }
}

TEST(CalibrationIdentityTest, ResidualGainScalesTheStreamAndKeepsTheLogits) {
  constexpr double kGain = 64;
  for (const Subject& subject : subjects()) {
    Model<double> model = subject.wide;
    apply_residual_gain(model, kGain);
    const Activations<double> gained = run_reference(model, subject.tokens);
    EXPECT_LT(tests::relative_difference(gained.at("head"), subject.activations.at("head")), kDoubleTolerance)
        << subject.random.label;
    for (const Op& op : model.ops) {
      if (op.kind != OpKind::kEmbed && op.kind != OpKind::kResidual) continue;
      Matrix<double> expected = subject.activations.at(op.output);
      for (double& value : expected.data()) value *= kGain;
      EXPECT_LT(tests::relative_difference(gained.at(op.output), expected), 1e-12) << op.name;
    }
    EXPECT_EQ(model.weights.at("head.weight"), subject.wide.weights.at("head.weight"));
    EXPECT_EQ(op_of(model, "final_norm").epsilon, subject.random.shape.norm_epsilon * kGain * kGain);
  }
}

TEST(CalibrationIdentityTest, ChannelGainMakesOutliersAndKeepsTheLogits) {
  constexpr double kGain = 48;
  constexpr int kCount = 3;
  for (const Subject& subject : subjects()) {
    Model<double> model = subject.wide;
    apply_channel_gain(model, kGain, kCount, 5);
    const Activations<double> gained = run_reference(model, subject.tokens);
    EXPECT_LT(tests::relative_difference(gained.at("head"), subject.activations.at("head")), kDoubleTolerance)
        << subject.random.label;
    std::set<std::size_t> all_channels;
    for (const Op& op : model.ops) {
      if (op.kind != OpKind::kNorm || op.norm_size != 0) continue;
      std::set<std::size_t> channels;
      for (std::size_t c = 0; c < gained.at(op.output).cols(); ++c) {
        const double ratio = gained.at(op.output)(4, c) / subject.activations.at(op.output)(4, c);
        if (std::abs(ratio - kGain) < 1e-6)
          channels.insert(c);
        else
          EXPECT_NEAR(ratio, 1, 1e-6) << op.name << " channel " << c;
      }
      EXPECT_EQ(channels.size(), std::size_t{kCount}) << op.name;
      all_channels.insert(channels.begin(), channels.end());
    }
    EXPECT_EQ(all_channels.size(), std::size_t{kCount}) << "the same channels at every norm";
  }
}

TEST(CalibrationIdentityTest, GainsBeforeEveryVariantKeepTheLogits) {
  for (const Subject& subject : subjects())
    for (const std::string& variant : kVariants) {
      Model<double> model = subject.wide;
      apply_residual_gain(model, 64);
      apply_channel_gain(model, 32, 2, 1);
      apply_variant(variant, model, {});
      EXPECT_LT(
          tests::relative_difference(run_reference(model, subject.tokens).at("head"), subject.activations.at("head")),
          kDoubleTolerance)
          << subject.random.label << " " << variant;
    }
}

TEST(CalibrationIdentityTest, EncodersKeepTheirOutputsUnderWhatApplies) {
  for (const tests::RandomModel& random : tests::random_encoders()) {
    const Subject subject{random};
    const std::string& last = subject.model.ops.back().output;
    for (const std::string variant : {"none", "rs", "slanc", "slanc+rs"}) {
      Model<double> model = subject.wide;
      apply_variant(variant, model, {});
      EXPECT_LT(tests::relative_difference(run_reference(model, subject.tokens).at(last), subject.activations.at(last)),
                kDoubleTolerance)
          << random.label << " " << variant;
    }
  }
}

TEST(CalibrationIdentityTest, WhatDoesNotApplyToEncodersIsRefusedByName) {
  const Subject subject{tests::random_encoders().front()};
  const auto message_of = [&](const auto& rewrite) -> std::string {
    Model<double> model = subject.wide;
    try {
      rewrite(model);
    } catch (const std::invalid_argument& error) {
      return error.what();
    }
    return "accepted";
  };
  for (const auto& [variant, name] : {std::pair{"rotate", "rotation"},
                                      {"rrs", "rotation"},
                                      {"slanc+rrs", "rotation"},
                                      {"slanc_residual", "slanc_residual"}}) {
    const std::string message = message_of([&, &text = variant](auto& model) { apply_variant(text, model, {}); });
    EXPECT_TRUE(message.starts_with("variant \"" + std::string(variant) + "\": " + name +
                                    " does not apply to post-norm models (bert): "))
        << message;
  }
  EXPECT_TRUE(
      message_of([](auto& model) { apply_residual_gain(model, 2); }).starts_with("residual gain does not apply"));
  EXPECT_TRUE(
      message_of([](auto& model) { apply_channel_gain(model, 2, 1, 1); }).starts_with("channel gain does not apply"));
}

TEST(CalibrationIdentityTest, ImpossibleGainsAreRefused) {
  Model<double> model = convert<double>(tests::random_models().front().build());
  EXPECT_THROW(apply_residual_gain(model, 0), std::invalid_argument);
  EXPECT_THROW(apply_residual_gain(model, NAN), std::invalid_argument);
  EXPECT_THROW(apply_channel_gain(model, INFINITY, 1, 1), std::invalid_argument);
  EXPECT_THROW(apply_channel_gain(model, 2, model.shape.hidden_size + 1, 1), std::invalid_argument);
  EXPECT_THROW(apply_channel_gain(model, 2, -1, 1), std::invalid_argument);
}

}  // namespace
}  // namespace guardbit::calibration
