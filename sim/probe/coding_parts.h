#pragma once
/// What the codings of tensor_coder.h share: arrays of codes, statistics that are collected in pieces, and the values
/// that codes stand for.
#include <span>

#include "sim/probe/tensor_coder.h"
#include "sim/probe/value_statistics.h"

namespace guardbit::sim {

/// Codes of one width, little endian.
class CodeArray {
 public:
  CodeArray(std::size_t count, int bits, bool is_signed);
  void set(std::size_t index, std::int64_t code);
  /// The array under a name; it is empty afterwards.
  EncodedTensor take(std::string name, std::vector<std::uint64_t> shape);

 private:
  std::size_t code_bytes_;
  bool is_signed_;
  std::vector<unsigned char> bytes_;
};

/// Values as binary32.
[[nodiscard]] EncodedTensor float_tensor(std::string name, std::vector<std::uint64_t> shape,
                                         std::span<const float> values);

/// value * scale, rounded once to binary32.
[[nodiscard]] float scaled_carrier(double value, float scale);

/// fp32(dividend / divisor) kept positive and finite, rounded up to a power of two if `pow2`; 1 for a dividend of zero.
[[nodiscard]] float positive_scale(float dividend, double divisor, bool pow2);

/// Of some rows or lines of a tensor.
struct CodingStatistics {
  numerics::EventCounts events;
  ErrorSums errors;
  ExponentHistogram inputs;
  ExponentHistogram outputs;
  std::uint64_t num_without_quotient = 0;  ///< non-zero elements whose scale is zero

  /// Element x whose code stands for value * scale.
  void add(float x, double value, double scale);
};

/// The report of a tensor from its pieces in order and its scales (times the tensor's own).
[[nodiscard]] QuantizedTensor finish(const SourceTensor& tensor, const TensorCoding& coding,
                                     std::span<const CodingStatistics> pieces, std::span<const float> scales);

/// code_tensor() of a BlockCoding.
[[nodiscard]] CodedTensor code_blocks(const SourceTensor& tensor, const TensorCoding& coding, bool carrier,
                                      const numerics::ParallelFor& parallel_for);

}  // namespace guardbit::sim
