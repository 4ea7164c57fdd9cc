#pragma once
/// A matrix whose copies share their elements until one of them is edited: weights of a large model are needed by
/// several owners (a tied head, variants that leave them alone), and do not fit twice.
#include <memory>
#include <utility>

#include "models/numerics/matrix.h"

namespace guardbit::numerics {

/// Reads as a const Matrix<T>. Copies may be read from several threads; edit() is the caller's alone, as for a Matrix.
/// Test: tests/unit/shared_matrix_test.cpp.
template <class T>
class SharedMatrix {
 public:
  SharedMatrix() : SharedMatrix(Matrix<T>{}) {}
  SharedMatrix(Matrix<T> matrix) : matrix_(std::make_shared<Matrix<T>>(std::move(matrix))) {}

  const Matrix<T>& get() const { return *matrix_; }
  operator const Matrix<T>&() const { return *matrix_; }
  /// This copy's own elements, no longer shared.
  Matrix<T>& edit() {
    if (matrix_.use_count() != 1) matrix_ = std::make_shared<Matrix<T>>(*matrix_);
    return *matrix_;
  }
  bool shares_with(const SharedMatrix& other) const { return matrix_ == other.matrix_; }

  std::size_t rows() const { return matrix_->rows(); }
  std::size_t cols() const { return matrix_->cols(); }
  bool is_outline() const { return matrix_->is_outline(); }
  const T& operator()(std::size_t row, std::size_t col) const { return get()(row, col); }
  const T* row(std::size_t index) const { return get().row(index); }
  const std::vector<T>& data() const { return get().data(); }
  MatrixView<const T> view() const { return get().view(); }

  friend bool operator==(const SharedMatrix& a, const SharedMatrix& b) {
    return a.matrix_ == b.matrix_ || a.get() == b.get();
  }

 private:
  std::shared_ptr<Matrix<T>> matrix_;  // never null
};

}  // namespace guardbit::numerics
