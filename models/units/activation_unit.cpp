#include "models/units/activation_unit.h"

#include <cmath>

#include "models/kernels/scalar_rounder.h"
#include "models/units/arithmetic.h"
#include "models/units/function_unit.h"

namespace guardbit::units {
namespace {

using kernels::ScalarRounder;
using numerics::Event;
using numerics::Stage;

/// x * sigmoid(w) for finite x with w of x's sign: the exponential of -|w| neither overflows nor cancels.
float times_sigmoid(float x, float w) {
  const float e = exp_fp32(-std::abs(w));
  return (w < 0 ? x * e : x) / (1.0F + e);
}

/// z = x (c1 + c3 x^2) with c1 = sqrt(2 / pi), c3 = 0.044715 c1; x sigmoid(2 z) = x (1 + tanh z) / 2.
float gelu_tanh(float x) {
  constexpr float kTwoC1 = 1.5957691216057308F;
  constexpr float kTwoC3 = 0.0713548162726009F;
  return times_sigmoid(x, x * std::fma(kTwoC3, x * x, kTwoC1));
}

/// x Phi(x) = x - x Q(x) above 0, x Q(-x) below.
float gelu(float x) { return x < 0 ? x * normal_tail_fp32(-x) : std::fma(-x, normal_tail_fp32(x), x); }

/// The function's events as one operator; its result on x.
float evaluate(ActivationFunction function, float x, EventCounts& events) {
  const float value = activation_fp32(function, x);
  if (function == ActivationFunction::kRelu || x == 0 || !std::isfinite(x)) return value;
  ++events[Event::kInexact];
  if (std::fpclassify(value) == FP_SUBNORMAL || value == 0) ++events[Event::kUnderflow];
  if (value == 0) ++events[Event::kFlushed];
  return value;
}

}  // namespace

float activation_fp32(ActivationFunction function, float x) {
  if (std::isnan(x)) return x;
  if (function == ActivationFunction::kRelu) return x > 0 ? x : 0.0F;
  if (std::isinf(x)) return x > 0 ? x : -0.0F;
  switch (function) {
    case ActivationFunction::kGeluTanh: return gelu_tanh(x);
    case ActivationFunction::kGelu: return gelu(x);
    case ActivationFunction::kSilu: return times_sigmoid(x, x);
    case ActivationFunction::kRelu: break;
  }
  return x;  // unreachable: the switch is exhaustive (-Wswitch-enum)
}

void activate(ActivationFunction function, MatrixView<const float> x, const numerics::FloatSpec& storage,
              MatrixView<float> y, EventLedger& ledger, const ParallelFor& parallel_for) {
  GUARDBIT_CHECK(y.rows == x.rows && y.cols == x.cols, "y has x's shape");
  const ScalarRounder store(storage);
  for_row_blocks(y.rows, y.cols, parallel_for, ledger, [&](std::size_t begin, std::size_t end, EventLedger& events) {
    for (std::size_t row = begin; row < end; ++row) {
      for (std::size_t col = 0; col < y.cols; ++col) {
        const float value = evaluate(function, x(row, col), events[Stage::kVector]);
        y(row, col) = store({value}, events[Stage::kStorage]);
      }
    }
  });
}

void gate(ActivationFunction function, MatrixView<const float> g, MatrixView<const float> u,
          const numerics::FloatSpec& storage, MatrixView<float> y, EventLedger& ledger,
          const ParallelFor& parallel_for) {
  GUARDBIT_CHECK(g.rows == u.rows && g.cols == u.cols, "gate and up have one shape");
  GUARDBIT_CHECK(y.rows == g.rows && y.cols == g.cols, "y has the gate's shape");
  const ScalarRounder fp32(conversion_spec("fp32"));
  const ScalarRounder store(storage);
  for_row_blocks(y.rows, y.cols, parallel_for, ledger, [&](std::size_t begin, std::size_t end, EventLedger& events) {
    EventCounts& counts = events[Stage::kVector];
    for (std::size_t row = begin; row < end; ++row) {
      for (std::size_t col = 0; col < y.cols; ++col) {
        const float value = fp32.multiply(evaluate(function, g(row, col), counts), u(row, col), counts);
        y(row, col) = store({value}, events[Stage::kStorage]);
      }
    }
  });
}

}  // namespace guardbit::units
