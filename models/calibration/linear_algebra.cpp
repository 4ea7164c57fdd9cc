#include "models/calibration/linear_algebra.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>
#include <vector>

#include "models/numerics/random_bits.h"
#include "models/transformer/matmul.h"

namespace guardbit::calibration {
namespace {

constexpr double kSpectralTolerance = 1e-12;
constexpr std::size_t kMaxIterations = 5000;
constexpr std::size_t kRowsTogether = 8;  // independent sums: one addition need not wait for the one before

double dot(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

/// y += m^T (m x) for kRowsTogether consecutive rows of m.
void add_gram_of_block(const double* rows, const std::vector<double>& x, std::vector<double>& y) {
  const std::size_t cols = x.size();
  std::array<double, kRowsTogether> sums{};
  for (std::size_t c = 0; c < cols; ++c)
    for (std::size_t r = 0; r < kRowsTogether; ++r) sums[r] += rows[r * cols + c] * x[c];
  for (std::size_t c = 0; c < cols; ++c) {
    double value = y[c];
    for (std::size_t r = 0; r < kRowsTogether; ++r) value += sums[r] * rows[r * cols + c];
    y[c] = value;
  }
}

/// m^T (m x); every sum runs over ascending rows or columns.
std::vector<double> gram_times(const Matrix<double>& m, const std::vector<double>& x) {
  std::vector<double> y(m.cols(), 0.0);
  std::size_t r = 0;
  for (; r + kRowsTogether <= m.rows(); r += kRowsTogether) add_gram_of_block(m.row(r), x, y);
  for (; r < m.rows(); ++r) {
    double sum = 0;
    for (std::size_t c = 0; c < m.cols(); ++c) sum += m(r, c) * x[c];
    for (std::size_t c = 0; c < m.cols(); ++c) y[c] += sum * m(r, c);
  }
  return y;
}

/// A symmetric tridiagonal matrix.
struct Tridiagonal {
  std::vector<double> diagonal;
  std::vector<double> beside;  // one less

  /// All eigenvalues lie below x: every pivot of T - x I is negative (Sylvester's law of inertia).
  bool is_below(double x) const {
    double pivot = diagonal[0] - x;
    for (std::size_t i = 1; i < diagonal.size() && pivot < 0; ++i)
      pivot = diagonal[i] - x - beside[i - 1] * beside[i - 1] / pivot;
    return pivot < 0;
  }
  /// By bisection down to neighbouring numbers, from a lower bound up to Gershgorin's.
  double largest_eigenvalue(double low) const {
    double high = low;
    for (std::size_t i = 0; i < diagonal.size(); ++i) {
      const double left = i == 0 ? 0 : beside[i - 1];
      const double right = i + 1 == diagonal.size() ? 0 : beside[i];
      high = std::max(high, diagonal[i] + std::abs(left) + std::abs(right));
    }
    while (true) {
      const double middle = low + (high - low) / 2;
      if (middle <= low || middle >= high) return low;
      (is_below(middle) ? high : low) = middle;
    }
  }
};

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

template <class T>
double sum_of_squares(const Matrix<T>& m) {
  double sum = 0;
  for (const T value : m.data()) sum += static_cast<double>(value) * static_cast<double>(value);
  return sum;
}
template double sum_of_squares(const Matrix<float>&);
template double sum_of_squares(const Matrix<double>&);

double frobenius_norm(const Matrix<double>& m) { return std::sqrt(sum_of_squares(m)); }

double spectral_norm(const Matrix<double>& m) {
  std::vector<double> v(m.cols());
  for (std::size_t i = 0; i < v.size(); ++i)
    v[i] = static_cast<double>(numerics::philox4x32({static_cast<std::uint32_t>(i), 0, 0, 0}, {0, 0})[0]) * 0x1p-31 - 1;
  std::vector<double> before(v.size(), 0.0);
  const double start_length = std::sqrt(dot(v, v));
  for (double& value : v) value /= start_length;
  Tridiagonal projected;  // m^T m in the basis of all v
  double eigenvalue = 0;
  double length = 0;
  for (std::size_t iteration = 0; iteration < kMaxIterations; ++iteration) {
    std::vector<double> next = gram_times(m, v);
    const double on_diagonal = dot(v, next);
    if (!std::isfinite(on_diagonal)) return on_diagonal;
    for (std::size_t i = 0; i < v.size(); ++i) next[i] -= on_diagonal * v[i] + length * before[i];
    if (iteration > 0) projected.beside.push_back(length);
    projected.diagonal.push_back(on_diagonal);
    const double previous = eigenvalue;
    eigenvalue = projected.largest_eigenvalue(previous);
    length = std::sqrt(dot(next, next));
    if (eigenvalue - previous <= kSpectralTolerance * eigenvalue || length == 0) break;
    for (double& value : next) value /= length;
    before = std::move(v);
    v = std::move(next);
  }
  return std::sqrt(eigenvalue);
}

}  // namespace guardbit::calibration
