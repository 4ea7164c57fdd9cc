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

/// The leading bits of a positive normal number.
double truncated(double x, int precision_bits) {
  constexpr int kDoublePrecision = 53;
  const std::uint64_t dropped = (std::uint64_t{1} << (kDoublePrecision - precision_bits)) - 1;
  return std::bit_cast<double>(std::bit_cast<std::uint64_t>(x) & ~dropped);
}

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
  // The quanta that subnormal roundings add are below length * min_normal. The slack covers the rounding of this
  // computation itself.
  constexpr double kSlack = 1 + 1e-9;
  return (max_acc + static_cast<double>(length) * (products.max_magnitude + inner.min_normal)) * inner.growth * kSlack;
}

double guard_before(const GemmPlan& plan, double max_product, std::size_t num_steps) {
  // Backwards: the last sum may reach the limit. A sum before it has to round to at most the guard of the step after
  // it, which it does if it is at most the next lower number of the format: every rounding is monotonic and leaves that
  // be.
  const int precision_bits = plan.spec.inner.format.precision_bits();
  double guard = static_cast<double>(plan.narrow.sum_limit);
  for (std::size_t step = 0; step < num_steps; ++step) {
    if (step != 0) guard = truncated(guard, precision_bits);
    guard = std::nextafter(guard - max_product, 0.0);  // the difference may have been rounded up
    if (guard <= plan.inner.min_normal) return 0;
  }
  return guard;
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
