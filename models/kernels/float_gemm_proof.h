#pragma once
/// What can be said of a block's sums before it runs, from the BlockSummary of both operands. Every statement is about
/// all outputs of a tile and all steps of the block.
#include "models/kernels/float_gemm_plan.h"

namespace guardbit::kernels {

/// The products of one block of one tile.
struct BlockProducts {
  BlockProducts(const TileJob& job, std::size_t block);

  bool all_finite;         ///< no operand is infinite or NaN
  double max_magnitude;    ///< of a product; meaningful only if all_finite
  int a_quantum_exponent;  ///< every operand is a multiple of 2^this
  int b_quantum_exponent;
  int quantum_exponent;  ///< every product is a multiple of 2^this
};

/// Upper bound of |acc| at every step of a block of `length` if it is at most `max_acc` before, while nothing
/// overflows: |acc| after a step <= (|acc| + max product) * (1 + relative rounding error) + quantum.
double bound_after(const RoundingConstants& inner, double max_acc, const BlockProducts& products, std::size_t length);

/// Magnitude of accumulators from which no sum of `num_steps` steps exceeds plan.narrow.sum_limit, if no product
/// exceeds `max_product`; 0: there is none.
double guard_before(const GemmPlan& plan, double max_product, std::size_t num_steps);

/// The operands' values in the scaled domain of plan.narrow are exact.
bool fits_scaled_domain(const GemmPlan& plan, const BlockProducts& products);

/// Every product is a value of fp16.
bool products_fit_half(const GemmPlan& plan, const BlockProducts& products);

/// Every sum below the smallest normal number is exact: it is a multiple of the accumulator's quantum, as the
/// accumulator is. No underflow, and nothing becomes zero by rounding.
bool cannot_underflow(const GemmPlan& plan, const BlockProducts& products);

}  // namespace guardbit::kernels
