#pragma once
/// The way back from tensor_coder.h: the values that codes stand for.
#include <cstdint>
#include <optional>
#include <vector>

#include "sim/probe/tensor_coder.h"

namespace guardbit::sim {

/// Codes with what belongs to them, as code_tensor() makes them; row major.
struct StoredTensor {
  std::vector<std::uint64_t> shape;
  std::vector<std::int64_t> codes;
  std::vector<float> scales;              ///< float, intN, uintN: none (1), one, or one per row (all but the last axis)
  std::vector<std::int64_t> zero_points;  ///< uintN: none (0), or as many as scales
  std::vector<std::uint8_t> block_scales;  ///< of block formats
  std::vector<std::uint64_t> block_scales_shape;
  std::optional<float> tensor_scale;  ///< of nvfp4
};

/// What TensorCoding says a code stands for, rounded once to binary32: the values of code_tensor(carrier = true).
/// UserError kMalformedInput "codes: ...", "scale: ...", "zero_point: ..." or "tensor_scale: ..." for a code outside
/// the format (with its index), a scale that is not positive and finite, parts that are missing, superfluous or of
/// another shape; kUsage for an axis that the tensor does not have. Test: sim/python's tests.
[[nodiscard]] numerics::Matrix<float> decode_tensor(const StoredTensor& tensor, const TensorCoding& coding,
                                                    const numerics::ParallelFor& parallel_for);

}  // namespace guardbit::sim
