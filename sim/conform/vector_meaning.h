#pragma once
/// What the lines of a vector file mean: layout, operation, formats and rounding, from the file's name (README of the
/// golden vectors, TestFloat's function names) and from options, which win.
#include <filesystem>
#include <optional>
#include <string>

#include "models/numerics/rounding.h"

namespace guardbit::sim {

enum class VectorOperation { kAdd, kMul, kMulAdd, kConvert };

enum class VectorLayout {
  kOperation,   ///< operands, result, and flags if the line has them (TestFloat)
  kPair,        ///< a b, result not saturating, result saturating (ties to even)
  kTenColumns,  ///< operands, then RNE RTZ RDN RUP RNA, each not saturating and saturating
  kStochastic,  ///< x n r, result (saturating)
  kDecode,      ///< code, value as binary32
  kTrap,        ///< a b c, result, what double rounding gives
  kGemmBlocks,  ///< whole products (gemm_blocks.h)
};

struct VectorMeaning {
  VectorLayout layout = VectorLayout::kOperation;
  VectorOperation operation = VectorOperation::kAdd;
  numerics::FloatFormat operands;  ///< of a and b, or of the converted x
  numerics::FloatSpec result;      ///< and of c
  bool ignore_signalling = false;

  std::string text() const;
};

/// As typed; empty or nothing: not given.
struct ConformOptions {
  std::string operation;      ///< add, mul, mul_add, convert
  std::string format;         ///< of the operands
  std::string result_format;  ///< default: the operands'
  std::string rounding;       ///< rne, rtz, ...; default rne
  std::string overflow;       ///< infinity, nan, saturate; default infinity
  std::string tininess;       ///< before, after; default after
  bool ignore_signalling = false;
};

/// Names of files, without directory and everything from the first dot (<mode>: RNE, RTZ, RDN, RUP, RNA, ODD, any
/// case):
///   <format>_{add,mul,mulAdd}[_<mode>], <format>_to_<format>[_<mode>]           kOperation
///   <format of at most 8 bits>_{add,mul}_rne (lower case)                       kPair
///   <format>_from_fp32, <format>_fma                                            kTenColumns
///   <format>_from_fp32_sr, <format>_decode                                      kStochastic, kDecode
///   mixfma_<fp8>_<format>_<mode>                                                kOperation, mul_add
///   trap_<fp8>_products_acc_<fp8>...                                            kTrap
///   gemm_...                                                                    kGemmBlocks
/// <format> is a registered name, f16, f32, or eXmY (IEEE-style); <fp8> is e4m3 or e5m2, the OCP formats.
/// With --op the layout is kOperation. UserError kUsage if name and options do not tell the operation, or if an option
/// contradicts a layout that fixes it.
[[nodiscard]] VectorMeaning vector_meaning(const std::filesystem::path& file, const ConformOptions& options);

}  // namespace guardbit::sim
