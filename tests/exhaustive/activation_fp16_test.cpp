/// Activation functions on every fp16 input against GNU MPFR (80 digits of its own arithmetic, no libm), within the
/// bounds that activation_unit.h states.
#include <gtest/gtest.h>
#include <mpfr.h>

#include <cmath>
#include <cstdint>

#include "models/numerics/codec.h"
#include "models/units/activation_unit.h"

namespace guardbit::units {
namespace {

/// 256 bits; freed with the object.
class Mpfr {
 public:
  Mpfr() { mpfr_init2(value_, 256); }
  explicit Mpfr(double value) : Mpfr() { mpfr_set_d(value_, value, MPFR_RNDN); }
  Mpfr(const Mpfr&) = delete;
  Mpfr& operator=(const Mpfr&) = delete;
  ~Mpfr() { mpfr_clear(value_); }
  mpfr_ptr get() { return value_; }
  double as_double() const { return mpfr_get_d(value_, MPFR_RNDN); }

 private:
  mpfr_t value_;
};

/// y = x / (1 + e^-w).
void times_sigmoid(Mpfr& y, Mpfr& x, Mpfr& w) {
  Mpfr e;
  mpfr_neg(e.get(), w.get(), MPFR_RNDN);
  mpfr_exp(e.get(), e.get(), MPFR_RNDN);
  mpfr_add_ui(e.get(), e.get(), 1, MPFR_RNDN);
  mpfr_div(y.get(), x.get(), e.get(), MPFR_RNDN);
}

/// z = sqrt(2 / pi) (x + 0.044715 x^3).
void gelu_tanh_argument(Mpfr& z, Mpfr& x) {
  Mpfr cube;
  Mpfr factor;
  mpfr_pow_ui(cube.get(), x.get(), 3, MPFR_RNDN);
  mpfr_mul_ui(cube.get(), cube.get(), 44715, MPFR_RNDN);
  mpfr_div_ui(cube.get(), cube.get(), 1000000, MPFR_RNDN);
  mpfr_add(z.get(), x.get(), cube.get(), MPFR_RNDN);
  mpfr_const_pi(factor.get(), MPFR_RNDN);
  mpfr_ui_div(factor.get(), 2, factor.get(), MPFR_RNDN);
  mpfr_sqrt(factor.get(), factor.get(), MPFR_RNDN);
  mpfr_mul(z.get(), z.get(), factor.get(), MPFR_RNDN);
}

/// The function, and the relative part of its bound.
double exact(ActivationFunction function, float value, Mpfr& y) {
  constexpr double kUnit = 0x1p-24;
  Mpfr x(value);
  Mpfr w;
  switch (function) {
    case ActivationFunction::kGeluTanh:
      gelu_tanh_argument(w, x);
      mpfr_mul_ui(w.get(), w.get(), 2, MPFR_RNDN);
      times_sigmoid(y, x, w);
      return kUnit * (8 + 4 * std::fabs(w.as_double()));  // 8 |z|
    case ActivationFunction::kGelu:
      mpfr_sqrt_ui(w.get(), 2, MPFR_RNDN);
      mpfr_div(w.get(), x.get(), w.get(), MPFR_RNDN);
      mpfr_neg(w.get(), w.get(), MPFR_RNDN);
      mpfr_erfc(w.get(), w.get(), MPFR_RNDN);
      mpfr_mul(y.get(), x.get(), w.get(), MPFR_RNDN);
      mpfr_div_ui(y.get(), y.get(), 2, MPFR_RNDN);
      return 2e-6;
    case ActivationFunction::kSilu: times_sigmoid(y, x, x); return kUnit * 8;
    case ActivationFunction::kRelu: mpfr_set_d(y.get(), value > 0 ? value : 0, MPFR_RNDN); return 0;
  }
  return 0;
}

TEST(ActivationFp16Test, EveryInputIsWithinTheStatedBound) {
  for (const ActivationFunction function : {ActivationFunction::kGeluTanh, ActivationFunction::kGelu,
                                            ActivationFunction::kSilu, ActivationFunction::kRelu}) {
    double worst = 0;
    for (std::uint32_t code = 0; code < 0x10000; ++code) {
      const float x = numerics::to_carrier(code, numerics::kFp16);
      if (!std::isfinite(x)) continue;
      Mpfr y;
      const double relative = exact(function, x, y);
      const double expected = y.as_double();
      Mpfr error(static_cast<double>(activation_fp32(function, x)));
      mpfr_sub(error.get(), error.get(), y.get(), MPFR_RNDN);
      const bool subnormal = std::fabs(expected) < 0x1p-126;
      const double absolute = function == ActivationFunction::kRelu ? 0 : 0x1p-140 + (subnormal ? 0x1p-149 : 0);
      const double bound = relative * std::fabs(expected) + absolute;
      ASSERT_LE(std::fabs(error.as_double()), bound)
          << static_cast<int>(function) << std::hexfloat << " at " << x << ", expected " << expected;
      if (std::fabs(expected) > 0x1p-100 && bound > 0) worst = std::max(worst, std::fabs(error.as_double()) / bound);
    }
    if (function != ActivationFunction::kRelu) {
      EXPECT_GT(worst, 0.05) << "the bound is of the error's size";
    }
  }
}

}  // namespace
}  // namespace guardbit::units
