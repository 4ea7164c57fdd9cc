#include "models/kernels/float_gemm_proof.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "models/numerics/codec.h"

namespace guardbit::kernels {
namespace {

constexpr std::uint32_t kInfinityCode = 0x7F800000;
constexpr int kCarrierTrailingBits = 23;
constexpr int kCarrierBias = 127;

/// Exponent of the lowest bit that values of the format with at least this magnitude can have.
int lowest_bit(std::uint32_t min_code, const numerics::FloatFormat& format) {
  const int biased = static_cast<int>(min_code >> kCarrierTrailingBits);
  const int exponent = std::max(biased, 1) - kCarrierBias;
  return std::max(exponent - format.trailing_bits, format.quantum_exponent());
}

constexpr double kSlack = 1 + 1e-9;  // covers the rounding of the bounds' own computation

double value_of(std::uint32_t code) { return static_cast<double>(std::bit_cast<float>(code)); }

}  // namespace

BlockProducts::BlockProducts(const TileJob& job, std::size_t block) {
  const BlockSummary& a = job.a->summaries[block];
  const BlockSummary& b = job.b->summaries[block];
  all_finite = std::max(a.max_code, b.max_code) < kInfinityCode;
  max_magnitude = value_of(a.max_code) * value_of(b.max_code);
  a_quantum_exponent = lowest_bit(a.min_code, job.plan->operands.a);
  b_quantum_exponent = lowest_bit(b.min_code, job.plan->operands.b);
  quantum_exponent =
      max_magnitude == 0 ? std::max(job.plan->inner_quantum_exponent(), 0) : a_quantum_exponent + b_quantum_exponent;
}

double bound_after(const RoundingConstants& inner, double max_acc, const BlockProducts& products, std::size_t length) {
  // The quanta that subnormal roundings add are below length * min_normal.
  return (max_acc + static_cast<double>(length) * (products.max_magnitude + inner.min_normal)) * inner.growth * kSlack;
}

double guard_before(const RoundingConstants& inner, double max_product, std::size_t num_steps, double limit) {
  // The first step's sum is not rounded yet: one product more than the limit allows is what a single step has to fear.
  if (num_steps == 1) return (limit / kSlack - max_product) / kSlack;
  const double part = static_cast<double>(num_steps) / static_cast<double>(kBlockLength);
  const double growth = std::pow(inner.growth, part);
  return (limit / (growth * kSlack) - static_cast<double>(num_steps) * (max_product + inner.min_normal)) / kSlack;
}

bool fits_scaled_domain(const GemmPlan& plan, const BlockProducts& products) {
  const int floor = numerics::kFp32.quantum_exponent();
  return plan.narrow.a_scale != 0 && products.a_quantum_exponent + plan.narrow.a_scale_exponent >= floor &&
         products.b_quantum_exponent + plan.narrow.b_scale_exponent >= floor;
}

bool products_fit_half(const GemmPlan& plan, const BlockProducts& products) {
  constexpr numerics::FloatFormat kHalf = numerics::kFp16;
  return plan.operands.a.precision_bits() + plan.operands.b.precision_bits() <= kHalf.precision_bits() &&
         products.quantum_exponent >= kHalf.quantum_exponent() &&
         products.max_magnitude <= static_cast<double>(numerics::max_finite(kHalf));
}

bool cannot_underflow(const GemmPlan& plan, const BlockProducts& products) {
  return products.quantum_exponent >= plan.inner_quantum_exponent();
}

}  // namespace guardbit::kernels
