// SLaNC's published scales against the formulas written out over indices, and what options make of them.
#include <gtest/gtest.h>

#include <cmath>

#include "models/calibration/static_scale.h"
#include "models/calibration/variant.h"
#include "models/transformer/family.h"
#include "tests/support/jacobi_svd.h"
#include "tests/support/random_models.h"

namespace guardbit::calibration {
namespace {

using numerics::Matrix;
using transformer::Model;
using transformer::OpKind;

const CalibrationOptions kRaw = {.pow2_scales = false};
/// Products of norms that both sides compute in binary64; the power iteration stops at 1e-10 per step.
constexpr double kTolerance = 1e-7;

/// The model's matrices by the formulas' names.
struct Formulas {
  const Model<double>& model;
  int layer;

  /// gamma of the norms that feed the blocks: the layer's own, or in a post-norm model the ones before them.
  const Matrix<double>& attention_gamma() const {
    if (model.shape.family != "bert") return of("attn_norm");
    return model.weights.at(layer == 0 ? "embed_norm.weight"
                                       : "layers." + std::to_string(layer - 1) + ".mlp_norm.weight");
  }
  const Matrix<double>& mlp_gamma() const { return of(model.shape.family == "bert" ? "attn_norm" : "mlp_norm"); }

  const Matrix<double>& of(const std::string& local) const {
    return model.weights.at("layers." + std::to_string(layer) + "." + local + ".weight");
  }

  /// || (I + W_O W_V) diag(gamma) ||_F with element (i, j) = delta_ij + sum over query heads h and their elements e.
  double attention() const {
    const Matrix<double>&o = of("attn.o"), &v = of("attn.v"), &gamma = attention_gamma();
    const int heads = model.shape.num_heads, kv_heads = model.shape.num_kv_heads, size = model.shape.head_size;
    double sum = 0;
    for (std::size_t i = 0; i < o.rows(); ++i)
      for (std::size_t j = 0; j < v.cols(); ++j) {
        double element = i == j ? 1 : 0;
        for (int h = 0; h < heads; ++h)
          for (int e = 0; e < size; ++e)
            element += o(i, static_cast<std::size_t>(h * size + e)) *
                       v(static_cast<std::size_t>(h / (heads / kv_heads) * size + e), j);
        sum += element * gamma(0, j) * element * gamma(0, j);
      }
    return std::sqrt(sum);
  }

  double standard_mlp() const {
    double mean = 0;
    for (const double g : mlp_gamma().data()) mean += std::abs(g) / model.shape.hidden_size;
    return mean * tests::singular_values(of("mlp.up")).front() * tests::singular_values(of("mlp.down")).front();
  }

  double gated_mlp() const {
    const Matrix<double>&down = of("mlp.down"), &up = of("mlp.up"), &gamma = mlp_gamma();
    double sum = 0;
    for (std::size_t i = 0; i < down.rows(); ++i)
      for (std::size_t j = 0; j < up.cols(); ++j) {
        double element = 0;
        for (std::size_t k = 0; k < up.rows(); ++k) element += down(i, k) * up(k, j) * gamma(0, j);
        sum += element * element;
      }
    Matrix<double> gate = of("mlp.gate");
    for (std::size_t k = 0; k < gate.rows(); ++k)
      for (std::size_t j = 0; j < gate.cols(); ++j) gate(k, j) *= gamma(0, j);
    return std::sqrt(sum) * tests::singular_values(gate).front();
  }

  double mlp() const { return model.shape.family == "llama" ? gated_mlp() : standard_mlp(); }
};

double scale_of(const Model<double>& model, const std::string& norm) {
  for (const transformer::Op& op : model.ops)
    if (op.name == norm) return op.input_scale;
  throw std::runtime_error("no norm " + norm);
}

TEST(SlancTest, ScalesFollowThePublishedFormulas) {
  for (const tests::RandomModel& random : tests::random_models()) {
    const Model<double> original = transformer::convert<double>(random.build());
    Model<double> model = original;
    apply_variant("slanc", model, kRaw);
    const auto expect_scale = [&](const std::string& norm, double expected) {
      EXPECT_NEAR(scale_of(model, norm), expected, kTolerance * expected) << random.label << " " << norm;
    };
    EXPECT_EQ(scale_of(model, "layers.0.attn_norm"), 1) << random.label;
    expect_scale("layers.0.mlp_norm", Formulas{original, 0}.attention());
    expect_scale("layers.1.attn_norm", Formulas{original, 0}.mlp());
    expect_scale("layers.1.mlp_norm", Formulas{original, 1}.attention());
    expect_scale("final_norm", Formulas{original, 1}.mlp());
    for (const transformer::Op& op : model.ops) {
      if (op.kind == OpKind::kNorm && op.norm_size == 0) continue;
      EXPECT_EQ(op.input_scale, 1) << op.name;
    }
  }
}

TEST(SlancTest, NormsOfEncodersStandBehindTheirOwnBlocks) {
  for (const tests::RandomModel& random : tests::random_encoders()) {
    const Model<double> original = transformer::convert<double>(random.build());
    Model<double> model = original;
    apply_variant("slanc", model, kRaw);
    EXPECT_EQ(scale_of(model, "embed_norm"), 1) << random.label;
    for (int layer = 0; layer < random.shape.num_layers; ++layer) {
      const std::string name = "layers." + std::to_string(layer);
      const double attention = Formulas{original, layer}.attention();
      const double mlp = Formulas{original, layer}.mlp();
      EXPECT_NEAR(scale_of(model, name + ".attn_norm"), attention, kTolerance * attention) << random.label;
      EXPECT_NEAR(scale_of(model, name + ".mlp_norm"), mlp, kTolerance * mlp) << random.label;
    }
    if (random.shape.has_head) {
      EXPECT_EQ(scale_of(model, "head.norm"), 1) << random.label;
    }
  }
}

TEST(SlancTest, FloatAndDoubleModelsGetTheSameScales) {
  for (const tests::RandomModel& random : tests::random_models())
    for (const std::string method : {"slanc", "slanc_residual"}) {
      Model<float> narrow = random.build();
      Model<double> wide = transformer::convert<double>(narrow);
      apply_variant(method, narrow, kRaw);
      apply_variant(method, wide, kRaw);
      EXPECT_EQ(narrow.ops, wide.ops) << random.label << " " << method;
    }
}

TEST(SlancTest, PowerOfTwoRoundsUp) {
  EXPECT_EQ(power_of_two_at_least(1.0), 1.0);
  EXPECT_EQ(power_of_two_at_least(std::nextafter(1.0, 2.0)), 2.0);
  EXPECT_EQ(power_of_two_at_least(std::nextafter(1.0, 0.0)), 1.0);
  EXPECT_EQ(power_of_two_at_least(5.0), 8.0);
  EXPECT_EQ(power_of_two_at_least(8.0), 8.0);
  EXPECT_EQ(power_of_two_at_least(0.25), 0.25);
  EXPECT_EQ(power_of_two_at_least(0.26), 0.5);
  EXPECT_EQ(power_of_two_at_least(0x1.8p-1074 * 2), 0x1p-1072);
  EXPECT_EQ(power_of_two_at_least(0x1p-1074), 0x1p-1074);
}

TEST(SlancTest, OptionsDivideByTheTargetThenRoundUp) {
  transformer::Op norm;
  set_input_scale(norm, 40, kRaw);
  EXPECT_EQ(norm.input_scale, 40);
  set_input_scale(norm, 40, {.pow2_scales = false, .target_norm = 8});
  EXPECT_EQ(norm.input_scale, 5);
  set_input_scale(norm, 40, {.pow2_scales = true, .target_norm = 8});
  EXPECT_EQ(norm.input_scale, 8);
  set_input_scale(norm, 40, {});
  EXPECT_EQ(norm.input_scale, 64) << "powers of two are the default";
}

TEST(SlancTest, APredictionThatSaysNothingLeavesTheScaleAtOne) {
  for (const double prediction : {0.0, static_cast<double>(INFINITY), static_cast<double>(NAN)}) {
    transformer::Op norm;
    norm.input_scale = 3;
    set_input_scale(norm, prediction, {});
    EXPECT_EQ(norm.input_scale, 1) << prediction;
  }
}

}  // namespace
}  // namespace guardbit::calibration
