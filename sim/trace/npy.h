#pragma once
/// Reading and writing of NumPy .npy files (format versions 1 to 3 as NumPy's own documentation defines them). The
/// header is believed in nothing: every claim is checked against the file's size before memory is allocated.
///
/// Stricter than NumPy: the header is exactly the dictionary of the three keys with literal values, nothing is
/// evaluated, and the file ends with the data. Tests: tests/unit/npy_test.cpp, case ids NPY-01..NPY-11.
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "models/numerics/matrix.h"
#include "sim/base/input_file.h"
#include "sim/trace/npy_element.h"

namespace guardbit::sim {

struct NpyHeader {
  NpyType type = NpyType::kF4;
  bool big_endian = false;
  bool fortran_order = false;
  std::vector<std::uint64_t> shape;  ///< rank 0..8, every dimension at least 1
  std::uint64_t num_elements = 1;
  std::uint64_t data_offset = 0;  ///< of the first element in the file
};

/// An open file with a valid header.
/// UserError: kMissingInput if it cannot be opened, kMalformedInput with one message naming file, found and expected.
class NpyFile {
 public:
  explicit NpyFile(const std::filesystem::path& file);

  const std::filesystem::path& path() const { return input_.path(); }
  const NpyHeader& header() const { return header_; }
  /// Shape as a matrix: a vector (n) is (1, n), a scalar (1, 1), of more dimensions all but the last are rows.
  std::uint64_t rows() const;
  std::uint64_t cols() const;

  /// All elements in row-major order as binary32, exactly: a value that is not one is an error, with its index. NaNs
  /// become the quiet NaN; with `require_finite`, NaN and infinity are errors.
  [[nodiscard]] numerics::Matrix<float> read(bool require_finite) const;
  /// All elements of an integer type in row-major order, each in low..high (an error with its index otherwise, or if
  /// the type is not an integer).
  [[nodiscard]] std::vector<int> read_integers(int low, int high) const;

 private:
  /// take(row-major index, element's bytes in the host's order) for every element.
  template <class Take>
  void visit(const Take& take) const;

  InputFile input_;
  NpyHeader header_;
};

/// Writes version 1, C order, little endian, atomically; `bytes` are the elements in row-major order, `descr` NumPy's
/// name of their type ("<f4", "|u1", "<u2", "<u4").
void write_npy(const std::filesystem::path& file, const std::string& descr, const std::vector<std::uint64_t>& shape,
               const std::vector<unsigned char>& bytes);

}  // namespace guardbit::sim
