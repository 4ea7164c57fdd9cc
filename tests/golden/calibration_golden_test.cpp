// Calibration on the real checkpoints of ../shared/models: identities on real text, and SLaNC's scales beside the
// measured lengths of the rows that the norms see.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "models/calibration/variant.h"
#include "models/transformer/family.h"
#include "models/transformer/reference.h"
#include "tests/support/checkpoints.h"

namespace guardbit::calibration {
namespace {

using numerics::Matrix;
using transformer::Activations;
using transformer::Model;
using transformer::Op;
using transformer::OpKind;

/// Inputs of the first window of a checkpoint's expected results.
std::vector<int> first_window(const std::string& folder, const std::string& list) {
  std::vector<int> tokens = tests::load_reference(folder, list).front().tokens;
  tokens.resize(std::min(tokens.size(), std::size_t{256}));
  return tokens;
}

void expect_identities(const Model<double>& original, std::vector<int> tokens) {
  constexpr std::size_t kTokens = 32;  // enough: the identities hold token by token
  tokens.resize(kTokens);
  const Matrix<double> expected = run_reference(original, tokens).at("head");
  for (const std::string variant : {"rotate", "slanc+rrs"})
    for (const double gain : {1.0, 64.0}) {
      Model<double> model = original;
      apply_residual_gain(model, gain);
      apply_channel_gain(model, gain, 4, 1);
      apply_variant(variant, model, {});
      const Matrix<double> logits = run_reference(model, tokens).at("head");
      double largest = 0;
      double difference = 0;
      for (std::size_t i = 0; i < expected.data().size(); ++i) {
        largest = std::max(largest, std::abs(expected.data()[i]));
        difference = std::max(difference, std::abs(logits.data()[i] - expected.data()[i]));
      }
      EXPECT_LT(difference, 1e-9 * largest) << variant << " gain " << gain;
    }
}

/// Root of the mean over tokens of the rows' sums of squares.
double rms_row_norm(const Matrix<double>& m) {
  double sum = 0;
  for (const double value : m.data()) sum += value * value;
  return std::sqrt(sum / static_cast<double>(m.rows()));
}

TEST(CalibrationGoldenTest, KjvGpt2IdentitiesOnRealText) {
  GUARDBIT_REQUIRE_SHARED(tests::kKjvFolder);
  expect_identities(transformer::convert<double>(tests::load_kjv_gpt2()), first_window(tests::kKjvFolder, "windows"));
}

TEST(CalibrationGoldenTest, Stories260kIdentitiesOnRealText) {
  GUARDBIT_REQUIRE_SHARED(tests::kStoriesFolder);
  expect_identities(transformer::convert<double>(tests::load_stories260k()),
                    first_window(tests::kStoriesFolder, "documents"));
}

/// Prints norm, measured rms row norm, slanc, slanc_residual (both raw) of every norm; checks the latter's factor.
void compare_scales(const Model<double>& original, const std::vector<int>& tokens, double factor) {
  const Activations<double> activations = run_reference(original, tokens);
  Model<double> slanc = original;
  Model<double> residual = original;
  apply_variant("slanc", slanc, {.pow2_scales = false});
  apply_variant("slanc_residual", residual, {.pow2_scales = false});
  std::printf("%-20s %12s %12s %14s\n", "norm", "measured rms", "slanc", "slanc_residual");
  for (std::size_t i = 0; i < original.ops.size(); ++i) {
    const Op& op = original.ops[i];
    if (op.kind != OpKind::kNorm) continue;
    const double measured = rms_row_norm(activations.at(op.inputs[0]));
    std::printf("%-20s %12.4f %12.4f %14.4f\n", op.name.c_str(), measured, slanc.ops[i].input_scale,
                residual.ops[i].input_scale);
    EXPECT_LT(residual.ops[i].input_scale, factor * measured) << op.name;
    EXPECT_GT(residual.ops[i].input_scale, measured / factor) << op.name;
  }
}

TEST(CalibrationGoldenTest, KjvGpt2ScalesBesideMeasuredNorms) {
  GUARDBIT_REQUIRE_SHARED(tests::kKjvFolder);
  compare_scales(transformer::convert<double>(tests::load_kjv_gpt2()), first_window(tests::kKjvFolder, "windows"), 3);
}

TEST(CalibrationGoldenTest, Stories260kScalesBesideMeasuredNorms) {
  GUARDBIT_REQUIRE_SHARED(tests::kStoriesFolder);
  compare_scales(transformer::convert<double>(tests::load_stories260k()),
                 first_window(tests::kStoriesFolder, "documents"), 3);
}

}  // namespace
}  // namespace guardbit::calibration
