#include "models/transformer/reference.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "models/transformer/matmul.h"
#include "models/transformer/rotation.h"

namespace guardbit::transformer {
namespace {

template <class T>
struct Context {
  const Model<T>& model;
  const Op& op;
  std::span<const int> tokens;
  const Activations<T>& activations;
  const numerics::ParallelFor& parallel_for;

  const Matrix<T>& input(std::size_t index) const {
    GUARDBIT_CHECK(index < op.inputs.size(), op.name + " has too few inputs");
    const auto found = activations.find(op.inputs[index]);
    GUARDBIT_CHECK(found != activations.end(), op.name + " reads " + op.inputs[index] + ", which no earlier op wrote");
    return found->second;
  }
  const Matrix<T>& weight(const std::string& name) const {
    const auto found = model.weights.find(name);
    GUARDBIT_CHECK(found != model.weights.end(), op.name + " uses " + name + ", which the model does not have");
    return found->second;
  }
  std::size_t num_heads() const { return static_cast<std::size_t>(model.shape.num_heads); }
  std::size_t head_size() const { return static_cast<std::size_t>(model.shape.head_size); }
  /// Keys that row r of the scores, which lie head by head, sees.
  std::size_t num_visible(std::size_t r, std::size_t num_tokens) const {
    return op.causal ? r % num_tokens + 1 : num_tokens;
  }
  /// Columns of the key/value tensor that query head `head` uses.
  MatrixView<const T> kv_head(const Matrix<T>& kv, std::size_t head) const {
    const std::size_t kv_index = head * static_cast<std::size_t>(model.shape.num_kv_heads) / num_heads();
    return kv.view().cols_range(kv_index * head_size(), (kv_index + 1) * head_size());
  }
};

template <class T>
Matrix<T> run_embed(const Context<T>& context) {
  const Matrix<T>& table = context.weight(context.op.weight);
  const Matrix<T>* positions = context.op.bias.empty() ? nullptr : &context.weight(context.op.bias);
  Matrix<T> result(context.tokens.size(), table.cols());
  for (std::size_t t = 0; t < result.rows(); ++t) {
    GUARDBIT_CHECK(context.tokens[t] >= 0 && static_cast<std::size_t>(context.tokens[t]) < table.rows(),
                   "token ids are below the vocabulary size");
    const T* const row = table.row(static_cast<std::size_t>(context.tokens[t]));
    for (std::size_t i = 0; i < result.cols(); ++i)
      result(t, i) = positions == nullptr ? row[i] : row[i] + (*positions)(t, i);
  }
  return result;
}

template <class T>
void normalize_row(std::span<const T> x, NormKind kind, T epsilon, std::span<T> y) {
  const T num_elems = static_cast<T>(x.size());
  T mean = 0;
  if (kind == NormKind::kLayerNorm) {
    for (const T value : x) mean += value;
    mean /= num_elems;
  }
  T sum_of_squares = 0;
  for (const T value : x) sum_of_squares += (value - mean) * (value - mean);
  const T inv_std = T(1) / std::sqrt(sum_of_squares / num_elems + epsilon);
  for (std::size_t i = 0; i < x.size(); ++i) y[i] = (x[i] - mean) * inv_std;
}

template <class T>
Matrix<T> run_norm(const Context<T>& context) {
  const Matrix<T>& x = context.input(0);
  const Matrix<T>& gamma = context.weight(context.op.weight);
  const Matrix<T>* beta = context.op.bias.empty() ? nullptr : &context.weight(context.op.bias);
  const std::size_t size = context.op.norm_size == 0 ? x.cols() : static_cast<std::size_t>(context.op.norm_size);
  Matrix<T> result(x.rows(), x.cols());
  for_row_blocks(context.parallel_for, x.rows(), [&](std::size_t begin, std::size_t end) {
    for (std::size_t first = begin * x.cols(); first < end * x.cols(); first += size) {
      T* const y = result.data().data() + first;
      normalize_row<T>({x.data().data() + first, size}, context.op.norm, static_cast<T>(context.op.epsilon), {y, size});
      for (std::size_t i = 0; i < size; ++i) y[i] = y[i] * gamma(0, i) + (beta == nullptr ? T(0) : (*beta)(0, i));
    }
  });
  return result;
}

template <class T>
Matrix<T> run_linear(const Context<T>& context) {
  Matrix<T> rotated;
  const Matrix<T>* x = &context.input(0);
  if (context.op.rotation.size != 0) {
    rotated = *x;
    rotate_rows(rotated, context.op.rotation, RotationDirection::kForward, context.parallel_for);
    x = &rotated;
  }
  const Matrix<T>& weight = context.weight(context.op.weight);
  Matrix<T> result(x->rows(), weight.rows());
  multiply(x->view(), weight.view().transposed(), context.parallel_for, result.view());
  if (!context.op.bias.empty()) {
    const Matrix<T>& bias = context.weight(context.op.bias);
    for (std::size_t t = 0; t < result.rows(); ++t)
      for (std::size_t n = 0; n < result.cols(); ++n) result(t, n) += bias(0, n);
  }
  return result;
}

template <class T>
Matrix<T> run_rope(const Context<T>& context) {
  const Matrix<T>& x = context.input(0);
  const ModelShape& shape = context.model.shape;
  const std::size_t head_size = context.head_size();
  const bool halves = shape.rope_pairs == units::RopePairs::kHalves;
  const std::size_t apart = halves ? head_size / 2 : 1;  // columns between the elements of a pair
  Matrix<T> result(x.rows(), x.cols());
  for (std::size_t pair = 0; pair < head_size / 2; ++pair) {
    const double frequency = units::scaled_frequency(
        shape.rope_scaling,
        std::pow(shape.rope_theta, -2.0 * static_cast<double>(pair) / static_cast<double>(head_size)));
    for (std::size_t t = 0; t < x.rows(); ++t) {
      const double angle = static_cast<double>(t) * frequency;
      const T cosine = static_cast<T>(std::cos(angle));
      const T sine = static_cast<T>(std::sin(angle));
      for (std::size_t i = halves ? pair : 2 * pair; i < x.cols(); i += head_size) {
        result(t, i) = x(t, i) * cosine - x(t, i + apart) * sine;
        result(t, i + apart) = x(t, i) * sine + x(t, i + apart) * cosine;
      }
    }
  }
  return result;
}

template <class T>
Matrix<T> run_scores(const Context<T>& context) {
  const Matrix<T>& q = context.input(0);
  const Matrix<T>& k = context.input(1);
  const std::size_t num_tokens = q.rows();
  const std::size_t head_size = context.head_size();
  const T scale = T(1) / std::sqrt(static_cast<T>(head_size));
  Matrix<T> result(context.num_heads() * num_tokens, num_tokens);
  for (std::size_t head = 0; head < context.num_heads(); ++head)
    multiply(q.view().cols_range(head * head_size, (head + 1) * head_size), context.kv_head(k, head).transposed(),
             context.parallel_for, result.view().rows_range(head * num_tokens, (head + 1) * num_tokens));
  for_row_blocks(context.parallel_for, result.rows(), [&](std::size_t begin, std::size_t end) {
    for (std::size_t r = begin; r < end; ++r) {
      T* const row = result.row(r);
      const std::size_t num_visible = context.num_visible(r, num_tokens);
      for (std::size_t column = 0; column < num_visible; ++column) row[column] *= scale;
      std::fill(row + num_visible, row + num_tokens, T(0));
    }
  });
  return result;
}

template <class T>
Matrix<T> run_softmax(const Context<T>& context) {
  const Matrix<T>& scores = context.input(0);
  Matrix<T> result(scores.rows(), scores.cols());
  for_row_blocks(context.parallel_for, scores.rows(), [&](std::size_t begin, std::size_t end) {
    for (std::size_t r = begin; r < end; ++r) {
      const std::size_t num_visible = context.num_visible(r, scores.cols());
      const T* const row = scores.row(r);
      const T largest = *std::max_element(row, row + num_visible);
      T sum = 0;
      for (std::size_t i = 0; i < num_visible; ++i) sum += result(r, i) = std::exp(row[i] - largest);
      for (std::size_t i = 0; i < num_visible; ++i) result(r, i) /= sum;
    }
  });
  return result;
}

template <class T>
Matrix<T> run_values(const Context<T>& context) {
  const Matrix<T>& probabilities = context.input(0);
  const Matrix<T>& v = context.input(1);
  const std::size_t num_tokens = v.rows();
  const std::size_t head_size = context.head_size();
  Matrix<T> result(num_tokens, context.num_heads() * head_size);
  for (std::size_t head = 0; head < context.num_heads(); ++head)
    multiply(probabilities.view().rows_range(head * num_tokens, (head + 1) * num_tokens), context.kv_head(v, head),
             context.parallel_for, result.view().cols_range(head * head_size, (head + 1) * head_size));
  return result;
}

template <class T>
Matrix<T> run_activation(const Context<T>& context) {
  const Matrix<T>& x = context.input(0);
  const Matrix<T>* up = context.op.kind == OpKind::kGate ? &context.input(1) : nullptr;
  Matrix<T> result(x.rows(), x.cols());
  for_row_blocks(context.parallel_for, x.rows(), [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin * x.cols(); i < end * x.cols(); ++i) {
      const T value = activate(context.op.activation, x.data()[i]);
      result.data()[i] = up == nullptr ? value : value * up->data()[i];
    }
  });
  return result;
}

template <class T>
Matrix<T> run_residual(const Context<T>& context) {
  Matrix<T> result = context.input(0);
  const Matrix<T>& branch = context.input(1);
  for (std::size_t i = 0; i < result.data().size(); ++i) result.data()[i] += branch.data()[i];
  return result;
}

template <class T>
void check_window(const Model<T>& model, std::span<const int> tokens) {
  GUARDBIT_CHECK(!tokens.empty() && tokens.size() <= static_cast<std::size_t>(model.shape.context_length),
                 "a window has 1 to context_length tokens");
}
}  // namespace

template <class T>
T activate(ActivationKind kind, T x) {
  constexpr T kHalf = T(0.5);
  constexpr T kCubic = static_cast<T>(0.044715);
  constexpr T kSqrtTwoOverPi = std::numbers::sqrt2_v<T> * std::numbers::inv_sqrtpi_v<T>;
  switch (kind) {
    case ActivationKind::kGeluTanh: return kHalf * x * (T(1) + std::tanh(kSqrtTwoOverPi * (x + kCubic * x * x * x)));
    case ActivationKind::kGelu: return kHalf * x * (T(1) + std::erf(x / std::numbers::sqrt2_v<T>));
    case ActivationKind::kSilu: return x / (T(1) + std::exp(-x));
    case ActivationKind::kRelu: return x > T(0) ? x : T(0);
  }
  GUARDBIT_CHECK(false, "ActivationKind is a closed set");
}

template <class T>
Matrix<T> run_reference_op(const Model<T>& model, const Op& op, std::span<const int> tokens,
                           const Activations<T>& inputs, const numerics::ParallelFor& parallel_for) {
  const Context<T> context{model, op, tokens, inputs, parallel_for};
  switch (op.kind) {
    case OpKind::kEmbed: return run_embed(context);
    case OpKind::kNorm: return run_norm(context);
    case OpKind::kLinear: return run_linear(context);
    case OpKind::kRope: return run_rope(context);
    case OpKind::kScores: return run_scores(context);
    case OpKind::kSoftmax: return run_softmax(context);
    case OpKind::kValues: return run_values(context);
    case OpKind::kActivation:
    case OpKind::kGate: return run_activation(context);
    case OpKind::kResidual: return run_residual(context);
  }
  GUARDBIT_CHECK(false, "OpKind is a closed set");
}

template <class T>
Activations<T> run_reference(const Model<T>& model, std::span<const int> tokens,
                             const numerics::ParallelFor& parallel_for) {
  check_window(model, tokens);
  Activations<T> activations;
  for (const Op& op : model.ops)
    activations[op.output] = run_reference_op(model, op, tokens, activations, parallel_for);
  return activations;
}

template <class T>
void visit_reference(const Model<T>& model, std::span<const int> tokens,
                     const std::function<void(const Op& op, const Matrix<T>& output)>& visit,
                     const numerics::ParallelFor& parallel_for) {
  check_window(model, tokens);
  std::map<std::string, std::size_t> last_reader;
  for (std::size_t index = 0; index < model.ops.size(); ++index) {
    for (const std::string& input : model.ops[index].inputs) last_reader[input] = index;
  }
  Activations<T> live;
  for (std::size_t index = 0; index < model.ops.size(); ++index) {
    const Op& op = model.ops[index];
    const Matrix<T>& output = live[op.output] = run_reference_op(model, op, tokens, live, parallel_for);
    visit(op, output);
    for (const std::string& input : op.inputs) {
      if (last_reader.at(input) == index) live.erase(input);
    }
    if (!last_reader.contains(op.output)) live.erase(op.output);
  }
}

template float activate(ActivationKind, float);
template double activate(ActivationKind, double);
template Matrix<float> run_reference_op(const Model<float>&, const Op&, std::span<const int>, const Activations<float>&,
                                        const numerics::ParallelFor&);
template Matrix<double> run_reference_op(const Model<double>&, const Op&, std::span<const int>,
                                         const Activations<double>&, const numerics::ParallelFor&);
template Activations<float> run_reference(const Model<float>&, std::span<const int>, const numerics::ParallelFor&);
template Activations<double> run_reference(const Model<double>&, std::span<const int>, const numerics::ParallelFor&);
template void visit_reference(const Model<float>&, std::span<const int>,
                              const std::function<void(const Op&, const Matrix<float>&)>&,
                              const numerics::ParallelFor&);
template void visit_reference(const Model<double>&, std::span<const int>,
                              const std::function<void(const Op&, const Matrix<double>&)>&,
                              const numerics::ParallelFor&);

}  // namespace guardbit::transformer
