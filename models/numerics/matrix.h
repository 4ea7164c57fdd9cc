#pragma once
/// Dense row-major matrices and non-owning views of them: shapes travel with the data.
#include <cstddef>
#include <functional>
#include <utility>
#include <vector>

#include "models/numerics/check.h"

namespace guardbit::numerics {

/// Non-owning (rows, cols) view with arbitrary element strides.
template <class T>
struct MatrixView {
  T* data = nullptr;
  std::size_t rows = 0;
  std::size_t cols = 0;
  std::size_t row_stride = 0;  ///< elements between (r, c) and (r + 1, c)
  std::size_t col_stride = 1;  ///< elements between (r, c) and (r, c + 1)

  T& operator()(std::size_t row, std::size_t col) const { return data[row * row_stride + col * col_stride]; }
  /// Contiguous row; only where col_stride == 1.
  T* row(std::size_t index) const { return data + index * row_stride; }
  MatrixView rows_range(std::size_t begin, std::size_t end) const {
    return {data + begin * row_stride, end - begin, cols, row_stride, col_stride};
  }
  MatrixView cols_range(std::size_t begin, std::size_t end) const {
    return {data + begin * col_stride, rows, end - begin, row_stride, col_stride};
  }
  MatrixView transposed() const { return {data, cols, rows, col_stride, row_stride}; }
  operator MatrixView<const T>() const { return {data, rows, cols, row_stride, col_stride}; }
};

/// Owning (rows, cols) row-major matrix.
template <class T>
class Matrix {
 public:
  Matrix() = default;
  Matrix(std::size_t rows, std::size_t cols, T fill = T{}) : rows_(rows), cols_(cols), data_(rows * cols, fill) {}
  Matrix(std::size_t rows, std::size_t cols, std::vector<T> data) : rows_(rows), cols_(cols), data_(std::move(data)) {
    GUARDBIT_CHECK(data_.size() == rows * cols, "data has rows * cols elements");
  }

  /// A shape without elements, for work that asks only how large a matrix is; no element of it may be read or written.
  static Matrix outline(std::size_t rows, std::size_t cols) {
    Matrix matrix;
    matrix.rows_ = rows;
    matrix.cols_ = cols;
    return matrix;
  }
  bool is_outline() const { return data_.empty() && rows_ != 0 && cols_ != 0; }

  std::size_t rows() const { return rows_; }
  std::size_t cols() const { return cols_; }
  T& operator()(std::size_t row, std::size_t col) { return data_[row * cols_ + col]; }
  const T& operator()(std::size_t row, std::size_t col) const { return data_[row * cols_ + col]; }
  T* row(std::size_t index) { return data_.data() + index * cols_; }
  const T* row(std::size_t index) const { return data_.data() + index * cols_; }
  std::vector<T>& data() { return data_; }
  const std::vector<T>& data() const { return data_; }
  MatrixView<T> view() { return {data_.data(), rows_, cols_, cols_, 1}; }
  MatrixView<const T> view() const { return {data_.data(), rows_, cols_, cols_, 1}; }

  friend bool operator==(const Matrix&, const Matrix&) = default;

 private:
  std::size_t rows_ = 0;
  std::size_t cols_ = 0;
  std::vector<T> data_;
};

/// Runs body(0) .. body(count - 1), possibly on several threads. Callers write disjoint results per index and merge
/// in index order, so that nothing depends on the threads. An empty function means: one after the other.
using ParallelFor = std::function<void(std::size_t count, const std::function<void(std::size_t)>& body)>;

inline void run_parallel(const ParallelFor& parallel_for, std::size_t count,
                         const std::function<void(std::size_t)>& body) {
  if (parallel_for) {
    parallel_for(count, body);
  } else {
    for (std::size_t i = 0; i < count; ++i) body(i);
  }
}

}  // namespace guardbit::numerics
