/// Function-preserving changes that give a small model a large one's ranges: apply_residual_gain, apply_channel_gain.
#include <algorithm>
#include <cmath>
#include <numeric>
#include <stdexcept>

#include "models/calibration/method.h"
#include "models/calibration/model_access.h"
#include "models/numerics/random_bits.h"

namespace guardbit::calibration {
namespace {

void check_gain(double gain) {
  if (!(gain > 0) || !std::isfinite(gain))
    throw std::invalid_argument("gain is " + std::to_string(gain) + "; expected a positive finite number");
}

template <class T>
void scale_all(Matrix<T>& m, double factor) {
  for (T& value : m.data()) value = static_cast<T>(static_cast<double>(value) * factor);
}

/// The first `count` channels of the permutation that sorts channels by 64 random bits.
std::vector<std::size_t> random_channels(int num_channels, int count, std::uint64_t seed) {
  constexpr std::uint32_t kPurpose = 0x6f7574;  // keeps other users of the seed apart
  std::vector<std::uint64_t> keys;
  for (int i = 0; i < num_channels; ++i) {
    const auto words = numerics::philox4x32({static_cast<std::uint32_t>(i), 0, 0, kPurpose},
                                            {static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)});
    keys.push_back(std::uint64_t{words[1]} << 32 | words[0]);
  }
  std::vector<std::size_t> channels(keys.size());
  std::iota(channels.begin(), channels.end(), std::size_t{0});
  std::stable_sort(channels.begin(), channels.end(), [&](std::size_t a, std::size_t b) { return keys[a] < keys[b]; });
  channels.resize(static_cast<std::size_t>(count));
  return channels;
}

template <class T>
void scale_columns_in_place(Matrix<T>& m, const std::vector<std::size_t>& columns, double factor) {
  for (std::size_t r = 0; r < m.rows(); ++r)
    for (const std::size_t c : columns) m(r, c) = static_cast<T>(static_cast<double>(m(r, c)) * factor);
}

}  // namespace

template <class T>
void apply_residual_gain(Model<T>& model, double gain) {
  check_gain(gain);
  require_pre_norm(model, "residual gain", "their norms end the residual stream behind every block");
  std::vector<Op*> writers = layers_writing_the_stream(model);
  writers.push_back(&op_named(model, "embed"));
  for (const Op* const op : writers) {
    scale_all(matrix_named(model, op->weight), gain);
    if (!op->bias.empty()) scale_all(matrix_named(model, op->bias), gain);
  }
  for (Op& op : model.ops)
    if (is_stream_norm(op)) op.epsilon *= gain * gain;
}

template <class T>
void apply_channel_gain(Model<T>& model, double gain, int count, std::uint64_t seed) {
  check_gain(gain);
  if (count < 0 || count > model.shape.hidden_size)
    throw std::invalid_argument("channel count is " + std::to_string(count) + "; expected 0 to hidden_size (" +
                                std::to_string(model.shape.hidden_size) + ")");
  require_pre_norm(model, "channel gain", "their norms feed the residual stream itself");
  const std::vector<std::size_t> channels = random_channels(model.shape.hidden_size, count, seed);
  for (const Op& norm : model.ops) {
    if (!is_stream_norm(norm)) continue;
    scale_columns_in_place(matrix_named(model, norm.weight), channels, gain);
    if (!norm.bias.empty()) scale_columns_in_place(matrix_named(model, norm.bias), channels, gain);
    for (const Op* const layer : layers_fed_by(model, norm))
      scale_columns_in_place(matrix_named(model, layer->weight), channels, 1 / gain);
  }
}

template void apply_residual_gain(Model<float>&, double);
template void apply_residual_gain(Model<double>&, double);
template void apply_channel_gain(Model<float>&, double, int, std::uint64_t);
template void apply_channel_gain(Model<double>&, double, int, std::uint64_t);

}  // namespace guardbit::calibration
