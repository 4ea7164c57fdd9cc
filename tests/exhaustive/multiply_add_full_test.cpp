// a * b + c for all triples of codes of every named format of at most 8 bits (2^24 for 8 bits), against exact 128-bit
// integers and enumeration: round to nearest even with infinities, and the other roundings and policies in turns.
#include <gtest/gtest.h>

#include "models/arith/float_ops.h"
#include "tests/support/printers.h"
#include "tests/support/rounding_oracle.h"
#include "tests/support/spec_sweep.h"

namespace guardbit::tests {
namespace {

using numerics::NamedFloatFormat;
using numerics::Rounded;

class TripleTest : public testing::TestWithParam<NamedFloatFormat> {
 protected:
  const FloatFormat format_ = GetParam().format;
  const std::uint32_t num_codes_ = 1u << format_.storage_bits();
  // Products are multiples of the squared quantum; the tininess rule looks two binades below the quantum.
  const int unit_ = std::min(2 * format_.quantum_exponent(), format_.quantum_exponent() - kLowerEmin);

  /// All triples; `spec_of` says how triple number n is rounded.
  template <class SpecOf>
  void check_all_triples(const SpecOf& spec_of) {
    const auto oracle = enumerating_oracle(format_, unit_);
    const int product_shift = 2 * format_.quantum_exponent() - unit_;
    std::vector<Exact<Int128>> factors;
    std::vector<Exact<Int128>> addends;
    for (std::uint32_t code = 0; code < num_codes_; ++code) {
      factors.push_back(value_of<Int128>(code, format_, format_.quantum_exponent()));
      addends.push_back(value_of<Int128>(code, format_, unit_));
    }
    std::uint32_t number = 0;
    for (std::uint32_t a = 0; a < num_codes_; ++a) {
      for (std::uint32_t b = 0; b < num_codes_; ++b) {
        ExactResult<Int128> product = oracle_product(factors[a], factors[b]);
        product.value.magnitude <<= product_shift;
        for (std::uint32_t c = 0; c < num_codes_; ++c, ++number) {
          const FloatSpec& spec = spec_of(number);
          const ExactResult<Int128> sum = oracle_sum(product.value, addends[c], spec.rounding);
          Expected<Int128> expected = oracle(sum.value, spec, number);
          const bool operand_nan = addends[c].kind == Kind::kNan;
          if ((product.invalid || sum.invalid) && !operand_nan) expected.events.add(Event::kInvalid);
          const Rounded actual = arith::multiply_add(a, b, format_, c, format_, spec, number);
          ASSERT_TRUE(value_of<Int128>(actual.code, format_, unit_) == expected.result &&
                      actual.events == expected.events)
              << to_string(spec) << std::hex << " " << a << " * " << b << " + " << c << " = " << actual.code << " "
              << to_string(actual.events) << ", expected " << static_cast<double>(expected.result.magnitude)
              << " units, kind " << static_cast<int>(expected.result.kind) << " " << to_string(expected.events);
        }
      }
    }
  }
};

TEST_P(TripleTest, NearestEvenMatchesEnumeration) {
  const FloatSpec spec{.format = format_};
  check_all_triples([&](std::uint32_t) -> const FloatSpec& { return spec; });
}

TEST_P(TripleTest, OtherRoundingsAndPoliciesInTurnsMatchEnumeration) {
  std::vector<FloatSpec> specs = all_specs(format_);
  for (FloatSpec& spec : specs) spec.random_bits = 6;
  // Not number % size: 84 and 256 share factors, so that a code of c would always meet the same specifications.
  constexpr std::uint32_t kStep = 37;
  check_all_triples([&](std::uint32_t number) -> const FloatSpec& {
    return specs[number * std::uint64_t{kStep} / 7 % specs.size()];
  });
}

std::vector<NamedFloatFormat> small_formats() {
  std::vector<NamedFloatFormat> formats;
  for (const NamedFloatFormat& row : numerics::kFloatFormats) {
    if (row.format.storage_bits() <= 8) formats.push_back(row);
  }
  return formats;
}

INSTANTIATE_TEST_SUITE_P(Formats, TripleTest, testing::ValuesIn(small_formats()),
                         [](const auto& test) { return std::string(test.param.name); });

}  // namespace
}  // namespace guardbit::tests
