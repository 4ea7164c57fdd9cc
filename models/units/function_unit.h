#pragma once
/// Elementary functions as fixed sequences of binary32 (or binary64) operations: +, -, *, /, sqrt and fused
/// multiply-add, each correctly rounded, so that results are the same bits on every host. No libm functions.
namespace guardbit::units {

/// e^x in binary32: n = rne(x * fp32(1/ln 2)), r = x - n ln 2 (two fused steps), a degree-6 polynomial in Horner form
/// by fused multiply-adds, times 2^n. Error at most 1 ulp (quanta in the subnormal range; 0.83 measured). e^x overflows
/// to infinity above 88.72284, is +0 below -103.98; NaN stays. Test: tests/unit/function_unit_test.cpp.
float exp_fp32(float x);

/// Upper tail of the standard normal distribution, Q(x) = erfc(x / sqrt 2) / 2, for x >= 0 in binary32:
/// t / 2 * exp(-h) * exp(P(t) - l) with t = 1 / (1 + x / sqrt 8), x^2 / 2 = h + l exactly, and the polynomial P of
/// Press et al., Numerical Recipes, erfcc (relative error 1.2e-7). +0 for x >= 15. Relative error at most 1e-6 where
/// the result is normal. Test: as above.
float normal_tail_fp32(float x);

/// Binary64 functions for tables and constants prepared offline, by +, -, *, / alone. Absolute error of sine and cosine
/// at most 4e-16 for |x| <= 2^20, relative error of exp at most 1e-15 for |x| <= 50 and 2e-14 for |x| <= 700, absolute
/// error of log at most 2e-16 * (4 + |log x|) for normal x > 0. Outside these ranges: internal error.
double exp_fp64(double x);
double log_fp64(double x);
struct SinCos {
  double sin = 0;
  double cos = 0;
};
SinCos sin_cos_fp64(double x);

}  // namespace guardbit::units
