#include "models/calibration/output_error.h"

#include "models/transformer/matmul.h"

namespace guardbit::calibration {

std::vector<double> row_output_errors(numerics::MatrixView<const float> change,
                                      numerics::MatrixView<const float> second_moment,
                                      const numerics::ParallelFor& parallel_for) {
  GUARDBIT_CHECK(change.cols == second_moment.rows && second_moment.rows == second_moment.cols,
                 "a second moment is of the layer's inputs");
  numerics::Matrix<float> product(change.rows, change.cols);
  transformer::multiply(change, second_moment, parallel_for, product.view());
  std::vector<double> errors(change.rows, 0.0);
  for (std::size_t n = 0; n < change.rows; ++n)
    for (std::size_t k = 0; k < change.cols; ++k)
      errors[n] += static_cast<double>(product(n, k)) * static_cast<double>(change(n, k));
  return errors;
}

double output_error(numerics::MatrixView<const float> change, numerics::MatrixView<const float> second_moment,
                    const numerics::ParallelFor& parallel_for) {
  double sum = 0;
  for (const double error : row_output_errors(change, second_moment, parallel_for)) sum += error;
  return sum;
}

}  // namespace guardbit::calibration
