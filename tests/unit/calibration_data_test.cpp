// What calibration collects: the inputs of every layer, their second moments and magnitudes.
#include "models/calibration/calibration_data.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "models/calibration/activation_ranges.h"
#include "models/calibration/method.h"
#include "models/calibration/variant.h"
#include "models/transformer/reference.h"
#include "models/transformer/rotation.h"
#include "tests/support/random_models.h"
#include "tests/support/reference_steps.h"

namespace guardbit::calibration {
namespace {

using transformer::convert;
using transformer::OpKind;
using transformer::run_reference;

CalibrationData random_data(const transformer::ModelShape& shape) {
  CalibrationData data;
  for (const std::uint64_t seed : {1, 2, 3}) data.windows.push_back(tests::random_tokens(shape, seed));
  data.windows[1].resize(5);
  return data;
}

Matrix<double> rotated_input(const Model<double>& model, const Op& op, const std::vector<int>& window) {
  Matrix<double> input = run_reference(model, window).at(op.inputs[0]);
  transformer::rotate_rows(input, op.rotation, transformer::RotationDirection::kForward);
  return input;
}

TEST(CalibrationDataTest, LayersThatShareTheirInputsAreOneGroup) {
  const Model<float> model = tests::random_models()[3].build();  // llama
  std::vector<std::vector<std::string>> names;
  for (const LayerGroup& group : layer_groups(model)) {
    names.emplace_back();
    for (const std::size_t index : group.readers) names.back().push_back(model.ops[index].name);
  }
  const std::vector<std::vector<std::string>> expected = {{"layers.0.attn.q", "layers.0.attn.k", "layers.0.attn.v"},
                                                          {"layers.0.attn.o"},
                                                          {"layers.0.mlp.gate", "layers.0.mlp.up"},
                                                          {"layers.0.mlp.down"},
                                                          {"layers.1.attn.q", "layers.1.attn.k", "layers.1.attn.v"},
                                                          {"layers.1.attn.o"},
                                                          {"layers.1.mlp.gate", "layers.1.mlp.up"},
                                                          {"layers.1.mlp.down"}};
  EXPECT_EQ(names, expected);
}

TEST(CalibrationDataTest, VisitsSeeTheReferenceForwardsInputsOfRotatedModelsToo) {
  for (const tests::RandomModel& random : tests::all_random_models())
    for (const std::string variant : {"none", "rotate"}) {
      if (variant == "rotate" && random.shape.family == "bert") continue;
      Model<double> model = convert<double>(random.build());
      apply_variant(variant, model, {});
      const CalibrationData data = random_data(random.shape);
      std::size_t num_visits = 0;
      visit_layer_inputs<double>(model, data, [&](const LayerGroup& group, const LayerInputs<double>& inputs) {
        ++num_visits;
        ASSERT_EQ(inputs.size(), data.windows.size());
        for (std::size_t w = 0; w < inputs.size(); ++w)
          EXPECT_EQ(inputs[w], rotated_input(model, model.ops[group.readers.front()], data.windows[w]))
              << random.label << " " << variant << " " << model.ops[group.readers.front()].name;
      });
      EXPECT_EQ(num_visits, layer_groups(model).size());
    }
}

TEST(CalibrationDataTest, LaterInputsComeThroughWhatVisitsLeave) {
  for (const tests::RandomModel& random : tests::all_random_models()) {
    Model<double> model = convert<double>(random.build());
    const CalibrationData data = random_data(random.shape);
    visit_layer_inputs<double>(model, data, [&](const LayerGroup& group, const LayerInputs<double>& inputs) {
      // All weights before this group have been changed, none of it or behind it.
      EXPECT_EQ(inputs[0], rotated_input(model, model.ops[group.readers.front()], data.windows[0])) << random.label;
      for (const std::size_t index : group.readers)
        for (double& value : model.weights.at(model.ops[index].weight).edit().data()) value *= 1.5;
    });
  }
}

TEST(CalibrationDataTest, ActivationRangesAreTheExtremesOfEveryLayersInput) {
  for (const tests::RandomModel& random : tests::all_random_models()) {
    const Model<float> model = random.build();
    const CalibrationData data = random_data(random.shape);
    std::size_t last_done = 0;
    std::size_t last_total = 1;
    const ActivationRanges ranges = find_activation_ranges(model, data, [&](std::size_t done, std::size_t total) {
      EXPECT_GE(done, last_done);
      last_done = done;
      last_total = total;
    });
    EXPECT_EQ(last_done, last_total) << "progress ends";
    std::size_t num_layers = 0;
    for (std::size_t index = 0; index < model.ops.size(); ++index) {
      const Op& op = model.ops[index];
      if (op.kind != OpKind::kLinear || op.operand_class != transformer::OperandClass::kLinear) continue;
      ++num_layers;
      float low = 0;
      float high = 0;
      for (const std::vector<int>& window : data.windows) {
        const transformer::Activations<float> activations = run_reference(model, window);
        for (const float value : activations.at(op.inputs[0]).data()) {
          low = std::min(low, value);
          high = std::max(high, value);
        }
      }
      EXPECT_EQ(ranges.at(index), (units::ValueRange{.low = low, .high = high})) << random.label << " " << op.name;
    }
    EXPECT_EQ(ranges.size(), num_layers) << "not of the head";
  }
}

TEST(CalibrationDataTest, SecondMomentsAndMagnitudesByDefinition) {
  LayerInputs<float> inputs;
  LayerInputs<double> wide;
  for (std::size_t w = 0; w < 3; ++w) {
    inputs.push_back(tests::random_carriers(40 + w, 300, numerics::kFp16, 2, w));  // more than one panel of rows
    wide.emplace_back(40 + w, 300, std::vector<double>(inputs[w].data().begin(), inputs[w].data().end()));
  }
  Matrix<double> moment(300, 300);
  Matrix<double> sum(1, 300);
  Matrix<double> max(1, 300);
  for (const Matrix<double>& x : wide)
    for (std::size_t t = 0; t < x.rows(); ++t)
      for (std::size_t i = 0; i < 300; ++i) {
        sum(0, i) += std::abs(x(t, i));
        max(0, i) = std::max(max(0, i), std::abs(x(t, i)));
        for (std::size_t j = 0; j < 300; ++j) moment(i, j) += x(t, i) * x(t, j);
      }
  const ChannelMagnitudes magnitudes = channel_magnitudes(inputs);
  EXPECT_EQ(magnitudes.max, max);
  const Matrix<double> from_float = second_moment(inputs);
  const Matrix<double> from_double = second_moment(wide);
  EXPECT_EQ(second_moment(inputs, tests::run_backwards), from_float);
  EXPECT_EQ(second_moment(wide, tests::run_backwards), from_double);
  for (std::size_t i = 0; i < 300; ++i) {
    EXPECT_EQ(magnitudes.mean(0, i), sum(0, i) / 123) << i;
    for (std::size_t j = 0; j < 300; ++j) {
      // At most 42 fused additions of products of a window in binary32: half an ulp each, of at most the sum of
      // magnitudes, which sqrt(H_ii H_jj) bounds.
      const double bound = std::sqrt(moment(i, i) * moment(j, j));
      EXPECT_NEAR(from_float(i, j), moment(i, j), 42 * 0x1p-24 * bound) << i << " " << j;
      EXPECT_NEAR(from_double(i, j), moment(i, j), 200 * 0x1p-53 * bound) << i << " " << j;
      EXPECT_EQ(from_float(i, j), from_float(j, i)) << i << " " << j;
    }
  }
}

}  // namespace
}  // namespace guardbit::calibration
