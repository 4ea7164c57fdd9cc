#pragma once
/// The model in floating point without hardware: what the simulated results are compared with.
#include <functional>
#include <map>
#include <span>

#include "models/transformer/model.h"

namespace guardbit::transformer {

/// Outputs of every op of one window, by tensor name. Scores and probabilities are (num_heads * T, T), rows head-major;
/// masked positions (column > row) are 0 in both.
template <class T>
using Activations = std::map<std::string, Matrix<T>>;

/// Forward of one window of token ids, all ops in order. T = float: matrix products by kernels::gemm_fp32, the rest in
/// binary32 with std::exp/tanh; T = double: binary64 throughout. An op's runtime rotation is applied (exactly, in T);
/// smoothing and input scales do not change the function and are ignored here.
/// `rotate_input` results are not in the map: an op's output is what it computes.
template <class T>
Activations<T> run_reference(const Model<T>& model, std::span<const int> tokens,
                             const numerics::ParallelFor& parallel_for = {});

/// The same forward without keeping what no later op reads: visit(op, output) behind every op, in order; the outputs
/// are run_reference's, bit for bit.
template <class T>
void visit_reference(const Model<T>& model, std::span<const int> tokens,
                     const std::function<void(const Op& op, const Matrix<T>& output)>& visit,
                     const numerics::ParallelFor& parallel_for = {});

/// One op on given inputs (by the names it uses); the step of run_reference.
template <class T>
Matrix<T> run_reference_op(const Model<T>& model, const Op& op, std::span<const int> tokens,
                           const Activations<T>& inputs, const numerics::ParallelFor& parallel_for = {});

/// The activation function of kActivation and kGate on one value, in T. GELU's tanh form is Hendrycks & Gimpel 2016.
template <class T>
T activate(ActivationKind kind, T x);

/// Sum over positions t of -log softmax(logits[t])[targets[t]], in binary64; logits (T, vocabulary).
template <class T>
double negative_log_likelihood(numerics::MatrixView<const T> logits, std::span<const int> targets);
template <class T>
double negative_log_likelihood(const Matrix<T>& logits, std::span<const int> targets) {
  return negative_log_likelihood(logits.view(), targets);
}

}  // namespace guardbit::transformer
