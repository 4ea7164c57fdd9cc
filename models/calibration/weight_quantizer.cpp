#include "models/calibration/weight_quantizer.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "models/numerics/check.h"

namespace guardbit::calibration {

using numerics::Matrix;
using transformer::Model;
using transformer::Op;
using units::QuantizedWeight;

namespace {

/// fp32, kept positive and finite.
float positive_scale(double value) {
  return std::clamp(static_cast<float>(value), std::numeric_limits<float>::denorm_min(),
                    std::numeric_limits<float>::max());
}

struct Range {
  double least = 0;
  double largest = 0;
};

/// Of the finite values and 0.
Range range_of(std::span<const double> values) {
  Range range;
  for (const double x : values) {
    if (!std::isfinite(x)) continue;
    range.least = std::min(range.least, x);
    range.largest = std::max(range.largest, x);
  }
  return range;
}

CodeGrid grid_of(const Range& range, double ratio, const WeightQuantizer& quantizer) {
  const int half = 1 << (quantizer.bits - 1);
  CodeGrid grid{.scale = 1, .zero_point = 0, .least = -half, .largest = half - 1};
  if (range.largest == range.least) return grid;  // 0 is in the range
  if (!quantizer.asymmetric) {
    grid.scale = positive_scale(ratio * std::max(range.largest, -range.least) / (half - 1));
    return grid;
  }
  grid.scale = positive_scale(ratio * (range.largest - range.least) / (2 * half - 1));
  const double zero = std::nearbyint(-ratio * range.least / static_cast<double>(grid.scale));
  grid.zero_point = static_cast<int>(std::clamp(zero, 0.0, 2.0 * half - 1)) - half;
  return grid;
}

double squared_error(std::span<const double> values, const CodeGrid& grid) {
  double sum = 0;
  for (const double x : values) {
    const double error = grid.value(grid.code(x)) - x;
    sum += error * error;
  }
  return sum;
}

}  // namespace

int CodeGrid::code(double x) const {
  if (std::isnan(x)) return 0;
  const double rounded = std::nearbyint(x / static_cast<double>(scale)) + zero_point;
  return static_cast<int>(std::clamp(rounded, static_cast<double>(least), static_cast<double>(largest)));
}

CodeGrid fit_grid(std::span<const double> values, const WeightQuantizer& quantizer) {
  GUARDBIT_CHECK(quantizer.bits >= 2 && quantizer.bits <= 8, "codes have 2..8 bits");
  constexpr int kSteps = 40;
  constexpr int kLeastStep = 16;
  const Range range = range_of(values);
  CodeGrid best = grid_of(range, 1, quantizer);
  if (!quantizer.clip) return best;
  double least_error = squared_error(values, best);
  for (int step = kSteps - 1; step >= kLeastStep; --step) {
    const CodeGrid grid = grid_of(range, static_cast<double>(step) / kSteps, quantizer);
    const double error = squared_error(values, grid);
    if (!(error < least_error)) continue;
    least_error = error;
    best = grid;
  }
  return best;
}

QuantizedWeight round_to_nearest(const Matrix<double>& w, const WeightQuantizer& quantizer) {
  GUARDBIT_CHECK(!quantizer.per_tensor || quantizer.group == 0, "one grid has no groups");
  const std::size_t groups = units::num_groups(w.cols(), quantizer.group);
  const std::size_t width = quantizer.group == 0 ? w.cols() : quantizer.group;
  QuantizedWeight result{.bits = quantizer.bits,
                         .group = quantizer.group,
                         .codes = Matrix<std::int8_t>(w.rows(), w.cols()),
                         .scales = Matrix<float>(w.rows(), groups),
                         .zero_points = {}};
  if (quantizer.asymmetric) result.zero_points = Matrix<std::int8_t>(w.rows(), groups);
  std::vector<double> values(w.data().size());
  std::transform(w.data().begin(), w.data().end(), values.begin(),
                 [](double value) { return static_cast<double>(static_cast<float>(value)); });
  const CodeGrid whole = quantizer.per_tensor ? fit_grid(values, quantizer) : CodeGrid{};
  for (std::size_t n = 0; n < w.rows(); ++n) {
    for (std::size_t g = 0; g < groups; ++g) {
      const std::size_t begin = g * width;
      const std::size_t end = std::min(begin + width, w.cols());
      const std::span<const double> row(values.data() + n * w.cols() + begin, end - begin);
      const CodeGrid grid = quantizer.per_tensor ? whole : fit_grid(row, quantizer);
      result.scales(n, g) = grid.scale;
      if (quantizer.asymmetric) result.zero_points(n, g) = static_cast<std::int8_t>(grid.zero_point);
      for (std::size_t k = begin; k < end; ++k) {
        result.codes(n, k) = static_cast<std::int8_t>(grid.code(row[k - begin]));
      }
    }
  }
  return result;
}

Matrix<double> dequantize(const QuantizedWeight& weight) {
  Matrix<double> result(weight.codes.rows(), weight.codes.cols());
  for (std::size_t n = 0; n < result.rows(); ++n) {
    for (std::size_t k = 0; k < result.cols(); ++k) {
      const std::size_t g = weight.group_of(k);
      const int zero = weight.is_symmetric() ? 0 : weight.zero_points(n, g);
      result(n, k) = static_cast<double>(weight.scales(n, g)) * (weight.codes(n, k) - zero);
    }
  }
  return result;
}

WeightQuantizer quantizer_of(const MethodArguments& arguments, const CalibrationOptions& options) {
  return {.bits = options.weight_bits,
          .group = static_cast<std::size_t>(arguments.integer("group")),
          .asymmetric = arguments.flag("asym"),
          .clip = arguments.flag("clip")};
}

void outline_codes(transformer::Op& op, const WeightQuantizer& quantizer) {
  op.codes = {.bits = quantizer.bits,
              .group = static_cast<int>(quantizer.group),
              .zero_points = quantizer.asymmetric,
              .scaled_sums = op.codes.scaled_sums};
}

template <class T>
void store_codes(Model<T>& model, Op& op, QuantizedWeight codes) {
  op.codes = {.bits = codes.bits,
              .group = static_cast<int>(codes.group),
              .zero_points = !codes.is_symmetric(),
              .scaled_sums = op.codes.scaled_sums};
  model.quantized_weights[op.weight] = std::move(codes);
}

template <class T>
std::vector<Op*> quantized_layers(Model<T>& model) {
  std::vector<Op*> layers;
  for (Op& op : model.ops) {
    const bool is_layer = op.kind == transformer::OpKind::kLinear;
    if (is_layer && op.operand_class == transformer::OperandClass::kLinear) layers.push_back(&op);
  }
  return layers;
}

template <class T>
void round_layers_to_nearest(Model<T>& model, const WeightQuantizer& quantizer, const MethodProgress& progress) {
  const std::vector<Op*> layers = quantized_layers(model);
  std::size_t num_done = 0;
  if (progress) progress(0, layers.size());
  for (Op* const op : layers) {
    const Matrix<T>& weight = model.weights.at(op->weight);
    const std::vector<double> values(weight.data().begin(), weight.data().end());
    store_codes(model, *op, round_to_nearest(Matrix<double>(weight.rows(), weight.cols(), values), quantizer));
    if (progress) progress(++num_done, layers.size());
  }
}

template void store_codes(Model<float>&, Op&, QuantizedWeight);
template void store_codes(Model<double>&, Op&, QuantizedWeight);
template std::vector<Op*> quantized_layers(Model<float>&);
template std::vector<Op*> quantized_layers(Model<double>&);
template void round_layers_to_nearest(Model<float>&, const WeightQuantizer&, const MethodProgress&);
template void round_layers_to_nearest(Model<double>&, const WeightQuantizer&, const MethodProgress&);

}  // namespace guardbit::calibration
