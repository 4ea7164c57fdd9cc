// multiply_add() against GNU MPFR: a second oracle, written by others, for the four IEEE directions that it has.
#include <gtest/gtest.h>
#include <mpfr.h>

#include <bit>
#include <random>

#include "models/arith/float_ops.h"
#include "models/numerics/codec.h"

namespace guardbit::tests {
namespace {

using numerics::Event;
using numerics::FloatFormat;
using numerics::FloatSpec;
using numerics::Rounded;
using numerics::RoundingMode;

constexpr std::uint32_t kSeed = 4711;
constexpr int kNumCases = 40000;

/// MPFR's numbers are 0.1xxx * 2^e: exponents are one larger than IEEE 754's.
void set_range(const FloatFormat& format) {
  mpfr_set_emin(format.quantum_exponent() + 1);
  mpfr_set_emax(format.max_exponent() + 1);
}

mpfr_rnd_t direction_of(RoundingMode mode) {
  switch (mode) {
    case RoundingMode::kTowardZero: return MPFR_RNDZ;
    case RoundingMode::kTowardPositive: return MPFR_RNDU;
    case RoundingMode::kTowardNegative: return MPFR_RNDD;
    case RoundingMode::kTiesToEven:
    case RoundingMode::kTiesToAway:
    case RoundingMode::kToOdd:
    case RoundingMode::kStochastic: break;
  }
  return MPFR_RNDN;
}

/// a * b + c rounded into the format by MPFR.
struct MpfrResult {
  float value = 0;
  bool inexact = false;
  bool overflow = false;
  bool invalid = false;
};

class MpfrTest : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    for (mpfr_t* operand : {&a_, &b_, &c_}) mpfr_init2(*operand, 24);
    default_emin_ = mpfr_get_emin();
    default_emax_ = mpfr_get_emax();
  }
  void TearDown() override {
    for (mpfr_t* operand : {&a_, &b_, &c_}) mpfr_clear(*operand);
    mpfr_free_cache();
  }

  MpfrResult multiply_add(float a, float b, float c, const FloatSpec& spec) {
    mpfr_set_flt(a_, a, MPFR_RNDN);
    mpfr_set_flt(b_, b, MPFR_RNDN);
    mpfr_set_flt(c_, c, MPFR_RNDN);
    mpfr_t result;
    mpfr_init2(result, spec.format.precision_bits());
    mpfr_clear_flags();
    set_range(spec.format);
    const mpfr_rnd_t direction = direction_of(spec.rounding);
    int ternary = mpfr_fma(result, a_, b_, c_, direction);
    ternary = mpfr_check_range(result, ternary, direction);
    ternary = mpfr_subnormalize(result, ternary, direction);
    const bool overflow = mpfr_overflow_p() != 0;
    const bool invalid = mpfr_nanflag_p() != 0;
    mpfr_set_emin(default_emin_);
    mpfr_set_emax(default_emax_);
    const MpfrResult answer{mpfr_get_flt(result, MPFR_RNDN), ternary != 0, overflow, invalid};
    mpfr_clear(result);
    return answer;
  }

  mpfr_t a_, b_, c_;
  mpfr_exp_t default_emin_ = 0;
  mpfr_exp_t default_emax_ = 0;
};

TEST_P(MpfrTest, FusedMultiplyAddMatches) {
  const FloatFormat format = numerics::parse_float_format(GetParam()).value();
  std::mt19937 random(kSeed);
  const auto any_carrier = [&](int i) {
    auto code = static_cast<std::uint32_t>(random()) & (2 * format.sign_code() - 1);
    // Every third: exponents around 1, so that products and addends meet.
    if (i % 3 == 0)
      code = static_cast<std::uint32_t>(format.bias - 4 + static_cast<int>(random() % 8)) << format.trailing_bits |
             (code & ((1u << format.trailing_bits) - 1)) | (code & format.sign_code());
    return numerics::to_carrier(code, format);
  };
  for (int i = 0; i < kNumCases; ++i) {
    const float a = any_carrier(i);
    const float b = any_carrier(i);
    const float c = any_carrier(i + static_cast<int>(random() % 2));
    if (std::isnan(a) || std::isnan(b) || std::isnan(c)) continue;
    for (const RoundingMode mode : {RoundingMode::kTiesToEven, RoundingMode::kTowardZero, RoundingMode::kTowardPositive,
                                    RoundingMode::kTowardNegative}) {
      const FloatSpec spec{.format = format, .rounding = mode};
      const MpfrResult expected = multiply_add(a, b, c, spec);
      const Rounded actual = arith::multiply_add(numerics::from_carrier(a, format), numerics::from_carrier(b, format),
                                                 format, numerics::from_carrier(c, format), format, spec);
      const float value = numerics::to_carrier(actual.code, format);
      const bool same_value = std::isnan(expected.value)
                                  ? std::isnan(value)
                                  : std::bit_cast<std::uint32_t>(value) == std::bit_cast<std::uint32_t>(expected.value);
      ASSERT_TRUE(same_value && actual.events.has(Event::kInexact) == expected.inexact &&
                  actual.events.has(Event::kOverflow) == expected.overflow &&
                  actual.events.has(Event::kInvalid) == expected.invalid)
          << "case " << i << " of seed " << kSeed << " " << numerics::name_of(mode) << std::hexfloat << ": " << a
          << " * " << b << " + " << c << " = " << value << ", MPFR " << expected.value << " inexact "
          << expected.inexact << " overflow " << expected.overflow << " invalid " << expected.invalid;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Formats, MpfrTest, testing::Values("fp32", "tf32", "bf16", "fp16", "e6m9", "fp8_e5m2"));

}  // namespace
}  // namespace guardbit::tests
