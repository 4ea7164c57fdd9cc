#pragma once
/// Tensors of a file brought into a number format, with every event of it. What `guardbit quantize` does.
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "models/numerics/int_format.h"
#include "models/numerics/matrix.h"
#include "models/numerics/rounding.h"
#include "sim/stats/probe_result.h"

namespace guardbit::sim {

enum class ScaleKind {
  kNone,
  kTensor,  ///< one scale: fp32(max |x| / largest finite value), so that the largest element becomes the largest value
  kRow,     ///< one per row (all dimensions but the last)
};

/// value = round(x / scale), one rounding; integers: ties to even, clamped.
struct QuantizeOptions {
  std::filesystem::path input;                 ///< .npy or .safetensors
  std::filesystem::path output;                ///< .npy or .safetensors
  std::vector<std::string> tensors;            ///< of a safetensors file; empty: all
  numerics::FloatSpec spec;                    ///< destination, if it is a float
  std::optional<numerics::IntFormat> integer;  ///< int2..int8
  ScaleKind scale = ScaleKind::kNone;
  bool pow2 = false;       ///< scales rounded up to powers of two
  bool carrier = false;    ///< write value * scale as binary32 instead of codes
  std::uint64_t seed = 0;  ///< stochastic rounding: element (row, col) of tensor t draws stream unit t
  numerics::ParallelFor parallel_for;
};

/// Reads, converts and writes; the output appears whole or not at all. Codes are unsigned integers of 1, 2 or 4 bytes
/// (integers: int8), one code each, not packed. A .safetensors output names format and scales in its metadata and has
/// the scales as "<name>.scale"; a .npy output holds codes without scales, so that scaled codes are refused there.
/// UserError: kUsage for names of files and tensors, kMissingInput, kMalformedInput, kRefused, output errors.
[[nodiscard]] QuantizeResult quantize_file(const QuantizeOptions& options);

}  // namespace guardbit::sim
