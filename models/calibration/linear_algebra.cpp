#include "models/calibration/linear_algebra.h"

#include <cmath>

#include "models/numerics/random_bits.h"
#include "models/transformer/matmul.h"

namespace guardbit::calibration {
namespace {

constexpr double kSpectralTolerance = 1e-10;
constexpr int kMaxIterations = 5000;

/// Scales v to length 1 and returns its former length.
double normalize(std::vector<double>& v) {
  double sum = 0;
  for (const double value : v) sum += value * value;
  const double length = std::sqrt(sum);
  if (length > 0)
    for (double& value : v) value /= length;
  return length;
}

/// y = m^T (m x).
std::vector<double> gram_times(const Matrix<double>& m, const std::vector<double>& x) {
  std::vector<double> y(m.cols(), 0.0);
  for (std::size_t r = 0; r < m.rows(); ++r) {
    const double* const row = m.row(r);
    double dot = 0;
    for (std::size_t c = 0; c < m.cols(); ++c) dot += row[c] * x[c];
    for (std::size_t c = 0; c < m.cols(); ++c) y[c] += dot * row[c];
  }
  return y;
}

}  // namespace

Matrix<double> product(const Matrix<double>& a, const Matrix<double>& b) {
  Matrix<double> result(a.rows(), b.cols());
  transformer::multiply(a.view(), b.view(), {}, result.view());
  return result;
}

Matrix<double> scale_columns(const Matrix<double>& m, const Matrix<double>& row) {
  GUARDBIT_CHECK(row.rows() == 1 && row.cols() == m.cols(), "one factor per column");
  Matrix<double> result = m;
  for (std::size_t r = 0; r < m.rows(); ++r)
    for (std::size_t c = 0; c < m.cols(); ++c) result(r, c) *= row(0, c);
  return result;
}

Matrix<double> transpose(const Matrix<double>& m) {
  Matrix<double> result(m.cols(), m.rows());
  for (std::size_t r = 0; r < m.rows(); ++r)
    for (std::size_t c = 0; c < m.cols(); ++c) result(c, r) = m(r, c);
  return result;
}

double sum_of_squares(const Matrix<double>& m) {
  double sum = 0;
  for (const double value : m.data()) sum += value * value;
  return sum;
}

double frobenius_norm(const Matrix<double>& m) { return std::sqrt(sum_of_squares(m)); }

double spectral_norm(const Matrix<double>& m) {
  std::vector<double> v(m.cols());
  for (std::size_t i = 0; i < v.size(); ++i)
    v[i] = static_cast<double>(numerics::philox4x32({static_cast<std::uint32_t>(i), 0, 0, 0}, {0, 0})[0]) * 0x1p-31 - 1;
  normalize(v);
  double estimate = 0;
  for (int iteration = 0; iteration < kMaxIterations; ++iteration) {
    v = gram_times(m, v);
    const double next = std::sqrt(normalize(v));
    const bool converged = std::abs(next - estimate) <= kSpectralTolerance * next;
    estimate = next;
    if (converged) break;
  }
  return estimate;
}

}  // namespace guardbit::calibration
