#pragma once
/// The rows that a norm op normalises.
#include "models/numerics/matrix.h"
#include "models/transformer/model.h"

namespace guardbit::sim {

/// Consecutive rows as the rows that the norm normalises: themselves, or their heads.
template <class T>
numerics::MatrixView<T> norm_rows(numerics::MatrixView<T> rows, const transformer::Op& op) {
  if (op.norm_size == 0) return rows;
  const auto size = static_cast<std::size_t>(op.norm_size);
  return {rows.data, rows.rows * (rows.cols / size), size, size, 1};
}

}  // namespace guardbit::sim
