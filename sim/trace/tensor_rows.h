#pragma once
/// Tensors as they lie in checkpoint files, converted to binary32.
#include <cstddef>
#include <string_view>

namespace guardbit::sim {

/// Rows of an F64, F32, F16 or BF16 tensor, row major and little endian. Trivial, so that a read of a mapped file may
/// be left by a jump (mapped_file.h).
struct RowConverter {
  std::string_view dtype;
  std::size_t rows = 0;
  std::size_t cols = 0;
  bool allow_nonfinite = false;        ///< NaNs and infinities pass, NaNs of F64 as quiet ones
  float* result = nullptr;             ///< rows * cols
  const float* half_values = nullptr;  ///< F16: half_values()

  /// The first element that is refused (not finite, or F64 and no binary32 value), or rows * cols.
  std::size_t convert(const unsigned char* bytes) const;

 private:
  std::size_t convert_row(const unsigned char* bytes, float* row) const;
  std::size_t convert_doubles(const unsigned char* bytes, float* row) const;
};

/// Every binary16 value as binary32, by code; 256 KiB, made once.
const float* half_values();

}  // namespace guardbit::sim
