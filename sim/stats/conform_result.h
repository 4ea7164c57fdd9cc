#pragma once
/// What checking files of arithmetic test vectors yields, in plain data; sim/conform fills it, sim/report prints it.
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace guardbit::sim {

/// A vector whose result is not the file's.
struct VectorMismatch {
  std::uint64_t line = 0;  ///< from 1
  std::string vector;      ///< the line, or the block and output it belongs to
  std::string column;      ///< which result: "result", "flags", "RNE saturating", ...
  std::string got;         ///< hexadecimal, with the value: "7C00 (inf)"
  std::string expected;
};

struct ConformFileResult {
  std::string file;
  std::string operation;             ///< what the lines were taken for: "mul_add fp16 rne"
  std::uint64_t num_checked = 0;     ///< lines compared
  std::uint64_t num_skipped = 0;     ///< lines left out because an operand is a signalling NaN
  std::uint64_t num_mismatches = 0;  ///< lines with at least one difference
  std::optional<VectorMismatch> first_mismatch;
};

struct ConformResult {
  std::vector<ConformFileResult> files;
  std::uint64_t num_checked() const {
    std::uint64_t sum = 0;
    for (const ConformFileResult& file : files) sum += file.num_checked;
    return sum;
  }
  std::uint64_t num_mismatches() const {
    std::uint64_t sum = 0;
    for (const ConformFileResult& file : files) sum += file.num_mismatches;
    return sum;
  }
};

}  // namespace guardbit::sim
