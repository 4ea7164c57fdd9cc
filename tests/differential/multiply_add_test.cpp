// multiply_add() and convert() on wide formats against exact rationals: results and events, on random and on
// adversarial operands (wide exponent gaps, cancellation, midpoints with a distant addend, range ends).
#include <gtest/gtest.h>

#include <random>

#include "models/arith/float_ops.h"
#include "models/numerics/codec.h"
#include "tests/support/rounding_oracle.h"
#include "tests/support/spec_sweep.h"

namespace guardbit::tests {
namespace {

using numerics::Rounded;

struct FormatTriple {
  const char* operands;
  const char* addend;
  const char* result;
  friend void PrintTo(const FormatTriple& triple, std::ostream* out) {
    *out << triple.operands << "*" << triple.operands << "+" << triple.addend << "->" << triple.result;
  }
};

FloatFormat format_of(const char* name) { return numerics::parse_float_format(name).value(); }

class MultiplyAddTest : public testing::TestWithParam<FormatTriple> {
 protected:
  static constexpr std::uint32_t kSeed = 20240607;
  static constexpr int kNumCases = 20000;

  std::uint32_t any_code(const FloatFormat& format) {
    return static_cast<std::uint32_t>(random_()) & (2 * format.sign_code() - 1);
  }
  /// A significand of few bits at the top and one at the bottom: products near midpoints and long sums.
  std::uint32_t sparse_code(const FloatFormat& format) {
    const std::uint32_t top = 1u << (random_() % static_cast<unsigned>(format.trailing_bits + 1));
    const std::uint32_t field = (top | static_cast<std::uint32_t>(random_() % 2)) & ((1u << format.trailing_bits) - 1);
    const std::uint32_t keep = 2 * format.sign_code() - (1u << format.trailing_bits);
    return (any_code(format) & keep) | field;
  }
  /// A code within a few steps of `code`, sign free.
  std::uint32_t near_code(std::uint32_t code, const FloatFormat& format) {
    const std::uint32_t steps = static_cast<std::uint32_t>(random_() % 7) - 3;
    const std::uint32_t sign = random_() % 4 == 0 ? format.sign_code() : 0;
    return ((code + steps) ^ sign) & (2 * format.sign_code() - 1);
  }
  std::uint32_t operand(const FloatFormat& format) {
    return random_() % 2 == 0 ? any_code(format) : sparse_code(format);
  }
  /// Any, sparse, around -a*b (cancellation), or tiny (a sticky bit).
  std::uint32_t addend(std::uint32_t a, std::uint32_t b, const FloatFormat& operands, const FloatFormat& format) {
    switch (random_() % 4) {
      case 0: return any_code(format);
      case 1: return sparse_code(format);
      case 2: return near_code(static_cast<std::uint32_t>(random_() % 4), format);
      default: {
        const std::uint32_t product = arith::multiply(a, b, operands, {.format = format}).code;
        return near_code(product ^ format.sign_code(), format);
      }
    }
  }
  FloatSpec any_spec(const FloatFormat& format) {
    const std::vector<FloatSpec> specs = all_specs(format);
    FloatSpec spec = specs[random_() % specs.size()];
    spec.flush_input = random_() % 4 == 0;
    spec.random_bits = 1 + static_cast<int>(random_() % 32);
    return spec;
  }

  std::mt19937 random_{kSeed};
};

Exact<Rational> operand_value(std::uint32_t code, const FloatFormat& format, const FloatSpec& spec, EventSet& events) {
  Exact<Rational> value = value_of<Rational>(code, format);
  const bool subnormal =
      value.kind == Kind::kNumber && value.magnitude != 0 && value.magnitude < scaled(1, 1 - format.bias, Rational(0));
  if (spec.flush_input && subnormal) {
    events.add(Event::kFlushed);
    value.magnitude = 0;
  }
  return value;
}

TEST_P(MultiplyAddTest, MatchesRationalArithmetic) {
  const FloatFormat operands = format_of(GetParam().operands);
  const FloatFormat addends = format_of(GetParam().addend);
  const FloatFormat results = format_of(GetParam().result);
  const auto oracle = rational_oracle(results);
  for (int i = 0; i < kNumCases; ++i) {
    const FloatSpec spec = any_spec(results);
    const std::uint32_t a = operand(operands);
    const std::uint32_t b = operand(operands);
    const std::uint32_t c = addend(a, b, operands, addends);
    const auto random = static_cast<std::uint32_t>(random_());

    EventSet events;
    const Exact<Rational> x = operand_value(a, operands, spec, events);
    const Exact<Rational> y = operand_value(b, operands, spec, events);
    const Exact<Rational> z = operand_value(c, addends, spec, events);
    const ExactResult<Rational> product = oracle_product(x, y);
    const ExactResult<Rational> sum = oracle_sum(product.value, z, spec.rounding);
    Expected<Rational> expected = oracle(sum.value, spec, random);
    expected.events |= events;
    if ((product.invalid || sum.invalid) && z.kind != Kind::kNan) expected.events.add(Event::kInvalid);

    const Rounded actual = arith::multiply_add(a, b, operands, c, addends, spec, random);
    ASSERT_TRUE(value_of<Rational>(actual.code, results) == expected.result && actual.events == expected.events)
        << "case " << i << " of seed " << kSeed << ": " << to_string(spec) << std::hex << " a=" << a << " b=" << b
        << " c=" << c << " random=" << random << std::dec << " n=" << spec.random_bits << std::hexfloat << " ("
        << numerics::to_carrier(a, operands) << " * " << numerics::to_carrier(b, operands) << " + "
        << numerics::to_carrier(c, addends) << ") = " << std::hex << actual.code << " " << to_string(actual.events)
        << ", expected " << expected.result.magnitude << " " << to_string(expected.events);
  }
}

INSTANTIATE_TEST_SUITE_P(Formats, MultiplyAddTest,
                         testing::Values(FormatTriple{"fp8_e4m3", "fp16", "fp16"},
                                         FormatTriple{"fp8_e5m2", "bf16", "bf16"}, FormatTriple{"fp16", "fp16", "fp16"},
                                         FormatTriple{"fp16", "fp32", "fp32"}, FormatTriple{"bf16", "bf16", "bf16"},
                                         FormatTriple{"bf16", "fp32", "fp32"}, FormatTriple{"tf32", "fp32", "fp32"},
                                         FormatTriple{"fp32", "fp32", "fp32"}, FormatTriple{"fp32", "fp32", "bf16"},
                                         FormatTriple{"fp32", "fp32", "fp16"}, FormatTriple{"fp32", "fp16", "fp8_e5m2"},
                                         FormatTriple{"bf16", "fp16", "e6m9"},
                                         FormatTriple{"fp16", "bf16", "fp8_e4m3fnuz"},
                                         FormatTriple{"tf32", "bf16", "tf32"},
                                         FormatTriple{"fp32", "fp32", "fp4_e2m1"}));

class ConvertTest : public MultiplyAddTest {};

TEST_P(ConvertTest, MatchesRationalArithmetic) {
  const FloatFormat source = format_of(GetParam().operands);
  const FloatFormat results = format_of(GetParam().result);
  const auto oracle = rational_oracle(results);
  for (int i = 0; i < kNumCases; ++i) {
    const FloatSpec spec = any_spec(results);
    const std::uint32_t x = operand(source);
    const auto random = static_cast<std::uint32_t>(random_());
    EventSet events;
    const Exact<Rational> value = operand_value(x, source, spec, events);
    Expected<Rational> expected = oracle(value, spec, random);
    expected.events |= events;
    const Rounded actual = arith::convert(x, source, spec, random);
    ASSERT_TRUE(value_of<Rational>(actual.code, results) == expected.result && actual.events == expected.events)
        << "case " << i << " of seed " << kSeed << ": " << to_string(spec) << std::hex << " x=" << x
        << " random=" << random << std::dec << " n=" << spec.random_bits << " -> " << std::hex << actual.code << " "
        << to_string(actual.events) << ", expected " << expected.result.magnitude << " " << to_string(expected.events);
  }
}

INSTANTIATE_TEST_SUITE_P(Formats, ConvertTest,
                         testing::Values(FormatTriple{"fp32", "", "fp32"}, FormatTriple{"fp32", "", "tf32"},
                                         FormatTriple{"fp32", "", "bf16"}, FormatTriple{"fp32", "", "fp16"},
                                         FormatTriple{"fp32", "", "e6m9"}, FormatTriple{"bf16", "", "fp16"},
                                         FormatTriple{"fp16", "", "fp8_e4m3"}, FormatTriple{"fp16", "", "fp6_e2m3"}));

}  // namespace
}  // namespace guardbit::tests
