#pragma once
/// A transformer as the accelerator sees it: an ordered list of unit operations over named activation tensors, and the
/// weights they use. Families (gpt2.cpp, llama.cpp) build it, calibration methods rewrite it, the reference forward and
/// sim/replay execute it. No files, no simulator.
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "models/numerics/matrix.h"
#include "models/numerics/shared_matrix.h"
#include "models/units/quantized_weight.h"
#include "models/units/rope_scaling.h"

namespace guardbit::transformer {

using numerics::Matrix;
using numerics::SharedMatrix;

enum class NormKind { kLayerNorm, kRmsNorm };
enum class ActivationKind { kGeluTanh, kGelu, kSilu, kRelu };

/// Sizes and switches of a model, in the field's terms. Switches that a family does not have keep their defaults.
struct ModelShape {
  std::string family;  ///< key into the family registry
  int hidden_size = 0;
  int num_layers = 0;
  int num_heads = 0;
  int num_kv_heads = 0;  ///< = num_heads without grouped-query attention
  int head_size = 0;
  int intermediate_size = 0;
  int vocabulary_size = 0;
  int context_length = 0;  ///< largest sequence length
  double norm_epsilon = 1e-5;
  double rope_theta = 10000;  ///< llama only, like all up to qk_norm
  units::RopePairs rope_pairs = units::RopePairs::kNeighbours;
  units::RopeScaling rope_scaling;
  bool qkv_bias = false;               ///< q, k and v have a bias (Qwen2)
  bool attention_output_bias = false;  ///< o has a bias
  bool mlp_bias = false;               ///< gate, up and down have a bias
  bool qk_norm = false;                ///< RMSNorm of every head of q and k before the rotation (Qwen3)
  ActivationKind activation = ActivationKind::kGeluTanh;
  bool tied_head = true;  ///< the head's weight is the token embedding
  bool has_head = true;   ///< bert only; false: the model ends in hidden states

  friend bool operator==(const ModelShape&, const ModelShape&) = default;
};

enum class OpKind {
  kEmbed,       ///< token (+ position) embedding -> residual stream
  kNorm,        ///< LayerNorm or RMSNorm of the residual stream
  kLinear,      ///< y = x W^T + b
  kRope,        ///< rotary position embedding of q or k
  kScores,      ///< q k^T / sqrt(head_size), head by head
  kSoftmax,     ///< row softmax of the scores
  kValues,      ///< probabilities times v
  kActivation,  ///< gelu / silu / relu
  kGate,        ///< activation(gate) * up
  kResidual,    ///< residual stream + branch
};
std::string_view name_of(OpKind kind);

/// Which section of the accelerator a matrix product uses.
enum class OperandClass { kLinear, kAttention, kHead };

/// Hadamard transform at run time, along index i of element (block, i, j): K = blocks * size * stride,
/// element = (block * size + i) * stride + j. Full width: size = K, stride = 1. Across heads: size = num_heads,
/// stride = head_size. Orthonormal (scaled by 1/sqrt(size)).
struct RuntimeRotation {
  int size = 0;  ///< 0: none
  int stride = 1;
  friend bool operator==(const RuntimeRotation&, const RuntimeRotation&) = default;
};

/// How a linear layer's weights lie in memory where they were quantized offline (Model::quantized_weights).
struct WeightCodes {
  int bits = 0;              ///< 0: they were not; the hardware rounds them to nearest when it loads them
  int group = 0;             ///< input channels that share a scale; 0: all
  bool zero_points = false;  ///< asymmetric
  /// Of a float array: whether its operands are code - zero point, and scales meet the sums; else operands are scale *
  /// (code - zero point), rounded to the operand format.
  bool scaled_sums = false;
  friend bool operator==(const WeightCodes&, const WeightCodes&) = default;
};

/// One operation. Fields that a kind does not use keep their defaults.
struct Op {
  std::string name;  ///< unique, e.g. "layers.2.mlp.down"; the report's "op"
  OpKind kind = OpKind::kLinear;
  int layer = -1;                   ///< -1: outside the layers
  std::vector<std::string> inputs;  ///< tensor names; kResidual: {stream, branch}; kScores: {q, k}; kValues: {p, v};
                                    ///< kGate: {gate, up}; kEmbed: none
  std::string output;               ///< tensor name; residual stream tensors have names of their own at every step

  std::string weight;  ///< kLinear: (out, in); kNorm: gamma (1, hidden); kEmbed: token table (vocabulary, hidden)
  std::string bias;    ///< kLinear: (1, out); kNorm: beta; kEmbed: position table (context, hidden); "" = none

  OperandClass operand_class = OperandClass::kLinear;  ///< kLinear; kScores and kValues are always kAttention
  RuntimeRotation rotation;                            ///< kLinear: of the input, before smoothing
  bool smooth = false;  ///< kLinear: runtime smoothing of the input (group etc. from [smooth])
  WeightCodes codes;    ///< kLinear

  NormKind norm = NormKind::kLayerNorm;
  double epsilon = 0;                ///< kNorm, unscaled
  double input_scale = 1;            ///< kNorm: static scale s; the unit works on x / s (SLaNC)
  double predicted_norm = 0;         ///< kNorm: the row length that the method behind input_scale expects; 0: none
  bool dynamic_input_scale = false;  ///< kNorm: the unit finds s in every row instead (dynamic max scaling)
  int norm_size = 0;  ///< kNorm: elements normalised together; 0: the whole row; else every head by itself

  bool causal = true;  ///< kScores, kSoftmax, kValues: query t sees keys 0 .. t; false: all keys

  ActivationKind activation = ActivationKind::kGeluTanh;  ///< kActivation, kGate

  friend bool operator==(const Op&, const Op&) = default;
};

/// Weights are T = float for replay, double for tests of identities.
template <class T>
struct Model {
  ModelShape shape;
  std::vector<Op> ops;
  /// By the names that ops use; vectors are (1, n). Copies of a model and a tied head share what none has edited.
  std::map<std::string, SharedMatrix<T>> weights;
  /// Codes of linear layers' weights that were quantized offline, by the weight's name. The hardware multiplies these;
  /// `weights` keeps what they stand for before quantization. Others are rounded to nearest when they are loaded.
  std::map<std::string, units::QuantizedWeight> quantized_weights;
};

}  // namespace guardbit::transformer
