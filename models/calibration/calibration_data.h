#pragma once
/// Calibration text and what a model's linear layers make of it: the inputs of every layer, their second moments and
/// magnitudes.
#include <functional>
#include <span>
#include <vector>

#include "models/transformer/model.h"

namespace guardbit::calibration {

using numerics::Matrix;
using transformer::Model;
using transformer::Op;

/// Token windows, as the model reads them: 1 to context_length ids each, below the vocabulary size.
struct CalibrationData {
  std::vector<std::vector<int>> windows;
  numerics::ParallelFor parallel_for;  ///< never changes a result
};

/// Linear layers that read one tensor behind one rotation: q, k and v; o; gate and up; down.
struct LayerGroup {
  std::vector<std::size_t> readers;  ///< indices of ops, ascending
};

/// The layers of class kLinear (not the head), in the order in which their inputs exist.
template <class T>
std::vector<LayerGroup> layer_groups(const Model<T>& model);

/// The rotated inputs (tokens, K) of a group's layers, one matrix per window.
template <class T>
using LayerInputs = std::vector<Matrix<T>>;

/// One reference forward over all windows that stops before each group: visit(group, inputs) may change the weights of
/// the group's readers (of no earlier layer), and everything behind is computed with what it leaves. Between visits
/// only tensors that are read later are kept: tokens * (stream and the group's input) elements of T.
/// `progress` is told, from this thread, how many of the ops of all windows are done; the last time behind the last
/// visit. It may be empty.
template <class T>
void visit_layer_inputs(Model<T>& model, const CalibrationData& data,
                        const std::function<void(const LayerGroup& group, const LayerInputs<T>& inputs)>& visit,
                        const std::function<void(std::size_t done, std::size_t total)>& progress = {});

/// H = sum of x x^T over all tokens of all windows, (K, K) symmetric. Within a window products and sums are in T in
/// ascending token order (float: fused, kernels::gemm_fp32), windows are added in binary64 in their order. The result
/// does not depend on threads. Test: tests/unit/calibration_data_test.cpp.
template <class T>
Matrix<double> second_moment(const LayerInputs<T>& inputs, const numerics::ParallelFor& parallel_for = {});

/// Of every channel over all tokens of all windows, (1, K).
struct ChannelMagnitudes {
  Matrix<double> mean;  ///< of |x|; summed in binary64 in the order of the tokens
  Matrix<double> max;   ///< of |x|
};
template <class T>
ChannelMagnitudes channel_magnitudes(const LayerInputs<T>& inputs);

}  // namespace guardbit::calibration
