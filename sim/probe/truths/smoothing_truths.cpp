/// INT4 products of activations with outliers: round to nearest, runtime smoothing, rotation, and both.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>
#include <string>

#include "models/numerics/random_bits.h"
#include "models/transformer/rotation.h"
#include "models/units/matrix_unit.h"
#include "models/units/rotate_unit.h"
#include "models/units/smooth_unit.h"
#include "sim/probe/truths/truth_rows.h"
#include "sim/probe/truths/truths.h"

namespace guardbit::sim {
namespace {

using numerics::Matrix;

constexpr std::size_t kTokens = 128;
constexpr std::size_t kChannels = 1024;
constexpr std::size_t kOutputs = 64;
constexpr std::size_t kGroup = 128;

double squared(double value) { return value * value; }

struct Product {
  Matrix<float> x;  ///< (tokens, K)
  Matrix<float> w;  ///< (outputs, K)
};

/// N(0, 1) in both; `change` plants outliers.
Product product_with(const std::function<void(Matrix<float>& x)>& change) {
  Product product{normal_matrix(kTokens, kChannels, 40), normal_matrix(kOutputs, kChannels, 41)};
  change(product.x);
  return product;
}

/// One channel in 64 is 50 in every token, as the residual stream's massive channels are: of one sign.
void plant_constant(Matrix<float>& x) {
  for (std::size_t t = 0; t < x.rows(); ++t)
    for (std::size_t j = 0; j < x.cols(); j += 64) x(t, j) += 50;
}

/// The same channels with the sign of their N(0, 1) value.
void plant_alternating(Matrix<float>& x) {
  for (std::size_t t = 0; t < x.rows(); ++t)
    for (std::size_t j = 0; j < x.cols(); j += 64) x(t, j) += std::copysign(50.0F, x(t, j));
}

/// Eight tokens with one value of 1000 each, in different channels.
void plant_spikes(Matrix<float>& x) {
  constexpr std::size_t kNumSpikes = 8;
  for (std::size_t i = 0; i < kNumSpikes; ++i) x(i * kTokens / kNumSpikes, i * kChannels / kNumSpikes + 5) = 1000;
}

/// R = H diag(signs) / sqrt(K) on both sides: at run time by the rotate unit in fp16, offline in binary64.
Product rotated(const Product& product) {
  Product result = product;
  for (std::size_t j = 0; j < kChannels; ++j) {
    const bool negative = numerics::philox4x32({static_cast<std::uint32_t>(j), 0, 0, 0}, {1, 0})[0] % 2 != 0;
    for (std::size_t row = 0; negative && row < kTokens; ++row) result.x(row, j) = -result.x(row, j);
    for (std::size_t row = 0; negative && row < kOutputs; ++row) result.w(row, j) = -result.w(row, j);
  }
  numerics::EventLedger ignored;
  units::rotate(result.x.view(), kChannels, 1, {}, result.x.view(), ignored);
  Matrix<double> w(kOutputs, kChannels, {result.w.data().begin(), result.w.data().end()});
  transformer::rotate_rows(w, {kChannels, 1}, transformer::RotationDirection::kForward);
  std::ranges::transform(w.data(), result.w.data().begin(), [](double value) { return static_cast<float>(value); });
  return result;
}

/// Accumulators of an INT4 array with groups of 128 channels, and what they are sums of.
struct Int4Product {
  units::Operand x;
  units::Operand w;
  std::vector<std::uint32_t> permutation;  ///< (K): position -> channel
  std::vector<float> group_scales;         ///< empty: not smoothed
  Matrix<float> accumulators;
};

Int4Product multiply_int4(const Product& product, const units::SmoothConfig* smooth, const std::string& outer) {
  units::OperandConfig operands;
  operands.activation = operands.weight = "int4";
  units::AccumulatorConfig accumulator;
  accumulator.format = "int32";
  accumulator.buffer.format = outer;
  accumulator.buffer.promote_every = kGroup;
  const units::MatrixMode mode = units::make_matrix_mode({}, operands, accumulator, smooth == nullptr ? 0 : kGroup);
  Int4Product result;
  numerics::EventLedger ledger;
  Matrix<float> x = product.x;
  Matrix<float> w = product.w;
  result.permutation.resize(x.cols());
  std::iota(result.permutation.begin(), result.permutation.end(), 0U);
  if (smooth != nullptr) {
    const units::SmoothPlan plan = units::smooth_plan(product.x.view(), *smooth);
    units::smooth(product.x.view(), plan, kGroup, units::conversion_spec("fp16"), x.view(), ledger);
    w = units::gather_columns(product.w.view(), plan.permutation);
    result.permutation = plan.permutation;
    result.group_scales = plan.group_scales;
  }
  result.x = units::quantize_operand(x.view(), mode, false, ledger);
  result.w = units::quantize_operand(w.view(), mode, true, ledger);
  result.accumulators = Matrix<float>(x.rows(), w.rows());
  units::matrix_product(result.x, result.w, {0, x.rows()}, {0, w.rows()}, mode, result.group_scales, {},
                        result.accumulators.view(), ledger);
  return result;
}

/// Mean over tokens of the relative error of a token's outputs, in %, against the binary64 product of what was smoothed
/// and quantized with the weights as they are held: the error that the activations' four bits make.
double error_percent(const Product& product, bool rotate, const units::SmoothConfig* smooth) {
  const Product used = rotate ? rotated(product) : product;
  const Int4Product int4 = multiply_int4(used, smooth, "fp32");
  Matrix<float> y(kTokens, kOutputs);
  numerics::EventLedger ignored;
  units::epilogue(int4.accumulators.view(), {.row_scales = int4.x.scales, .col_scales = int4.w.scales},
                  units::conversion_spec("fp32"), y.view(), ignored);
  Matrix<float> w(kOutputs, kChannels);
  for (std::size_t n = 0; n < kOutputs; ++n)
    for (std::size_t p = 0; p < kChannels; ++p)
      w(n, int4.permutation[p]) = static_cast<float>(int4.w.codes(n, p)) * int4.w.scales[n];
  const Matrix<double> exact = product_in_binary64(used.x, w);
  double sum = 0;
  for (std::size_t t = 0; t < kTokens; ++t) {
    double error = 0;
    double power = 0;
    for (std::size_t n = 0; n < kOutputs; ++n) {
      error += squared(static_cast<double>(y(t, n)) - exact(t, n));
      power += exact(t, n) * exact(t, n);
    }
    sum += std::sqrt(error / power);
  }
  return 100 * sum / kTokens;
}

struct Errors {
  double none, rs, rotate, rrs, rs_unsorted, rrs_unsorted;
};

Errors errors_of(void (*plant)(Matrix<float>&)) {
  const Product product = product_with(plant);
  const units::SmoothConfig sorted;
  units::SmoothConfig unsorted;
  unsorted.sort = false;
  return {error_percent(product, false, nullptr),   error_percent(product, false, &sorted),
          error_percent(product, true, nullptr),    error_percent(product, true, &sorted),
          error_percent(product, false, &unsorted), error_percent(product, true, &unsorted)};
}

constexpr std::size_t kDeepSide = 32;
constexpr std::size_t kDeepChannels = 4096;

/// 32 groups of channels, whose magnitudes fall by `binades` from the first to the last.
Product product_of_decaying_groups(int binades) {
  Product product{normal_matrix(kDeepSide, kDeepChannels, 50), normal_matrix(kDeepSide, kDeepChannels, 51)};
  constexpr std::size_t kLastGroup = kDeepChannels / kGroup - 1;
  for (std::size_t t = 0; t < kDeepSide; ++t) {
    for (std::size_t j = 0; j < kDeepChannels; ++j) {
      product.x(t, j) =
          std::ldexp(product.x(t, j), -binades * static_cast<int>(j / kGroup) / static_cast<int>(kLastGroup));
    }
  }
  return product;
}

/// rms of the outer accumulator minus sum_g s_g I_g of the same codes in binary64.
double outer_error(const Product& product, const std::string& outer, const char* order) {
  units::SmoothConfig smooth;
  smooth.order = order;
  const Int4Product int4 = multiply_int4(product, &smooth, outer);
  double total = 0;
  for (std::size_t t = 0; t < kDeepSide; ++t) {
    for (std::size_t n = 0; n < kDeepSide; ++n) {
      double sum = 0;
      for (std::size_t g = 0; g < int4.group_scales.size(); ++g) {
        int part = 0;
        for (std::size_t k = g * kGroup; k < (g + 1) * kGroup; ++k) part += int4.x.codes(t, k) * int4.w.codes(n, k);
        sum += static_cast<double>(int4.group_scales[g]) * part;
      }
      total += squared(static_cast<double>(int4.accumulators(t, n)) - sum);
    }
  }
  return std::sqrt(total / (kDeepSide * kDeepSide));
}

}  // namespace

std::vector<TruthRow> measure_smoothing_orders() {
  std::vector<TruthRow> rows;
  const auto show = [&](const std::string& data, const Errors& e) {
    for (const auto& [method, error] : {std::pair{"none", e.none},
                                        {"rs", e.rs},
                                        {"rs, not sorted", e.rs_unsorted},
                                        {"rotate", e.rotate},
                                        {"rrs", e.rrs},
                                        {"rrs, not sorted", e.rrs_unsorted}}) {
      rows.push_back(shown(data + ", " + method + ": mean error, %", error));
    }
  };
  const Errors constant = errors_of(plant_constant);
  show("constant sign", constant);
  rows.push_back(at_least("constant sign: rotate over rrs", constant.rotate / constant.rrs, 1.2));
  rows.push_back(within("constant sign: rs, not sorted over none", constant.rs_unsorted / constant.none, 0.98, 1.02));
  rows.push_back(at_least("constant sign: rrs, not sorted over rrs", constant.rrs_unsorted / constant.rrs, 1.1));
  const Errors alternating = errors_of(plant_alternating);
  show("sign changes", alternating);
  rows.push_back(within("sign changes: rotate over rrs", alternating.rotate / alternating.rrs, 0.95, 1.05));
  const Errors spikes = errors_of(plant_spikes);
  show("spikes", spikes);
  rows.push_back(at_least("spikes: rs over rotate", spikes.rs / spikes.rotate, 2));
  return rows;
}

std::vector<TruthRow> measure_group_order() {
  std::vector<TruthRow> rows;
  for (const int binades : {0, 4, 16}) {
    const Product product = product_of_decaying_groups(binades);
    for (const char* const outer : {"fp32", "fp16", "bf16", "fp8_e5m2"}) {
      const double factor = outer_error(product, outer, "descending") / outer_error(product, outer, "ascending");
      rows.push_back(within(fmt::format("scales over {} binades, {}: descending over ascending", binades, outer),
                            factor, 1.05, 3.9));
    }
  }
  return rows;
}

}  // namespace guardbit::sim
