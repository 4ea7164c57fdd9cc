#pragma once
/// Elementary functions as fixed sequences of binary32 (or binary64) operations: +, -, *, /, sqrt and fused
/// multiply-add, each correctly rounded, so that results are the same bits on every host. No libm functions.
namespace guardbit::units {

/// e^x in binary32: n = rne(x * fp32(1/ln 2)), r = x - n ln 2 (two fused steps), a degree-6 polynomial in Horner form
/// by fused multiply-adds, times 2^n. Error at most 2 ulp (quanta in the subnormal range). e^x overflows to infinity
/// above 88.72284, is +0 below -103.98; NaN stays. Test: tests/unit/function_unit_test.cpp.
float exp_fp32(float x);

/// erfc(x) for x >= 0 in binary32: t = 1 / (1 + x/2), t * exp(P(t) - x^2) with the square in two parts (Numerical
/// Recipes erfcc). Relative error at most 1e-6 where the result is normal. Test: as above.
float erfc_fp32(float x);

/// Binary64 functions for tables and constants prepared offline. Absolute error of sine and cosine at most 1e-15 +
/// 2^-52 for |x| <= 2^20; relative error of exp (|x| <= 700) and log (x > 0, normal) at most 1e-14, of log absolute
/// near 1.
double exp_fp64(double x);
double log_fp64(double x);
struct SinCos {
  double sin = 0;
  double cos = 0;
};
SinCos sin_cos_fp64(double x);

}  // namespace guardbit::units
