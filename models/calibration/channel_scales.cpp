#include "models/calibration/channel_scales.h"

#include <algorithm>
#include <numeric>

#include "models/calibration/model_access.h"

namespace guardbit::calibration {
namespace {

template <class T>
std::optional<std::size_t> op_writing(const Model<T>& model, const std::string& tensor) {
  for (std::size_t index = 0; index < model.ops.size(); ++index)
    if (model.ops[index].output == tensor) return index;
  return std::nullopt;
}

ScalePlace channel_by_channel(std::size_t writer, std::size_t num_channels) {
  ScalePlace place{writer, std::vector<std::size_t>(num_channels), num_channels};
  std::iota(place.source.begin(), place.source.end(), std::size_t{0});
  return place;
}

ScalePlace through_heads(std::size_t writer, const transformer::ModelShape& shape) {
  const auto head_size = static_cast<std::size_t>(shape.head_size);
  const auto num_heads = static_cast<std::size_t>(shape.num_heads);
  const auto num_kv_heads = static_cast<std::size_t>(shape.num_kv_heads);
  ScalePlace place{writer, {}, num_kv_heads * head_size};
  for (std::size_t channel = 0; channel < num_heads * head_size; ++channel)
    place.source.push_back(channel / head_size * num_kv_heads / num_heads * head_size + channel % head_size);
  return place;
}

/// values (1, n) or rows (n, m) divided by the scale of their element or row.
template <class T>
void divide_outputs(Matrix<T>& m, const Matrix<double>& scales, bool by_row) {
  GUARDBIT_CHECK((by_row ? m.rows() : m.cols()) == scales.cols(), "one scale per output channel");
  for (std::size_t r = 0; r < m.rows(); ++r)
    for (std::size_t c = 0; c < m.cols(); ++c)
      m(r, c) = static_cast<T>(static_cast<double>(m(r, c)) / scales(0, by_row ? r : c));
}

}  // namespace

template <class T>
std::optional<ScalePlace> scale_place(const Model<T>& model, const LayerGroup& group) {
  const Op& reader = model.ops[group.readers.front()];
  if (reader.rotation.size != 0) return std::nullopt;
  const std::optional<std::size_t> before = op_writing(model, reader.inputs[0]);
  if (!before) return std::nullopt;
  const Op& op = model.ops[*before];
  const std::size_t num_channels = model.weights.at(reader.weight).cols();
  if (is_stream_norm(op)) return channel_by_channel(*before, num_channels);
  const bool takes_factors = op.kind == OpKind::kValues || op.kind == OpKind::kGate ||
                             (op.kind == OpKind::kActivation && op.activation == transformer::ActivationKind::kRelu);
  if (!takes_factors) return std::nullopt;
  const std::optional<std::size_t> writer = op_writing(model, op.inputs.back());  // v, up, up
  GUARDBIT_CHECK(writer && model.ops[*writer].kind == OpKind::kLinear, "a linear layer writes " + op.inputs.back());
  return op.kind == OpKind::kValues ? through_heads(*writer, model.shape) : channel_by_channel(*writer, num_channels);
}

Matrix<double> largest_by_source(const ScalePlace& place, const Matrix<double>& by_channel) {
  Matrix<double> result(1, place.num_sources);
  for (std::size_t c = 0; c < by_channel.cols(); ++c)
    result(0, place.source[c]) = std::max(result(0, place.source[c]), by_channel(0, c));
  return result;
}

Matrix<double> mean_by_source(const ScalePlace& place, const Matrix<double>& by_channel) {
  Matrix<double> result(1, place.num_sources);
  const auto sharing = static_cast<double>(by_channel.cols() / place.num_sources);
  for (std::size_t c = 0; c < by_channel.cols(); ++c) result(0, place.source[c]) += by_channel(0, c) / sharing;
  return result;
}

Matrix<double> by_channel(const ScalePlace& place, const Matrix<double>& by_source) {
  Matrix<double> result(1, place.source.size());
  for (std::size_t c = 0; c < result.cols(); ++c) result(0, c) = by_source(0, place.source[c]);
  return result;
}

template <class T>
void fold_scales(Model<T>& model, const LayerGroup& group, const ScalePlace& place, const Matrix<double>& scales) {
  const Op& writer = model.ops[place.writer];
  divide_outputs(matrix_named(model, writer.weight), scales, /*by_row=*/writer.kind == OpKind::kLinear);
  if (!writer.bias.empty()) divide_outputs(matrix_named(model, writer.bias), scales, /*by_row=*/false);
  for (const std::size_t index : group.readers) {
    Matrix<T>& weight = matrix_named(model, model.ops[index].weight);
    for (std::size_t n = 0; n < weight.rows(); ++n)
      for (std::size_t k = 0; k < weight.cols(); ++k)
        weight(n, k) = static_cast<T>(static_cast<double>(weight(n, k)) * scales(0, place.source[k]));
  }
}

template std::optional<ScalePlace> scale_place(const Model<float>&, const LayerGroup&);
template std::optional<ScalePlace> scale_place(const Model<double>&, const LayerGroup&);
template void fold_scales(Model<float>&, const LayerGroup&, const ScalePlace&, const Matrix<double>&);
template void fold_scales(Model<double>&, const LayerGroup&, const ScalePlace&, const Matrix<double>&);

}  // namespace guardbit::calibration
