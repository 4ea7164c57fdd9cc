// Conversions of all codes of a format: every fp16 code into every named format of at most 8 bits under every rounding,
// overflow policy, flush of either side and tininess, against enumeration; every bf16 code and every code of at most 8
// bits into every named format, against rationals.
#include <gtest/gtest.h>

#include "models/arith/float_ops.h"
#include "tests/support/printers.h"
#include "tests/support/rounding_oracle.h"
#include "tests/support/spec_sweep.h"

namespace guardbit::tests {
namespace {

using numerics::kFloatFormats;
using numerics::NamedFloatFormat;
using numerics::Rounded;

/// The operand as convert() sees it: a subnormal is a zero, with event flushed, if the destination flushes inputs.
template <class Real>
Exact<Real> operand(std::uint32_t code, const FloatFormat& from, const FloatSpec& to, int unit, EventSet& events) {
  Exact<Real> value = value_of<Real>(code, from, unit);
  const bool subnormal =
      value.kind == Kind::kNumber && value.magnitude != 0 && value.magnitude < scaled(1, 1 - from.bias, Real{0}, unit);
  if (to.flush_input && subnormal) {
    events.add(Event::kFlushed);
    value.magnitude = 0;
  }
  return value;
}

template <class Real, class Oracle>
testing::AssertionResult converts(std::uint32_t code, const FloatFormat& from, const FloatSpec& to,
                                  const Oracle& oracle, int unit) {
  const std::uint32_t random = code * 0x9E3779B9U;
  EventSet events;
  const Exact<Real> value = operand<Real>(code, from, to, unit, events);
  Expected<Real> expected = oracle(value, to, random);
  expected.events |= events;
  const Rounded actual = arith::convert(code, from, to, random);
  if (value_of<Real>(actual.code, to.format, unit) == expected.result && actual.events == expected.events) {
    return testing::AssertionSuccess();
  }
  return testing::AssertionFailure() << numerics::name_of(from) << " code " << std::hex << code << " to "
                                     << to_string(to) << " gave " << actual.code << " " << to_string(actual.events)
                                     << ", expected " << static_cast<double>(expected.result.magnitude) << " "
                                     << to_string(expected.events);
}

class IntoTest : public testing::TestWithParam<NamedFloatFormat> {
 protected:
  const FloatFormat to_ = GetParam().format;
};

/// Destinations of at most 8 bits, which can be enumerated.
class IntoSmallTest : public IntoTest {};

TEST_P(IntoSmallTest, EveryFp16Code) {
  constexpr int kUnit = -24 - kLowerEmin;  // of fp16's quantum, the finest here
  const auto oracle = enumerating_oracle(to_, kUnit);
  std::size_t turn = 0;
  for (FloatSpec spec : all_specs(to_)) {
    spec.flush_input = turn++ % 3 == 1;
    spec.random_bits = 1 + static_cast<int>(turn % 32);
    for (std::uint32_t code = 0; code < 0x10000; ++code) {
      ASSERT_TRUE(converts<Int128>(code, numerics::kFp16, spec, oracle, kUnit));
    }
  }
}

TEST_P(IntoTest, EveryBf16Code) {
  const auto oracle = rational_oracle(to_);
  const FloatSpec nearest{.format = to_};
  for (std::uint32_t code = 0; code < 0x10000; ++code) {
    ASSERT_TRUE(converts<Rational>(code, numerics::kBf16, nearest, oracle, 0));
  }
}

TEST_P(IntoTest, EveryCodeOfSmallFormats) {
  const auto oracle = rational_oracle(to_);
  for (const NamedFloatFormat& from : kFloatFormats) {
    if (from.format.storage_bits() > 8) continue;
    for (const FloatSpec& spec : all_specs(to_)) {
      for (std::uint32_t code = 0; code < 1u << from.format.storage_bits(); ++code) {
        ASSERT_TRUE(converts<Rational>(code, from.format, spec, oracle, 0));
      }
    }
  }
}

std::vector<NamedFloatFormat> small_formats() {
  std::vector<NamedFloatFormat> formats;
  for (const NamedFloatFormat& row : kFloatFormats) {
    if (row.format.storage_bits() <= 8) formats.push_back(row);
  }
  return formats;
}

INSTANTIATE_TEST_SUITE_P(Formats, IntoSmallTest, testing::ValuesIn(small_formats()),
                         [](const auto& test) { return std::string(test.param.name); });
INSTANTIATE_TEST_SUITE_P(Formats, IntoTest, testing::ValuesIn(kFloatFormats),
                         [](const auto& test) { return std::string(test.param.name); });

}  // namespace
}  // namespace guardbit::tests
