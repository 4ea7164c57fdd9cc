#pragma once
/// One tensor in codes of a number format: which formats there are, what is stored for each, and what was lost.
#include <cstdint>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "models/numerics/block_format.h"
#include "models/numerics/int_format.h"
#include "models/numerics/matrix.h"
#include "models/numerics/rounding.h"
#include "sim/stats/probe_result.h"
#include "sim/trace/encoded_tensors.h"

namespace guardbit::sim {

enum class ScaleKind {
  kNone,
  kTensor,  ///< one scale for all elements
  kRow,     ///< one per row (all dimensions but the last)
};

/// Elements that share a scale with their neighbours along one axis.
struct BlockCoding {
  numerics::NamedBlockFormat format;
  numerics::RoundingMode rounding = numerics::RoundingMode::kTiesToEven;
  int axis = -1;  ///< dimension along which blocks run; negative: from the last
};

/// A destination. What an element x becomes, and what its code stands for:
///   float  round(x / scale), one rounding; value * scale. scale = fp32(max |x| / largest finite value)
///   intN   clamp(rne(x / scale)); code * scale. scale = fp32(max |x| / (2^(N-1) - 1))
///   uintN  clamp(rne(x / scale) + zero_point); (code - zero_point) * scale. With lo = min(x, 0), hi = max(x, 0):
///          scale = fp32(fp32(hi - lo) / (2^N - 1)), the quotient in binary64; zero_point = clamp(rne(-lo / scale))
///   block  numerics::quantize_block(); the last block of a line may be shorter
/// Without scales, scale = 1 and zero_point = 0. A scale is 1 where all x are 0, and is kept positive and finite; NaNs
/// are ignored when it is chosen.
struct TensorCoding {
  std::variant<numerics::FloatSpec, numerics::IntFormat, numerics::UintFormat, BlockCoding> destination;
  ScaleKind scale = ScaleKind::kNone;  ///< not for blocks
  bool pow2 = false;                   ///< scales rounded up to powers of two
  std::uint64_t seed = 0;              ///< stochastic rounding: element (row, col) of tensor t draws stream unit t
};

struct SourceTensor {
  std::string name;
  std::vector<std::uint64_t> shape;
  numerics::Matrix<float> values;  ///< last dimension as columns
  std::uint32_t index = 0;         ///< t of TensorCoding::seed
};

/// What is stored of a tensor, and what it lost.
struct CodedTensor {
  std::vector<EncodedTensor> parts;  ///< codes, then scales and zero points under their own names
  QuantizedTensor report;
};

/// Codes are one element each, not packed, in unsigned integers of 1, 2 or 4 bytes (intN and mxint8: signed).
/// `carrier`: instead of codes, scales and zero points the values that they stand for, rounded to binary32. UserError
/// kUsage if the tensor does not have the axis of a BlockCoding.
[[nodiscard]] CodedTensor code_tensor(const SourceTensor& tensor, const TensorCoding& coding, bool carrier,
                                      const numerics::ParallelFor& parallel_for);

/// Bytes that code_tensor() takes for its result, its scales included; of an axis that there is not, no matter.
[[nodiscard]] double coded_bytes(const std::vector<std::uint64_t>& shape, const TensorCoding& coding, bool carrier);

/// What a file or a report says of a coding: format, rounding, overflow, subnormals, scale and value (what a code
/// stands for); of blocks also block_size and axis.
[[nodiscard]] std::map<std::string, std::string> describe(const TensorCoding& coding);

/// Exponents of the least positive and of the largest value of a code, in units of its scale.
struct ExponentRange {
  int least = 0;
  int largest = 0;
};
[[nodiscard]] ExponentRange exponent_range(const TensorCoding& coding);

}  // namespace guardbit::sim
