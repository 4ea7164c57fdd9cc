#include "models/units/rotate_unit.h"

#include <cmath>

#include "models/kernels/float_environment.h"
#include "models/kernels/gemm.h"
#include "models/kernels/hadamard.h"
#include "models/kernels/scalar_rounder.h"
#include "models/units/arithmetic.h"

namespace guardbit::units {
namespace {

using kernels::ScalarRounder;
using numerics::Stage;

/// Where the elements of one transform lie in a row of activations.
struct TransformLayout {
  std::size_t size;
  std::size_t stride;

  std::size_t transforms(std::size_t num_cols) const { return num_cols / size; }
  std::size_t column(std::size_t transform, std::size_t i) const {
    return (transform / stride * size + i) * stride + transform % stride;
  }
};

/// H_m across the runs of every transform, in place: work (transforms, m * run). One product for the whole block:
/// rows (transform, j) of t's runs times the transpose of H_m, accumulated one by one in the format.
void multiply_factor(const Matrix<float>& factor, const numerics::FloatSpec& spec, Matrix<float>& work,
                     EventCounts& events) {
  const std::size_t m = factor.rows();
  const std::size_t run = work.cols() / m;
  Matrix<float> t(work.rows() * run, m);
  for (std::size_t row = 0; row < t.rows(); ++row) {
    for (std::size_t k = 0; k < m; ++k) t(row, k) = work(row / run, k * run + row % run);
  }
  Matrix<float> product(t.rows(), m);
  arith::AccumulationEvents accumulation;
  kernels::gemm(t.view(), factor.view().transposed(), {.a = spec.format, .b = numerics::kFp8E5M2}, {.inner = spec}, {},
                {}, product.view(), accumulation);
  events += accumulation.inner;
  for (std::size_t row = 0; row < t.rows(); ++row) {
    for (std::size_t i = 0; i < m; ++i) work(row / run, i * run + row % run) = product(row, i);
  }
}

}  // namespace

void rotate(MatrixView<const float> x, int size, int stride, const RotateConfig& config, MatrixView<float> y,
            EventLedger& ledger, const ParallelFor& parallel_for) {
  const kernels::FloatEnvironment environment;
  const HadamardFactors factors = hadamard_factors(size);
  const TransformLayout layout{static_cast<std::size_t>(size), static_cast<std::size_t>(stride)};
  GUARDBIT_CHECK(y.rows == x.rows && y.cols == x.cols, "y has x's shape");
  GUARDBIT_CHECK(stride > 0 && x.cols % (layout.size * layout.stride) == 0, "rows are whole blocks of size * stride");
  const numerics::FloatSpec spec = conversion_spec(config.format);
  const ScalarRounder round(spec);
  const auto scale = static_cast<float>(1 / std::sqrt(static_cast<double>(size)));
  const Matrix<float> factor = hadamard_matrix(factors.factor);
  const std::size_t run = std::size_t{1} << static_cast<unsigned>(factors.butterfly_stages);
  const std::size_t transforms = layout.transforms(x.cols);
  const bool dense = factors.factor > 1;

  for_row_blocks(x.rows, x.cols, parallel_for, ledger, [&](std::size_t begin, std::size_t end, EventLedger& events) {
    EventCounts& counts = events[Stage::kRotate];
    Matrix<float> work(transforms * (end - begin), layout.size);
    for (std::size_t t = 0; t < work.rows(); ++t) {
      for (std::size_t i = 0; i < layout.size; ++i) {
        work(t, i) = round({x(begin + t / transforms, layout.column(t % transforms, i))}, counts);
      }
    }
    const MatrixView<float> runs{work.data().data(), work.data().size() / run, run, run, 1};
    kernels::hadamard_rows(runs, spec, dense ? 1.0F : scale, {}, counts);
    if (dense) {
      multiply_factor(factor, spec, work, counts);
      for (float& value : work.data()) value = round.multiply(value, scale, counts);
    }
    for (std::size_t t = 0; t < work.rows(); ++t) {
      for (std::size_t i = 0; i < layout.size; ++i) {
        y(begin + t / transforms, layout.column(t % transforms, i)) = work(t, i);
      }
    }
  });
}

}  // namespace guardbit::units
