#pragma once
/// Fast twins of arith::gemm_reference: the same bits and the same event counts, vectorised (Highway, dynamic
/// dispatch) and split over threads by the caller's ParallelFor.
#include <span>

#include "models/arith/accumulator.h"

namespace guardbit::kernels {

using numerics::MatrixView;

/// What the caller knows of operand values, which decides how few instructions are exact. Operands must be values of
/// these formats (they are: the caller rounded them there).
struct OperandFormats {
  numerics::FloatFormat a = numerics::kFp32;
  numerics::FloatFormat b = numerics::kFp32;
};

struct GemmOptions {
  numerics::EventSet wanted = numerics::EventSet::all();  ///< counters to keep; others stay 0. Never changes bits.
  numerics::RandomStream stream;
  arith::OutputIndex first;            ///< index of output (0, 0), as in gemm_reference
  numerics::ParallelFor parallel_for;  ///< empty: one thread
};

/// c = a * b after `spec`; arguments as arith::gemm_reference. Specs without a vector kernel run the reference (the
/// list is in docs/numerics.md); is_vectorized() tells.
void gemm(MatrixView<const float> a, MatrixView<const float> b, const OperandFormats& operands,
          const arith::AccumulationSpec& spec, std::span<const float> scales, const GemmOptions& options,
          MatrixView<float> c, arith::AccumulationEvents& events);
bool is_vectorized(const OperandFormats& operands, const arith::AccumulationSpec& spec);

/// c = a * b for integer codes; a and b hold values of int2..int8.
/// `operand_bits` is the larger of the operands' widths (4: values in -8..7), which decides how sums can be proven not
/// to overflow; values outside it are an internal error.
void gemm(MatrixView<const std::int8_t> a, MatrixView<const std::int8_t> b, int operand_bits,
          const arith::IntAccumulationSpec& spec, std::span<const float> scales, const GemmOptions& options,
          MatrixView<float> c, arith::AccumulationEvents& events);

/// Plain fp32 c = a * b for reference forwards and calibration: k ascending, fused multiply-add in binary32
/// (deterministic on every host and vector width), no events.
void gemm_fp32(MatrixView<const float> a, MatrixView<const float> b, const numerics::ParallelFor& parallel_for,
               MatrixView<float> c);

}  // namespace guardbit::kernels
