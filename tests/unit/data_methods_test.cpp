// SmoothQuant, AWQ and GPTQ on models: they keep the function, compute what their papers say, and lower what they are
// to lower.
#include "models/calibration/data_methods.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "models/calibration/linear_algebra.h"
#include "models/calibration/model_access.h"
#include "models/calibration/output_error.h"
#include "models/calibration/variant.h"
#include "models/transformer/family.h"
#include "models/transformer/reference.h"
#include "tests/support/random_models.h"
#include "tests/support/reference_steps.h"

namespace guardbit::calibration {
namespace {

using transformer::convert;
using transformer::run_reference;
using units::QuantizedWeight;

/// Design rule: relative error of fp64 logits below 1e-9.
constexpr double kDoubleTolerance = 1e-9;
/// Weights rounded to binary32 after a fold, and a binary32 forward.
constexpr double kFloatTolerance = 1e-4;

CalibrationData random_data(const transformer::ModelShape& shape) {
  CalibrationData data;
  for (const std::uint64_t seed : {1, 2, 3, 4}) data.windows.push_back(tests::random_tokens(shape, seed));
  return data;
}

/// A model with two outlier channels at every norm, and its calibration text.
struct Subject {
  explicit Subject(tests::RandomModel from) : random(std::move(from)), data(random_data(random.shape)) {
    model = convert<double>(random.build());
    if (!is_post_norm(model)) apply_channel_gain(model, 24, 2, 1);
    before = run_reference(model, tokens);
  }
  CalibrationOptions options(int weight_bits) const { return {.weight_bits = weight_bits, .data = &data}; }

  tests::RandomModel random;
  CalibrationData data;
  std::vector<int> tokens = tests::random_tokens(random.shape, 99);
  Model<double> model;
  transformer::Activations<double> before;
};

TEST(DataMethodsTest, EveryMethodKeepsTheLogitsOfEveryFamily) {
  for (const tests::RandomModel& random : tests::all_random_models()) {
    const Subject subject(random);
    const std::string& last = subject.model.ops.back().output;
    for (const std::string variant :
         {"smoothquant", "smoothquant(alpha=0.8)+rotate", "gptq", "gptq(group=16,act_order)", "awq",
          "awq(group=8,clip)", "awq+rotate", "slanc+smoothquant+gptq", "rrs+gptq"})
      for (const int bits : {0, 4}) {
        const bool is_refused = random.shape.family == "bert" && !variant.starts_with("gptq");
        if (is_refused) continue;
        Model<double> model = subject.model;
        apply_variant(variant, model, subject.options(bits));
        EXPECT_LT(tests::relative_difference(run_reference(model, subject.tokens).at(last), subject.before.at(last)),
                  kDoubleTolerance)
            << random.label << " " << variant << " at " << bits;
        const bool quantizes = variant.find("gptq") != std::string::npos || variant.find("awq") != std::string::npos;
        EXPECT_EQ(model.quantized_weights.empty(), bits == 0 || !quantizes) << variant << " at " << bits;
        Model<float> narrow = convert<float>(subject.model);
        const auto expected = run_reference(narrow, subject.tokens).at(last);
        apply_variant(variant, narrow, subject.options(bits));
        EXPECT_LT(tests::relative_difference(run_reference(narrow, subject.tokens).at(last), expected), kFloatTolerance)
            << random.label << " " << variant << " at " << bits << " in float";
      }
  }
}

/// max |x| and max |w| of channel j of a tensor and its readers.
double smoothing_scale(const Subject& subject, const std::string& tensor, const std::vector<std::string>& readers,
                       std::size_t j, double alpha) {
  double x = 0;
  for (const std::vector<int>& window : subject.data.windows) {
    const Matrix<double> values = run_reference(subject.model, window).at(tensor);
    for (std::size_t t = 0; t < values.rows(); ++t) x = std::max(x, std::abs(values(t, j)));
  }
  double w = 0;
  for (const std::string& reader : readers) {
    const Matrix<double>& weight = subject.model.weights.at(reader + ".weight");
    for (std::size_t n = 0; n < weight.rows(); ++n) w = std::max(w, std::abs(weight(n, j)));
  }
  return std::pow(x, alpha) / std::pow(w, 1 - alpha);
}

TEST(DataMethodsTest, SmoothQuantDividesByThePaper) {
  const Subject subject(tests::random_models()[6]);  // opt: norms, v and ReLU
  constexpr double kAlpha = 0.3;
  Model<double> model = subject.model;
  smooth_statically(model, kAlpha, subject.data);
  const std::string layer = "layers.1.";
  const auto expect = [&](const std::string& divided, const std::string& tensor,
                          const std::vector<std::string>& readers) {
    const Matrix<double>& before = subject.model.weights.at(divided);
    for (std::size_t j = 0; j < before.cols(); ++j) {
      const double s = smoothing_scale(subject, tensor, readers, j, kAlpha);
      EXPECT_NEAR(before(0, j) / model.weights.at(divided)(0, j), s, 1e-12 * s) << divided << " " << j;
      for (const std::string& reader : readers) {
        if (reader.ends_with(".v") || reader.ends_with(".up")) continue;  // their rows are divided as well
        const std::string name = reader + ".weight";
        EXPECT_NEAR(model.weights.at(name)(0, j) / subject.model.weights.at(name)(0, j), s, 1e-12 * s)
            << reader << " " << j;
      }
    }
  };
  const std::vector<std::string> qkv = {layer + "attn.q", layer + "attn.k", layer + "attn.v"};
  expect(layer + "attn_norm.weight", layer + "attn_norm", qkv);
  expect(layer + "attn_norm.bias", layer + "attn_norm", qkv);
  expect(layer + "mlp_norm.weight", layer + "mlp_norm", {layer + "mlp.up"});
  expect(layer + "attn.v.bias", layer + "attn.values", {layer + "attn.o"});
  expect(layer + "mlp.up.bias", layer + "mlp.act", {layer + "mlp.down"});
  EXPECT_EQ(model.weights.at("head.weight"), subject.model.weights.at("head.weight"));
}

TEST(DataMethodsTest, ScalesAreFoldedWhereItIsExactAndNowhereElse) {
  const auto folded = [](const tests::RandomModel& random, const std::string& variant) {
    const Subject subject(random);
    Model<double> rotated = subject.model;
    if (variant != "smoothquant") apply_variant(variant, rotated, {});
    Model<double> model = rotated;
    smooth_statically(model, 0.5, subject.data);
    std::vector<std::string> names;
    for (const Op& op : model.ops) {
      if (op.layer != 0 || op.kind != transformer::OpKind::kLinear) continue;
      const Matrix<double>& before = rotated.weights.at(op.weight);
      const Matrix<double>& after = model.weights.at(op.weight);
      // Columns by different factors, the rows alike.
      if (std::abs(after(0, 0) / before(0, 0) - after(0, 1) / before(0, 1)) > 1e-9) names.push_back(op.name.substr(9));
    }
    return names;
  };
  using testing::ElementsAre;
  const std::vector<tests::RandomModel> models = tests::random_models();
  EXPECT_THAT(folded(models[0], "smoothquant"), ElementsAre("attn.q", "attn.k", "attn.v", "attn.o", "mlp.up"));  // GELU
  EXPECT_THAT(folded(models[6], "smoothquant"),
              ElementsAre("attn.q", "attn.k", "attn.v", "attn.o", "mlp.up", "mlp.down"));  // ReLU
  EXPECT_THAT(folded(models[7], "smoothquant"),
              ElementsAre("attn.q", "attn.k", "attn.v", "attn.o", "mlp.gate", "mlp.up", "mlp.down"));
  EXPECT_THAT(folded(models[7], "rotate"),
              ElementsAre("attn.q", "attn.k", "attn.v", "mlp.gate", "mlp.up"));  // rotations before o and down
}

TEST(DataMethodsTest, SmoothQuantEvensOutInputsAndWeights) {
  const Subject subject(tests::random_models()[3]);
  const auto spread = [&](const Model<double>& model) {  // largest over median channel of the first norm
    Matrix<double> values = run_reference(model, subject.tokens).at("layers.0.attn_norm");
    std::vector<double> maxima(values.cols());
    for (std::size_t t = 0; t < values.rows(); ++t)
      for (std::size_t c = 0; c < maxima.size(); ++c) maxima[c] = std::max(maxima[c], std::abs(values(t, c)));
    std::sort(maxima.begin(), maxima.end());
    return maxima.back() / maxima[maxima.size() / 2];
  };
  Model<double> model = subject.model;
  smooth_statically(model, 0.5, subject.data);
  EXPECT_GT(spread(subject.model), 10);
  EXPECT_LT(spread(model), 2);  // gain 24 in inputs, 1 / 24 in weights: their geometric means are alike
}

/// Summed over all layers: what the codes do to the layers' outputs, on the inputs of the model without quantization.
double total_error(const Subject& subject, Model<double> model) {
  double error = 0;
  visit_layer_inputs<double>(model, subject.data, [&](const LayerGroup& group, const LayerInputs<double>& inputs) {
    const Matrix<float> moment = converted<float>(second_moment(inputs));
    for (const std::size_t index : group.readers) {
      const std::string& name = model.ops[index].weight;
      const Matrix<double>& weight = model.weights.at(name);
      const auto found = model.quantized_weights.find(name);
      const Matrix<double> values =
          dequantize(found == model.quantized_weights.end() ? round_to_nearest(weight, {}) : found->second);
      Matrix<float> change(weight.rows(), weight.cols());
      for (std::size_t i = 0; i < change.data().size(); ++i)
        change.data()[i] = static_cast<float>(values.data()[i] - weight.data()[i]);
      error += output_error(change.view(), moment.view());
    }
  });
  return error;
}

TEST(DataMethodsTest, MethodsLowerTheLayersOutputErrors) {
  for (const tests::RandomModel& random : tests::all_random_models()) {
    const Subject subject(random);
    const double nearest = total_error(subject, subject.model);
    const auto error_of = [&](const std::string& variant) {
      Model<double> model = subject.model;
      apply_variant(variant, model, subject.options(4));
      return total_error(subject, model);
    };
    EXPECT_LT(error_of("gptq"), nearest) << random.label;
    EXPECT_LT(error_of("gptq(act_order)"), nearest) << random.label;
    if (random.shape.family == "bert") continue;
    const double awq = error_of("awq");
    EXPECT_LT(awq, nearest) << random.label;
    EXPECT_LE(error_of("awq(clip)"), 1.02 * awq) << random.label;  // each row's own error falls; folds move rows
  }
}

TEST(DataMethodsTest, AwqsFirstExponentIsRoundToNearest) {
  const Subject subject(tests::random_models()[3]);
  Model<double> model = subject.model;
  apply_variant("awq(grid=1)", model, subject.options(4));
  EXPECT_EQ(model.weights, subject.model.weights);
  for (const auto& [name, quantized] : model.quantized_weights)
    EXPECT_TRUE(quantized == round_to_nearest(subject.model.weights.at(name), {})) << name;
}

TEST(DataMethodsTest, GptqSeesInputsOfQuantizedLayersBefore) {
  const Subject subject(tests::random_models()[0]);
  Model<double> model = subject.model;
  const GptqOptions options;
  quantize_by_gptq(model, options, subject.data);
  EXPECT_EQ(model.weights, subject.model.weights);
  Model<double> quantized = model;
  for (const auto& [name, weight] : model.quantized_weights) quantized.weights[name] = dequantize(weight);
  visit_layer_inputs<double>(quantized, subject.data, [&](const LayerGroup& group, const LayerInputs<double>& inputs) {
    const GptqFactor factor = factor_second_moment(second_moment(inputs), options);
    for (const std::size_t index : group.readers) {
      const std::string& name = model.ops[index].weight;
      EXPECT_TRUE(model.quantized_weights.at(name) == round_by_gptq(model.weights.at(name), factor, options)) << name;
    }
  });
}

TEST(DataMethodsTest, ThreadsChangeNoBit) {
  const Subject subject(tests::random_models()[4]);
  CalibrationData backwards = subject.data;
  backwards.parallel_for = tests::run_backwards;
  for (const std::string variant : {"smoothquant", "gptq(group=16)", "awq(clip)"}) {
    Model<float> first = convert<float>(subject.model);
    Model<float> second = first;
    apply_variant(variant, first, subject.options(4));
    apply_variant(variant, second, {.weight_bits = 4, .data = &backwards});
    EXPECT_EQ(first.weights, second.weights) << variant;
    EXPECT_TRUE(first.quantized_weights == second.quantized_weights) << variant;
  }
}

TEST(DataMethodsTest, EncodersAreRefusedByNameWhereNothingCanTakeAScale) {
  const Subject subject(tests::random_encoders().front());
  for (const auto& [variant, name] : {std::pair{"smoothquant", "smoothquant"}, {"awq", "awq"}}) {
    Model<double> model = subject.model;
    try {
      apply_variant(variant, model, subject.options(4));
      ADD_FAILURE() << variant << " accepted";
    } catch (const std::invalid_argument& error) {
      EXPECT_THAT(error.what(), testing::StartsWith("variant \"" + std::string(variant) + "\": " + name +
                                                    " does not apply to post-norm models (bert)"));
    }
  }
}

}  // namespace
}  // namespace guardbit::calibration
