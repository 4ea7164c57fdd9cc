#pragma once
/// Activation functions in binary32 and their conversion to storage.
#include "models/numerics/rounding.h"
#include "models/units/row_blocks.h"

namespace guardbit::units {

enum class ActivationFunction { kGeluTanh, kGelu, kSilu, kRelu };

/// The function in binary32, by fixed sequences of operations (activation_unit.cpp) around exp_fp32 and
/// normal_tail_fp32.
///   gelu_tanh  x sigmoid(2 z), z = sqrt(2/pi) (x + 0.044715 x^3): relative error at most 2^-24 (8 + 8 |z|)
///   gelu       x Phi(x): relative error at most 2e-6
///   silu       x sigmoid(x): relative error at most 2^-24 * 8
///   relu       x if x > 0, +0 otherwise: exact
/// plus an absolute 2^-140 (exponentials in the subnormal range) and, where the result is subnormal, its quantum. NaN
/// stays; +infinity gives +infinity, -infinity gives -0 (relu: +0). Test: tests/unit/activation_unit_test.cpp.
float activation_fp32(ActivationFunction function, float x);

/// y = storage(f(x)); y may be x. The function is one operator: stage vector has inexact (unless relu, or x = 0 or not
/// finite), underflow and flushed (a subnormal or zero result of a finite non-zero operand; not relu). Stage storage
/// has the conversion.
void activate(ActivationFunction function, MatrixView<const float> x, const numerics::FloatSpec& storage,
              MatrixView<float> y, EventLedger& ledger, const ParallelFor& parallel_for = {});

/// y = storage(fp32(f(g) * u)), the product's events at stage vector as well.
void gate(ActivationFunction function, MatrixView<const float> g, MatrixView<const float> u,
          const numerics::FloatSpec& storage, MatrixView<float> y, EventLedger& ledger,
          const ParallelFor& parallel_for = {});

}  // namespace guardbit::units
