#pragma once
/// Tensors of a file brought into a number format, with every event of it. What `guardbit quantize` does.
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "models/numerics/matrix.h"
#include "sim/probe/tensor_coder.h"
#include "sim/stats/probe_result.h"

namespace guardbit::sim {

struct QuantizeOptions {
  std::filesystem::path input;       ///< .npy or .safetensors
  std::filesystem::path output;      ///< .npy or .safetensors
  std::vector<std::string> tensors;  ///< of a safetensors file; empty: all
  TensorCoding coding;
  bool carrier = false;  ///< write the values that codes and scales stand for, as binary32, instead of them
  numerics::ParallelFor parallel_for;
  /// Told how many tensors are done, of how many; none: nobody listens.
  std::function<void(std::size_t done, std::size_t total)> progress;
};

/// Reads, converts and writes, one tensor after the other; the output appears whole or not at all. A .safetensors
/// output names format and modes in its metadata and has scales and zero points as "<name>.scale", "<name>.zero_point"
/// and
/// "<name>.tensor_scale"; a .npy output holds codes alone, so that formats and options with scales are refused there.
/// UserError: kUsage for names of files and tensors and for an axis that a tensor does not have, kMissingInput,
/// kMalformedInput, kRefused if input and outputs do not fit in memory, output errors.
[[nodiscard]] QuantizeResult quantize_file(const QuantizeOptions& options);

}  // namespace guardbit::sim
