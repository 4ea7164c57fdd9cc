#include <algorithm>
#include <cmath>

#include "models/transformer/reference.h"

namespace guardbit::transformer {

template <class T>
double negative_log_likelihood(numerics::MatrixView<const T> logits, std::span<const int> targets) {
  GUARDBIT_CHECK(logits.rows == targets.size(), "one target per row of logits");
  double total = 0;
  for (std::size_t t = 0; t < targets.size(); ++t) {
    GUARDBIT_CHECK(targets[t] >= 0 && static_cast<std::size_t>(targets[t]) < logits.cols,
                   "targets are below the vocabulary size");
    const T* const row = logits.row(t);
    const double largest = static_cast<double>(*std::max_element(row, row + logits.cols));
    double sum = 0;
    for (std::size_t i = 0; i < logits.cols; ++i) sum += std::exp(static_cast<double>(row[i]) - largest);
    total += largest + std::log(sum) - static_cast<double>(row[targets[t]]);
  }
  return total;
}

template double negative_log_likelihood(numerics::MatrixView<const float>, std::span<const int>);
template double negative_log_likelihood(numerics::MatrixView<const double>, std::span<const int>);

}  // namespace guardbit::transformer
