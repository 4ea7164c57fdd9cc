#pragma once
/// Reader of ../shared/vectors (layouts and conventions: README.md there).
#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "models/arith/accumulation_spec.h"
#include "models/numerics/float_format.h"
#include "models/numerics/matrix.h"
#include "models/numerics/rounding.h"

namespace guardbit::tests {

/// The fields of one line.
using VectorLine = std::vector<std::string>;

/// All lines of vectors/<name>.txt.gz without comments. Throws std::runtime_error if the file cannot be read or is
/// empty.
std::vector<VectorLine> read_vectors(const std::string& name);

/// A hexadecimal field. Throws if it is not one.
std::uint32_t hex(const std::string& field);

/// The vectors' names: "e4m3", "e5m2", "fp16" or "f16", "bf16", "fp32" or "f32"; "RNE", "RTZ", "RDN", "RUP", "RNA".
numerics::FloatFormat vector_format(const std::string& name);
numerics::RoundingMode vector_rounding(const std::string& name);
inline const std::array<std::string, 5> kVectorRoundings = {"RNE", "RTZ", "RDN", "RUP", "RNA"};

/// Flag bits as in TestFloat and RISC-V fflags.
enum VectorFlag : std::uint32_t { kFlagInexact = 1, kFlagUnderflow = 2, kFlagOverflow = 4, kFlagInvalid = 16 };

/// Bit for bit, except that any NaN equals any NaN.
bool same_code(std::uint32_t a, std::uint32_t b, const numerics::FloatFormat& format);
bool is_nan_code(std::uint32_t code, const numerics::FloatFormat& format);

/// Totals over all steps of all outputs; only where the producer had flags.
struct VectorFlagTotals {
  std::uint64_t overflow = 0;
  std::uint64_t underflow = 0;
  std::uint64_t inexact = 0;
};

/// One accumulator line of a GEMM block.
struct GemmVectorLine {
  std::string accumulator;  ///< e.g. "fp16_fma_seq"
  std::optional<VectorFlagTotals> flags;
  numerics::Matrix<std::uint32_t> c;  // (M, N), codes of result_format()
};

/// One block of gemm_8x8x64.
struct GemmVectors {
  std::string title;  ///< "case 0 src=e5m2 ... kind=nominal"
  numerics::FloatFormat operands;
  numerics::Matrix<float> a;  // (M, K), carriers
  numerics::Matrix<float> b;  // (K, N), carriers
  std::vector<GemmVectorLine> lines;
};

std::vector<GemmVectors> read_gemm_vectors();

/// What the name of an accumulator line means.
arith::AccumulationSpec accumulator_of(const std::string& name);
/// The format of its results.
numerics::FloatFormat result_format(const arith::AccumulationSpec& spec);
/// The events that a line's totals count: those of products and inner accumulator, not the outer accumulator's.
VectorFlagTotals flag_totals(const arith::AccumulationEvents& events);

}  // namespace guardbit::tests
