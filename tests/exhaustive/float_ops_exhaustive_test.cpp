// Sums and products of all pairs of codes of every named format of at most 8 bits, against exact 128-bit integers and
// enumeration: every rounding and overflow policy, with flushed inputs and outputs.
#include <gtest/gtest.h>

#include "models/arith/float_ops.h"
#include "tests/support/printers.h"
#include "tests/support/rounding_oracle.h"
#include "tests/support/spec_sweep.h"

namespace guardbit::tests {
namespace {

using numerics::NamedFloatFormat;
using numerics::Rounded;

enum class Operation { kAdd, kMultiply };

class PairTest : public testing::TestWithParam<NamedFloatFormat> {
 protected:
  /// Policies for pairs: all of rounding x overflow x output flush; input flush and tininess take turns.
  static std::vector<FloatSpec> specs(const FloatFormat& format) {
    std::vector<FloatSpec> specs;
    std::size_t turn = 0;
    for (FloatSpec spec : all_specs(format)) {
      spec.flush_input = turn++ % 3 == 1;
      spec.random_bits = 6;
      specs.push_back(spec);
    }
    return specs;
  }
  void check_all_pairs(Operation operation);
};

/// The operand as the operation sees it: its value, or a zero and the event flushed.
Exact<Int128> operand(std::uint32_t code, const FloatSpec& spec, int unit, EventSet& events) {
  Exact<Int128> value = value_of<Int128>(code, spec.format, unit);
  const bool subnormal = value.kind == Kind::kNumber && value.magnitude != 0 &&
                         value.magnitude < scaled(1, 1 - spec.format.bias, Int128{0}, unit);
  if (spec.flush_input && subnormal) {
    events.add(Event::kFlushed);
    value.magnitude = 0;
  }
  return value;
}

void PairTest::check_all_pairs(Operation operation) {
  const FloatFormat format = GetParam().format;
  const bool adds = operation == Operation::kAdd;
  // Units: sums are multiples of the quantum, products of its square; the tininess rule looks two binades lower.
  const int operand_unit = adds ? format.quantum_exponent() - kLowerEmin : format.quantum_exponent();
  const int result_unit = adds ? operand_unit : std::min(2 * operand_unit, format.quantum_exponent() - kLowerEmin);
  const int scale_shift = adds ? 0 : 2 * operand_unit - result_unit;
  const auto oracle = enumerating_oracle(format, result_unit);
  const std::uint32_t num_codes = 1u << format.storage_bits();
  for (const FloatSpec& spec : specs(format)) {
    for (std::uint32_t a = 0; a < num_codes; ++a) {
      for (std::uint32_t b = 0; b < num_codes; ++b) {
        EventSet events;
        const Exact<Int128> x = operand(a, spec, operand_unit, events);
        const Exact<Int128> y = operand(b, spec, operand_unit, events);
        ExactResult<Int128> exact = adds ? oracle_sum(x, y, spec.rounding) : oracle_product(x, y);
        exact.value.magnitude <<= scale_shift;
        const std::uint32_t random = 31 * a + b;
        Expected<Int128> expected = oracle(exact.value, spec, random);
        expected.events |= events;
        if (exact.invalid) expected.events.add(Event::kInvalid);
        const Rounded actual =
            adds ? arith::add(a, b, format, spec, random) : arith::multiply(a, b, format, spec, random);
        ASSERT_TRUE(value_of<Int128>(actual.code, format, result_unit) == expected.result &&
                    actual.events == expected.events)
            << to_string(spec) << std::hex << " " << a << (adds ? " + " : " * ") << b << " = " << actual.code << " "
            << to_string(actual.events) << ", expected " << static_cast<double>(expected.result.magnitude)
            << " units, kind " << static_cast<int>(expected.result.kind) << " " << to_string(expected.events);
      }
    }
  }
}

TEST_P(PairTest, EverySumMatchesEnumeration) { check_all_pairs(Operation::kAdd); }
TEST_P(PairTest, EveryProductMatchesEnumeration) { check_all_pairs(Operation::kMultiply); }

std::vector<NamedFloatFormat> small_formats() {
  std::vector<NamedFloatFormat> formats;
  for (const NamedFloatFormat& row : numerics::kFloatFormats) {
    if (row.format.storage_bits() <= 8) formats.push_back(row);
  }
  return formats;
}

INSTANTIATE_TEST_SUITE_P(Formats, PairTest, testing::ValuesIn(small_formats()),
                         [](const auto& test) { return std::string(test.param.name); });

}  // namespace
}  // namespace guardbit::tests
