#include "sim/sweep/token_errors.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "models/numerics/check.h"
#include "models/transformer/family.h"
#include "models/transformer/reference.h"

namespace guardbit::sim {
namespace {

std::ptrdiff_t largest(const float* row, std::size_t count) { return std::max_element(row, row + count) - row; }

/// Means over runs of tokens whose lengths differ by at most one.
Json block_means(const std::vector<double>& tokens, double unit) {
  Json means = Json::array();
  const std::size_t num_blocks = std::min(tokens.size(), kTokenBlocks);
  for (std::size_t block = 0; block < num_blocks; ++block) {
    const std::size_t begin = block * tokens.size() / num_blocks;
    const std::size_t end = (block + 1) * tokens.size() / num_blocks;
    double sum = 0;
    for (std::size_t token = begin; token < end; ++token) sum += tokens[token];
    means.push_back(json_real(sum / static_cast<double>(end - begin) / unit));
  }
  return means;
}

}  // namespace

TokenErrors::TokenErrors(std::vector<Trace::Window> windows, const transformer::ModelShape& shape)
    : windows_(std::move(windows)), shape_(shape) {}

void TokenErrors::add_rows(std::size_t first_row, numerics::MatrixView<const float> logits,
                           numerics::MatrixView<const float> reference) {
  if (first_row == 0) ++num_windows_;
  GUARDBIT_CHECK(num_windows_ - 1 < windows_.size(), "every window is replayed once");
  const Trace::Window& window = windows_[num_windows_ - 1];
  const std::span<const int> targets = scored_targets_of(window, shape_);
  const std::size_t first_scored = transformer::is_causal(shape_) ? window.tokens.size() - 1 - targets.size() : 0;
  for (std::size_t row = 0; row < logits.rows; ++row) {
    double noise = 0;
    for (std::size_t i = 0; i < logits.cols; ++i) {
      const double wanted = reference(row, i);
      const double error = wanted - static_cast<double>(logits(row, i));
      signal_ += wanted * wanted;
      noise += error * error;
    }
    noise_.push_back(noise);
    if (first_row + row < first_scored) continue;
    if (shape_.has_head) {
      const bool agrees =
          !std::isnan(noise) && largest(logits.row(row), logits.cols) == largest(reference.row(row), reference.cols);
      disagreement_.push_back(agrees ? 0 : 1);
    }
    const std::size_t target = first_row + row - first_scored;
    if (target >= targets.size()) continue;
    const auto loss = [&](numerics::MatrixView<const float> of) {
      return transformer::negative_log_likelihood(of.rows_range(row, row + 1), targets.subspan(target, 1));
    };
    loss_.push_back(loss(logits) - loss(reference));
  }
}

Json TokenErrors::json() const {
  return Json{{"loss", block_means(loss_, 1)},
              {"noise", block_means(noise_, signal_ / static_cast<double>(std::max<std::size_t>(noise_.size(), 1)))},
              {"disagreement", block_means(disagreement_, 1)}};
}

}  // namespace guardbit::sim
