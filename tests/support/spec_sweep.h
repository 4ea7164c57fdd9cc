#pragma once
/// Every destination that a test sweeps over, and its description for failure messages.
#include <string>
#include <vector>

#include "tests/support/rounding_oracle.h"

namespace guardbit::tests {

/// Every combination of rounding, overflow policy, output flush and tininess.
inline std::vector<FloatSpec> all_specs(const FloatFormat& format) {
  std::vector<FloatSpec> specs;
  for (const RoundingMode mode :
       {RoundingMode::kTiesToEven, RoundingMode::kTowardZero, RoundingMode::kTowardPositive,
        RoundingMode::kTowardNegative, RoundingMode::kTiesToAway, RoundingMode::kToOdd, RoundingMode::kStochastic}) {
    for (const OverflowPolicy overflow : {OverflowPolicy::kInfinity, OverflowPolicy::kNan, OverflowPolicy::kSaturate}) {
      for (const bool flush : {false, true}) {
        for (const auto tininess : {numerics::Tininess::kAfterRounding, numerics::Tininess::kBeforeRounding}) {
          specs.push_back(
              {.format = format, .rounding = mode, .overflow = overflow, .flush_output = flush, .tininess = tininess});
        }
      }
    }
  }
  return specs;
}

inline std::string to_string(EventSet events) {
  std::string text = "{";
  for (std::size_t i = 0; i < numerics::kNumEvents; ++i) {
    if (events.has(static_cast<Event>(i))) text += " " + std::string(numerics::kEventNames[i]);
  }
  return text + " }";
}

inline std::string to_string(const FloatSpec& spec) {
  return numerics::name_of(spec.format) + " " + std::string(numerics::name_of(spec.rounding)) + " " +
         std::string(numerics::name_of(spec.overflow)) + (spec.flush_input ? " flush_input" : "") +
         (spec.flush_output ? " flush_output" : "") +
         (spec.tininess == numerics::Tininess::kBeforeRounding ? " tiny-before" : " tiny-after");
}

}  // namespace guardbit::tests
