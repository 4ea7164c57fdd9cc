#pragma once
/// Where a matrix of numbers comes from: a generator, a constant, or a file.
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "models/numerics/matrix.h"

namespace guardbit::sim {

/// "normal[:S]", "uniform[:S]", "constant:V", "FILE.npy", "FILE.safetensors[:TENSOR]".
///
/// normal    approximately normal, mean 0, standard deviation S: the sum of twelve independent uniform 16-bit numbers
///           (Irwin-Hall), so that its tails end at 6 S; no libm, the same bits everywhere
/// uniform   S * (2u - 1) with 24-bit u in (0, 1)
/// Element (row, col) of operand number `unit` takes its bits from Philox4x32-10 with key = seed and counter =
/// (row, col, unit, block): it does not depend on the shape or on threads.
struct OperandSource {
  enum class Kind { kNormal, kUniform, kConstant, kNpy, kSafetensors, kMemory };
  Kind kind = Kind::kNormal;
  float scale = 1;  ///< S, or V
  std::filesystem::path file;
  std::string tensor;                                       ///< "": the file's only one
  std::shared_ptr<const numerics::Matrix<float>> memory{};  ///< kMemory: what a file would hold

  /// UserError kUsage naming `option` if `text` is none of these.
  static OperandSource parse(const std::string& text, const std::string& option);
};

/// The (rows, cols) matrix; `transposed`: file or memory hold (cols, rows). UserError kMissingInput or kMalformedInput
/// if a file does not hold exactly that shape in finite numbers that binary32 holds exactly.
[[nodiscard]] numerics::Matrix<float> load_operand(const OperandSource& source, std::size_t rows, std::size_t cols,
                                                   bool transposed, std::uint64_t seed, std::uint32_t unit,
                                                   const numerics::ParallelFor& parallel_for);

}  // namespace guardbit::sim
