/// Activation functions against long double, and the units around them against their steps.
#include "models/units/activation_unit.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <numbers>

#include "models/units/arithmetic.h"
#include "tests/support/reference_steps.h"

namespace guardbit::units {
namespace {

using numerics::Event;
using numerics::Stage;
using tests::ReferenceSteps;

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr auto kFunctions = {ActivationFunction::kGeluTanh, ActivationFunction::kGelu, ActivationFunction::kSilu,
                             ActivationFunction::kRelu};

long double gelu_tanh_argument(long double x) {
  return std::sqrt(2 / std::numbers::pi_v<long double>) * (x + 0.044715L * x * x * x);
}

/// The mathematical function; sigmoids by exponentials of negative arguments, which lose nothing.
long double exact(ActivationFunction function, long double x) {
  const auto sigmoid = [](long double w) { return w >= 0 ? 1 / (1 + std::exp(-w)) : std::exp(w) / (1 + std::exp(w)); };
  switch (function) {
    case ActivationFunction::kGeluTanh: return x * sigmoid(2 * gelu_tanh_argument(x));
    case ActivationFunction::kGelu: return x * std::erfc(-x / std::sqrt(2.0L)) / 2;
    case ActivationFunction::kSilu: return x * sigmoid(x);
    case ActivationFunction::kRelu: return x > 0 ? x : 0;
  }
  return 0;
}

/// activation_unit.h's relative bound.
long double relative_bound(ActivationFunction function, long double x) {
  switch (function) {
    case ActivationFunction::kGeluTanh: return 0x1p-24L * (8 + 8 * std::fabs(gelu_tanh_argument(x)));
    case ActivationFunction::kGelu: return 2e-6L;
    case ActivationFunction::kSilu: return 0x1p-24L * 8;
    case ActivationFunction::kRelu: return 0;
  }
  return 0;
}

TEST(ActivationFp32Test, ErrorsAreWithinTheStatedBounds) {
  constexpr std::uint32_t kStride = 2999;
  for (const ActivationFunction function : kFunctions) {
    std::uint64_t hash = 0xcbf29ce484222325;
    long double worst = 0;
    for (std::uint32_t code = 0; code < 0x7F800000; code += kStride) {
      for (const float sign : {1.0F, -1.0F}) {
        const float x = sign * std::bit_cast<float>(code);
        const float actual = activation_fp32(function, x);
        hash = (hash ^ std::bit_cast<std::uint32_t>(actual)) * 0x100000001b3;
        const long double expected = exact(function, x);
        const bool subnormal = std::fabs(expected) < 0x1p-126L;
        const long double bound = relative_bound(function, x) * std::fabs(expected) +
                                  (function == ActivationFunction::kRelu ? 0 : 0x1p-140L) + (subnormal ? 0x1p-149L : 0);
        ASSERT_LE(std::fabs(actual - expected), bound)
            << static_cast<int>(function) << std::hexfloat << " at " << x << ": " << actual;
        if (std::fabs(expected) > 0x1p-100L && bound > 0) worst = std::max(worst, std::fabs(actual - expected) / bound);
      }
    }
    if (function != ActivationFunction::kRelu) {
      EXPECT_GT(worst, 0.05) << "the bound is of the error's size";
    }
    constexpr std::uint64_t kHashes[] = {17949167374598353936ULL, 12048640765650273223ULL, 2306191686668329258ULL,
                                         7080807212452824078ULL};
    EXPECT_EQ(hash, kHashes[static_cast<std::size_t>(function)])
        << "the bits of function " << static_cast<int>(function) << " differ from the ones this project is built on";
  }
}

TEST(ActivationFp32Test, Specials) {
  for (const ActivationFunction function : kFunctions) {
    EXPECT_EQ(activation_fp32(function, kInfinity), kInfinity);
    const bool relu = function == ActivationFunction::kRelu;
    EXPECT_EQ(std::bit_cast<std::uint32_t>(activation_fp32(function, -kInfinity)), relu ? 0u : 0x80000000u);
    EXPECT_TRUE(std::isnan(activation_fp32(function, std::numeric_limits<float>::quiet_NaN())));
    EXPECT_EQ(activation_fp32(function, 0.0F), 0.0F);
  }
}

/// Operator-level events of one evaluation.
float expected_value(ActivationFunction function, float x, EventCounts& events) {
  const float value = activation_fp32(function, x);
  if (function == ActivationFunction::kRelu || x == 0 || std::isinf(x) || std::isnan(x)) return value;
  ++events[Event::kInexact];
  if (std::fabs(value) < 0x1p-126F) ++events[Event::kUnderflow];
  if (value == 0) ++events[Event::kFlushed];
  return value;
}

TEST(ActivationUnitTest, ValuesAndEventsOfActivationAndGate) {
  Matrix<float> g = tests::random_carriers(600, 40, numerics::kFp16, 30, 31);
  Matrix<float> u = tests::random_carriers(600, 40, numerics::kFp16, 3000, 32);
  g(0, 0) = 0;
  g(0, 1) = kInfinity, u(0, 1) = 0;
  g(0, 2) = -kInfinity, u(0, 2) = kInfinity;
  g(0, 3) = -20000;
  g(0, 4) = std::numeric_limits<float>::quiet_NaN();
  const ReferenceSteps fp32;
  const ReferenceSteps storage{conversion_spec("fp16")};
  for (const ActivationFunction function : kFunctions) {
    Matrix<float> activated(600, 40);
    Matrix<float> gated(600, 40);
    EventLedger activated_ledger;
    EventLedger gated_ledger;
    activate(function, g.view(), storage.spec, activated.view(), activated_ledger, tests::run_backwards);
    gate(function, g.view(), u.view(), storage.spec, gated.view(), gated_ledger, tests::run_backwards);
    Matrix<float> expected(600, 40);
    Matrix<float> expected_gate(600, 40);
    EventLedger ledger;
    EventLedger gate_ledger;
    for (std::size_t i = 0; i < g.data().size(); ++i) {
      expected.data()[i] =
          storage.convert(expected_value(function, g.data()[i], ledger[Stage::kVector]), ledger[Stage::kStorage]);
      EventCounts& events = gate_ledger[Stage::kVector];
      const float product = fp32.multiply(expected_value(function, g.data()[i], events), u.data()[i], events);
      expected_gate.data()[i] = storage.convert(product, gate_ledger[Stage::kStorage]);
    }
    EXPECT_EQ(tests::first_difference(activated.data(), expected.data()), "");
    EXPECT_EQ(tests::first_difference(gated.data(), expected_gate.data()), "");
    EXPECT_EQ(tests::ledger_difference(activated_ledger, ledger), "");
    EXPECT_EQ(tests::ledger_difference(gated_ledger, gate_ledger), "");
    EXPECT_GT(gated_ledger[Stage::kStorage][Event::kOverflow], 0u);
  }
}

}  // namespace
}  // namespace guardbit::units
