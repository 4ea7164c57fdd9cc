#pragma once
/// Reading and writing of safetensors files (Hugging Face format: 8 bytes little-endian header length, JSON header,
/// data). The header is believed in nothing: every claim is checked against the file's size before memory is allocated.
///
/// Stricter than the reference implementation: duplicate members, rank above 8, names with control characters or above
/// 4096 bytes and more than a million tensors are errors. Tests: tests/unit/safetensors_test.cpp, case ids
/// ST-01..ST-32.
#include <array>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "models/numerics/matrix.h"
#include "sim/base/input_file.h"
#include "sim/base/mapped_file.h"

namespace guardbit::sim {

/// Element types of the format, with their widths; read_matrix takes only F64, F32, F16 and BF16.
struct TensorDtype {
  std::string_view name;
  std::uint64_t num_bits = 0;
};
inline constexpr std::array kTensorDtypes = {
    TensorDtype{"F64", 64},    TensorDtype{"F32", 32},        TensorDtype{"F16", 16},        TensorDtype{"BF16", 16},
    TensorDtype{"I64", 64},    TensorDtype{"I32", 32},        TensorDtype{"I16", 16},        TensorDtype{"I8", 8},
    TensorDtype{"U64", 64},    TensorDtype{"U32", 32},        TensorDtype{"U16", 16},        TensorDtype{"U8", 8},
    TensorDtype{"BOOL", 8},    TensorDtype{"C64", 64},        TensorDtype{"F8_E4M3", 8},     TensorDtype{"F8_E5M2", 8},
    TensorDtype{"F8_E8M0", 8}, TensorDtype{"F8_E4M3FNUZ", 8}, TensorDtype{"F8_E5M2FNUZ", 8}, TensorDtype{"F6_E2M3", 6},
    TensorDtype{"F6_E3M2", 6}, TensorDtype{"F4", 4},
};

struct TensorInfo {
  TensorDtype dtype;
  std::vector<std::uint64_t> shape;
  std::uint64_t begin = 0;  ///< bytes from the start of the data
  std::uint64_t end = 0;
};

/// An open file with a valid header.
/// UserError: kMissingInput if it cannot be opened, kMalformedInput with one message naming file and tensor.
class SafetensorsFile {
 public:
  explicit SafetensorsFile(const std::filesystem::path& file);

  const std::filesystem::path& path() const { return input_.path(); }
  const std::map<std::string, TensorInfo>& tensors() const { return tensors_; }
  const std::map<std::string, std::string>& metadata() const { return metadata_; }
  std::uint64_t data_offset() const { return data_offset_; }  ///< of the data in the file
  bool contains(const std::string& name) const { return tensors_.contains(name); }

  /// The tensor as binary32, exactly: an F64 value that is not one is an error, and so is a NaN or infinity (with its
  /// index). A vector (n) is read as (1, n). UserError kMalformedInput if it is missing, has another shape or an
  /// element type that is not a float.
  /// With `allow_nonfinite` NaNs and infinities pass, NaNs of F64 as quiet ones.
  [[nodiscard]] numerics::Matrix<float> read_matrix(const std::string& name, std::size_t rows, std::size_t cols,
                                                    bool allow_nonfinite = false) const;

 private:
  void read_header();
  const TensorInfo& checked_info(const std::string& name, std::size_t rows, std::size_t cols) const;

  InputFile input_;
  MappedFile mapping_;
  std::uint64_t data_offset_ = 0;
  std::map<std::string, TensorInfo> tensors_;
  std::map<std::string, std::string> metadata_;
};

/// A tensor to write: F32, or F16 if every value is a binary16 value (anything else is an internal error).
struct TensorToWrite {
  enum class Dtype { kF32, kF16 };
  std::string name;
  const numerics::Matrix<float>* values = nullptr;
  bool is_vector = false;  ///< shape (cols) instead of (rows, cols); needs rows == 1
  Dtype dtype = Dtype::kF32;
};

/// Writes a file atomically, tensors in the given order, header padded so that data starts at a multiple of 8.
/// Non-finite values are written as they are.
void write_safetensors(const std::filesystem::path& file, const std::vector<TensorToWrite>& tensors,
                       const std::map<std::string, std::string>& metadata = {});

}  // namespace guardbit::sim
