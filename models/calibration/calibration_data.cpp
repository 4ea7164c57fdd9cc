#include "models/calibration/calibration_data.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <utility>

#include "models/transformer/matmul.h"
#include "models/transformer/reference.h"
#include "models/transformer/rotation.h"

namespace guardbit::calibration {
namespace {

using transformer::Activations;
using transformer::OpKind;

bool is_calibrated(const Op& op) {
  return op.kind == OpKind::kLinear && op.operand_class == transformer::OperandClass::kLinear;
}

/// By tensor: the last op that reads it.
template <class T>
std::map<std::string, std::size_t> last_readers(const Model<T>& model) {
  std::map<std::string, std::size_t> last;
  for (std::size_t index = 0; index < model.ops.size(); ++index)
    for (const std::string& input : model.ops[index].inputs) last[input] = index;
  return last;
}

/// The forward of one window, as far as it has come.
template <class T>
struct WindowForward {
  std::span<const int> tokens;
  Activations<T> live;

  void run(const Model<T>& model, const std::map<std::string, std::size_t>& last_reader, std::size_t begin,
           std::size_t end, const numerics::ParallelFor& parallel_for) {
    for (std::size_t index = begin; index < end; ++index) {
      const Op& op = model.ops[index];
      live[op.output] = transformer::run_reference_op(model, op, tokens, live, parallel_for);
      for (const std::string& input : op.inputs)
        if (last_reader.at(input) == index) live.erase(input);
    }
  }

  Matrix<T> input_of(const Op& op, const numerics::ParallelFor& parallel_for) const {
    Matrix<T> input = live.at(op.inputs[0]);
    transformer::rotate_rows(input, op.rotation, transformer::RotationDirection::kForward, parallel_for);
    return input;
  }
};

}  // namespace

template <class T>
std::vector<LayerGroup> layer_groups(const Model<T>& model) {
  std::vector<LayerGroup> groups;
  for (std::size_t index = 0; index < model.ops.size(); ++index) {
    const Op& op = model.ops[index];
    if (!is_calibrated(op)) continue;
    const auto same_input = [&](const LayerGroup& group) {
      const Op& first = model.ops[group.readers.front()];
      return first.inputs == op.inputs && first.rotation == op.rotation;
    };
    const auto found = std::find_if(groups.begin(), groups.end(), same_input);
    if (found == groups.end()) {
      groups.push_back({{index}});
    } else {
      found->readers.push_back(index);
    }
  }
  return groups;
}

template <class T>
void visit_layer_inputs(Model<T>& model, const CalibrationData& data,
                        const std::function<void(const LayerGroup& group, const LayerInputs<T>& inputs)>& visit,
                        const std::function<void(std::size_t done, std::size_t total)>& progress) {
  const std::map<std::string, std::size_t> last_reader = last_readers(model);
  std::vector<WindowForward<T>> forwards;
  for (const std::vector<int>& window : data.windows) forwards.push_back({window, {}});
  const std::vector<LayerGroup> groups = layer_groups(model);
  const std::size_t num_ops = groups.empty() ? 0 : groups.back().readers.front() * forwards.size();
  std::size_t done = 0;
  std::size_t ops_done = 0;  // of all windows
  for (const LayerGroup& group : groups) {
    const std::size_t next = group.readers.front();
    LayerInputs<T> inputs;
    for (WindowForward<T>& forward : forwards) {
      if (progress) progress(ops_done, num_ops);
      forward.run(model, last_reader, done, next, data.parallel_for);
      ops_done += next - done;
      inputs.push_back(forward.input_of(model.ops[next], data.parallel_for));
    }
    visit(group, inputs);
    done = next;
  }
  if (progress && num_ops > 0) progress(num_ops, num_ops);
}

template <class T>
Matrix<double> second_moment(const LayerInputs<T>& inputs, const numerics::ParallelFor& parallel_for) {
  constexpr std::size_t kPanel =
      256;  // rows of H at a time, up to their diagonal: what lies above is their mirror image
  GUARDBIT_CHECK(!inputs.empty(), "calibration has at least one window");
  const std::size_t num_channels = inputs.front().cols();
  Matrix<double> moment(num_channels, num_channels);
  for (const Matrix<T>& x : inputs)
    for (std::size_t begin = 0; begin < num_channels; begin += kPanel) {
      const std::size_t end = std::min(begin + kPanel, num_channels);
      Matrix<T> part(end - begin, end);
      transformer::multiply(x.view().cols_range(begin, end).transposed(), x.view().cols_range(0, end), parallel_for,
                            part.view());
      for (std::size_t i = begin; i < end; ++i)
        for (std::size_t j = 0; j <= i; ++j) moment(i, j) += static_cast<double>(part(i - begin, j));
    }
  for (std::size_t i = 0; i < num_channels; ++i)
    for (std::size_t j = 0; j < i; ++j) moment(j, i) = moment(i, j);
  return moment;
}

template <class T>
ChannelMagnitudes channel_magnitudes(const LayerInputs<T>& inputs) {
  GUARDBIT_CHECK(!inputs.empty(), "calibration has at least one window");
  const std::size_t num_channels = inputs.front().cols();
  ChannelMagnitudes magnitudes{Matrix<double>(1, num_channels), Matrix<double>(1, num_channels)};
  std::size_t num_tokens = 0;
  for (const Matrix<T>& x : inputs) {
    num_tokens += x.rows();
    for (std::size_t t = 0; t < x.rows(); ++t)
      for (std::size_t c = 0; c < num_channels; ++c) {
        const double magnitude = std::abs(static_cast<double>(x(t, c)));
        magnitudes.mean(0, c) += magnitude;
        magnitudes.max(0, c) = std::max(magnitudes.max(0, c), magnitude);
      }
  }
  for (double& value : magnitudes.mean.data()) value /= static_cast<double>(num_tokens);
  return magnitudes;
}

template std::vector<LayerGroup> layer_groups(const Model<float>&);
template std::vector<LayerGroup> layer_groups(const Model<double>&);
template void visit_layer_inputs(Model<float>&, const CalibrationData&,
                                 const std::function<void(const LayerGroup&, const LayerInputs<float>&)>&,
                                 const std::function<void(std::size_t, std::size_t)>&);
template void visit_layer_inputs(Model<double>&, const CalibrationData&,
                                 const std::function<void(const LayerGroup&, const LayerInputs<double>&)>&,
                                 const std::function<void(std::size_t, std::size_t)>&);
template Matrix<double> second_moment(const LayerInputs<float>&, const numerics::ParallelFor&);
template Matrix<double> second_moment(const LayerInputs<double>&, const numerics::ParallelFor&);
template ChannelMagnitudes channel_magnitudes(const LayerInputs<float>&);
template ChannelMagnitudes channel_magnitudes(const LayerInputs<double>&);

}  // namespace guardbit::calibration
