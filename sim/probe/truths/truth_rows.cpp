#include "sim/probe/truths/truth_rows.h"

#include <fmt/format.h>

#include <utility>

#include "sim/probe/operand_source.h"

namespace guardbit::sim {
namespace {

constexpr std::uint64_t kSeed = 5;

std::string four_digits(double value) { return fmt::format("{:.4g}", value); }

}  // namespace

TruthRow exactly(std::string quantity, double measured, double expected) {
  return {std::move(quantity), fmt::format("{}", measured), fmt::format("{}", expected), measured == expected};
}

TruthRow within(std::string quantity, double measured, double low, double high) {
  return {std::move(quantity), four_digits(measured), fmt::format("{} .. {}", four_digits(low), four_digits(high)),
          measured >= low && measured <= high};
}

TruthRow shown(std::string quantity, double measured) { return {std::move(quantity), four_digits(measured), "", true}; }

TruthRow at_least(std::string quantity, double measured, double low) {
  return {std::move(quantity), four_digits(measured), fmt::format("at least {}", four_digits(low)), measured >= low};
}

TruthRow at_most(std::string quantity, double measured, double high) {
  return {std::move(quantity), four_digits(measured), fmt::format("at most {}", four_digits(high)), measured <= high};
}

numerics::Matrix<float> normal_matrix(std::size_t rows, std::size_t cols, std::uint32_t unit, float deviation) {
  return load_operand({.kind = OperandSource::Kind::kNormal, .scale = deviation, .file = {}, .tensor = {}}, rows, cols,
                      false, kSeed, unit, {});
}

numerics::Matrix<double> product_in_binary64(const numerics::Matrix<float>& a, const numerics::Matrix<float>& b) {
  numerics::Matrix<double> c(a.rows(), b.rows());
  for (std::size_t m = 0; m < a.rows(); ++m) {
    for (std::size_t n = 0; n < b.rows(); ++n) {
      double sum = 0;
      for (std::size_t k = 0; k < a.cols(); ++k) sum += static_cast<double>(a(m, k)) * static_cast<double>(b(n, k));
      c(m, n) = sum;
    }
  }
  return c;
}

}  // namespace guardbit::sim
