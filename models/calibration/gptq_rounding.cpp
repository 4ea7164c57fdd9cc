#include "models/calibration/gptq_rounding.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <stdexcept>
#include <string>

#include "models/calibration/cholesky.h"
#include "models/calibration/method_arguments.h"
#include "models/calibration/panels.h"

namespace guardbit::calibration {
namespace {

std::vector<std::size_t> rounding_order(const Matrix<double>& second_moment, bool act_order) {
  std::vector<std::size_t> order(second_moment.rows());
  std::iota(order.begin(), order.end(), std::size_t{0});
  if (act_order)
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return second_moment(a, a) > second_moment(b, b); });
  return order;
}

void add_damping(Matrix<double>& second_moment, double damp) {
  double trace = 0;
  for (std::size_t k = 0; k < second_moment.rows(); ++k) trace += second_moment(k, k);
  const double lambda = trace == 0 ? 1 : damp * trace / static_cast<double>(second_moment.rows());
  for (std::size_t k = 0; k < second_moment.rows(); ++k) second_moment(k, k) += lambda;
}

/// m(i, j) <-> m(n - 1 - j, n - 1 - i).
void mirror_at_second_diagonal(Matrix<double>& m) {
  constexpr std::size_t kTile = 32;  // both tiles stay in the first cache
  const std::size_t n = m.rows();
  for (std::size_t first_row = 0; first_row < n; first_row += kTile)
    for (std::size_t first_col = 0; first_col + first_row < n; first_col += kTile)
      for (std::size_t i = first_row; i < std::min(first_row + kTile, n); ++i)
        for (std::size_t j = first_col; j < std::min(first_col + kTile, n) && i + j + 1 < n; ++j)
          std::swap(m(i, j), m(n - 1 - j, n - 1 - i));
}

constexpr std::size_t kPanelsPerTask = 8;  // a block of the factor serves that many panels from the cache

/// The rows of some panels, eight of W's rows each.
class PanelRounder {
 public:
  /// `result` has the grids of round to nearest; those of groups are found anew on the way unless the order of the
  /// columns is another.
  PanelRounder(const Matrix<double>& weights, const GptqFactor& factor, const GptqOptions& options,
               units::QuantizedWeight& result)
      : weights_(weights),
        factor_(factor),
        quantizer_(options.quantizer),
        result_(result),
        fits_groups_(quantizer_.group > 0 && !options.act_order),
        block_(fits_groups_ ? quantizer_.group : static_cast<std::size_t>(options.block)) {}

  void run(std::size_t first_row, std::size_t num_panels) {
    const std::size_t num_cols = weights_.cols();
    errors_.assign(num_panels * num_cols * kPanelColumns, 0.0);
    for (std::size_t begin = 0; begin < num_cols; begin += block_) {
      const std::size_t end = std::min(begin + block_, num_cols);
      for (std::size_t panel = 0; panel < num_panels; ++panel) {
        double* const errors = errors_.data() + panel * num_cols * kPanelColumns;
        sums_.assign((end - begin) * kPanelColumns, 0.0);
        multiply_panel(factor_.factor.row(begin), num_cols, end - begin, errors, begin, sums_.data());
        const std::size_t row = first_row + panel * kPanelColumns;
        if (fits_groups_) fit_group(row, begin, end);
        round_block(row, begin, end, errors);
      }
    }
  }

 private:
  std::size_t rows_at(std::size_t first_row) const { return std::min(kPanelColumns, weights_.rows() - first_row); }

  void set_grid(std::size_t row, std::size_t group, const CodeGrid& grid) {
    result_.scales(row, group) = grid.scale;
    if (!result_.is_symmetric()) result_.zero_points(row, group) = static_cast<std::int8_t>(grid.zero_point);
  }

  CodeGrid grid_at(std::size_t row, std::size_t column) const {
    const std::size_t group = result_.group_of(column);
    const int half = 1 << (quantizer_.bits - 1);
    return {.scale = result_.scales(row, group),
            .zero_point = result_.is_symmetric() ? 0 : result_.zero_points(row, group),
            .least = -half,
            .largest = half - 1};
  }

  /// Grids of the group begin .. end from its columns with all corrections so far: w + x, where x makes the output
  /// error of the columns before it least: x_k = (v_k - sum over begin <= j < k of x_j R_jk) / R_kk, v the block's
  /// sums.
  void fit_group(std::size_t first_row, std::size_t begin, std::size_t end) {
    corrections_.assign((end - begin) * kPanelColumns, 0.0);
    for (std::size_t k = begin; k < end; ++k) {
      const double* const row = factor_.factor.row(k);
      std::array<double, kPanelColumns> taken{};
      multiply_panel(row + begin, 0, 1, corrections_.data(), k - begin, taken.data());
      for (std::size_t r = 0; r < kPanelColumns; ++r) {
        const std::size_t place = (k - begin) * kPanelColumns + r;
        corrections_[place] = (sums_[place] - taken[r]) / row[k];
      }
    }
    std::vector<double> corrected(end - begin);
    for (std::size_t r = 0; r < rows_at(first_row); ++r) {
      for (std::size_t k = begin; k < end; ++k)
        corrected[k - begin] = weights_(first_row + r, k) + corrections_[(k - begin) * kPanelColumns + r];
      set_grid(first_row + r, result_.group_of(begin), fit_grid(corrected, quantizer_));
    }
  }

  void round_block(std::size_t first_row, std::size_t begin, std::size_t end, double* errors) {
    for (std::size_t k = begin; k < end; ++k) {
      double* const sum = sums_.data() + (k - begin) * kPanelColumns;
      const double* const row = factor_.factor.row(k);
      multiply_panel(row + begin, 0, 1, errors + begin * kPanelColumns, k - begin, sum);
      const std::size_t column = factor_.order[k];
      for (std::size_t r = 0; r < rows_at(first_row); ++r) {
        const double weight = weights_(first_row + r, column);
        const CodeGrid grid = grid_at(first_row + r, column);
        const int code = grid.code(weight + sum[r] / row[k]);
        result_.codes(first_row + r, column) = static_cast<std::int8_t>(code);
        errors[k * kPanelColumns + r] = weight - grid.value(code);
      }
    }
  }

  const Matrix<double>& weights_;
  const GptqFactor& factor_;
  const WeightQuantizer& quantizer_;
  units::QuantizedWeight& result_;
  const bool fits_groups_;
  const std::size_t block_;
  std::vector<double> errors_;       // (panel, step, row of the panel): w - q
  std::vector<double> sums_;         // (step of the block, row of the panel): sum over j of (w_j - q_j) R_jk
  std::vector<double> corrections_;  // (step of the block, row of the panel)
};

}  // namespace

GptqFactor factor_second_moment(Matrix<double> second_moment, const GptqOptions& options,
                                const numerics::ParallelFor& parallel_for) {
  GUARDBIT_CHECK(second_moment.rows() == second_moment.cols(), "a second moment is square");
  add_damping(second_moment, options.damp);
  GptqFactor result{rounding_order(second_moment, options.act_order), {}};
  // From the last column on: the factorisation of the matrix turned by half a circle.
  const std::size_t n = second_moment.rows();
  result.factor = Matrix<double>(n, n);
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j < n; ++j)
      result.factor(n - 1 - i, n - 1 - j) = second_moment(result.order[i], result.order[j]);
  second_moment = {};
  if (!factor_cholesky(result.factor, parallel_for))
    throw std::invalid_argument("gptq: the inputs' second moment is not positive definite with damp " +
                                value_text({}, options.damp) + "; expected finite inputs and a larger damp");
  mirror_at_second_diagonal(result.factor);
  return result;
}

units::QuantizedWeight round_by_gptq(const Matrix<double>& weights, const GptqFactor& factor,
                                     const GptqOptions& options, const numerics::ParallelFor& parallel_for) {
  GUARDBIT_CHECK(weights.cols() == factor.factor.cols(), "a second moment is of the layer's inputs");
  GUARDBIT_CHECK(options.block > 0, "a block has columns");
  units::QuantizedWeight result = round_to_nearest(weights, options.quantizer);
  const std::size_t num_panels = (weights.rows() + kPanelColumns - 1) / kPanelColumns;
  numerics::run_parallel(parallel_for, (num_panels + kPanelsPerTask - 1) / kPanelsPerTask, [&](std::size_t task) {
    const std::size_t first = task * kPanelsPerTask;
    PanelRounder(weights, factor, options, result)
        .run(first * kPanelColumns, std::min(kPanelsPerTask, num_panels - first));
  });
  return result;
}

}  // namespace guardbit::calibration
