// slanc_residual against its formulas written out over indices, and the moments of activation functions against closed
// forms and a finer integration.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "models/calibration/gaussian_moments.h"
#include "models/calibration/variant.h"
#include "models/transformer/family.h"
#include "tests/support/random_models.h"

namespace guardbit::calibration {
namespace {

using numerics::Matrix;
using transformer::ActivationKind;
using transformer::Model;

double naive_activation(ActivationKind kind, double x) {
  switch (kind) {
    case ActivationKind::kGeluTanh: return x / (1 + std::exp(-2 * std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
    case ActivationKind::kGelu: return x * std::erfc(-x / std::sqrt(2.0)) / 2;
    case ActivationKind::kSilu: return x * (1 + std::tanh(x / 2)) / 2;
    case ActivationKind::kRelu: return std::max(x, 0.0);
  }
  return NAN;
}

/// E[f(z)], z standard normal: Simpson's rule on both half lines (ReLU has its kink between them), 2 * 20000 intervals.
double gaussian_mean(const std::function<double(double)>& f) {
  constexpr int kIntervals = 20000;
  constexpr double kEnd = 12;
  double sum = 0;
  for (const double sign : {-1.0, 1.0})
    for (int i = 0; i <= kIntervals; ++i) {
      const double z = sign * kEnd * i / kIntervals;
      const double weight = i == 0 || i == kIntervals ? 1 : i % 2 == 1 ? 4 : 2;
      sum += weight * f(z) * std::exp(-z * z / 2);
    }
  return sum * kEnd / kIntervals / 3 / std::sqrt(2 * M_PI);
}

TEST(GaussianMomentsTest, EqualAFinerIntegration) {
  for (const ActivationKind kind :
       {ActivationKind::kGeluTanh, ActivationKind::kGelu, ActivationKind::kSilu, ActivationKind::kRelu})
    for (const double sigma : {1e-3, 0.1, 1.0, 3.0, 8.0, 50.0, 1000.0}) {
      const double tolerance = sigma <= 8 ? 1e-9 : 1e-4;  // as the header states
      const Moments moments = activation_moments(kind, sigma);
      const double mean = gaussian_mean([&](double z) { return naive_activation(kind, sigma * z); });
      const double mean_square =
          gaussian_mean([&](double z) { return std::pow(naive_activation(kind, sigma * z), 2); });
      EXPECT_NEAR(moments.mean, mean, tolerance * mean) << "activation " << static_cast<int>(kind) << " " << sigma;
      EXPECT_NEAR(moments.mean_square, mean_square, tolerance * mean_square)
          << "activation " << static_cast<int>(kind) << " " << sigma;
    }
}

TEST(GaussianMomentsTest, KnownClosedForms) {
  for (const double sigma : {0.2, 1.0, 5.0}) {
    const double gelu_mean = sigma * sigma / std::sqrt(2 * M_PI * (1 + sigma * sigma));
    EXPECT_NEAR(activation_moments(ActivationKind::kGelu, sigma).mean, gelu_mean, 1e-12);
    const Moments relu = activation_moments(ActivationKind::kRelu, sigma);
    EXPECT_NEAR(relu.mean_square - relu.mean * relu.mean, sigma * sigma * (0.5 - 0.5 / M_PI), 1e-12);
  }
  EXPECT_EQ(activation_moments(ActivationKind::kSilu, 0).mean_square, 0);
}

struct Formulas {
  const Model<double>& model;

  static double square(double x) { return x * x; }
  const Matrix<double>& weight(int layer, const std::string& local) const {
    return model.weights.at("layers." + std::to_string(layer) + "." + local + ".weight");
  }
  double bias(int layer, const std::string& local, std::size_t i) const {
    const auto found = model.weights.find("layers." + std::to_string(layer) + "." + local + ".bias");
    return found == model.weights.end() ? 0 : found->second(0, i);
  }

  double embedding() const {
    const Matrix<double>& tokens = model.weights.at("embed.tokens");
    const bool has_positions = model.weights.contains("embed.positions");
    const Matrix<double> none(1, tokens.cols());
    const Matrix<double>& positions = has_positions ? model.weights.at("embed.positions").get() : none;
    double sum = 0;
    for (std::size_t t = 0; t < tokens.rows(); ++t)
      for (std::size_t p = 0; p < positions.rows(); ++p)
        for (std::size_t c = 0; c < tokens.cols(); ++c) sum += square(tokens(t, c) + positions(p, c));
    return sum / static_cast<double>(tokens.rows() * positions.rows());
  }

  double attention(int layer) const {
    const Matrix<double>&o = weight(layer, "attn.o"), &v = weight(layer, "attn.v"), &gamma = weight(layer, "attn_norm");
    const std::size_t size = static_cast<std::size_t>(model.shape.head_size);
    const std::size_t group = static_cast<std::size_t>(model.shape.num_heads / model.shape.num_kv_heads);
    const auto kv_row = [&](std::size_t column) { return column / size / group * size + column % size; };
    double power = 0;
    for (std::size_t i = 0; i < o.rows(); ++i) {
      double constant = bias(layer, "attn.o", i);
      for (std::size_t e = 0; e < o.cols(); ++e) constant += o(i, e) * bias(layer, "attn.v", kv_row(e));
      for (std::size_t j = 0; j < v.cols(); ++j) {
        double element = 0;
        for (std::size_t e = 0; e < o.cols(); ++e) element += o(i, e) * v(kv_row(e), j);
        power += square(element * gamma(0, j));
        constant += element * bias(layer, "attn_norm", j);
      }
      power += square(constant);
    }
    return power;
  }

  /// sigma_j of a matrix behind the MLP's norm.
  double sigma(int layer, const std::string& local, std::size_t j) const {
    const Matrix<double>&w = weight(layer, local), &gamma = weight(layer, "mlp_norm");
    double sum = 0;
    for (std::size_t c = 0; c < w.cols(); ++c) sum += square(w(j, c) * gamma(0, c));
    return std::sqrt(sum);
  }

  double mlp(int layer) const {
    const Matrix<double>& down = weight(layer, "mlp.down");
    const ActivationKind kind = model.shape.activation;
    const bool gated = model.shape.family == "llama";
    double power = 0;
    std::vector<double> mean_output(down.rows());
    for (std::size_t j = 0; j < down.cols(); ++j) {
      double column_power = 0;
      for (std::size_t i = 0; i < down.rows(); ++i) column_power += square(down(i, j));
      const double up = sigma(layer, "mlp.up", j);
      if (gated) {
        const double gate = sigma(layer, "mlp.gate", j);
        power += column_power * square(up) *
                 gaussian_mean([&](double z) { return square(naive_activation(kind, gate * z)); });
      } else if (kind == ActivationKind::kRelu) {  // the design page's closed form
        power += column_power * (0.5 - 0.5 / M_PI) * square(up);
        for (std::size_t i = 0; i < down.rows(); ++i) mean_output[i] += down(i, j) * up / std::sqrt(2 * M_PI);
      } else {
        const double mean = gaussian_mean([&](double z) { return naive_activation(kind, up * z); });
        power += column_power * gaussian_mean([&](double z) { return square(naive_activation(kind, up * z) - mean); });
        for (std::size_t i = 0; i < down.rows(); ++i) mean_output[i] += down(i, j) * mean;
      }
    }
    for (std::size_t i = 0; i < down.rows(); ++i) power += square(mean_output[i]) + square(bias(layer, "mlp.down", i));
    return power;
  }
};

TEST(SlancResidualTest, PowerAddsUpBlockByBlock) {
  for (const tests::RandomModel& random : tests::random_models()) {
    const Model<double> original = transformer::convert<double>(random.build());
    const Formulas formulas{original};
    Model<double> model = original;
    apply_variant("slanc_residual", model, {.pow2_scales = false, .target_norm = 2});
    std::vector<double> expected = {formulas.embedding()};
    for (int layer = 0; layer < original.shape.num_layers; ++layer) {
      expected.push_back(expected.back() + formulas.attention(layer));
      expected.push_back(expected.back() + formulas.mlp(layer));
    }
    std::size_t norm_index = 0;
    for (const transformer::Op& op : model.ops) {
      if (op.kind != transformer::OpKind::kNorm || op.norm_size != 0) continue;
      const double scale = std::sqrt(expected.at(norm_index)) / 2;
      EXPECT_NEAR(op.input_scale, scale, 1e-9 * scale) << random.label << " " << op.name;
      ++norm_index;
    }
    EXPECT_EQ(norm_index, expected.size());
  }
}

}  // namespace
}  // namespace guardbit::calibration
