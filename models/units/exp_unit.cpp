#include "models/units/exp_unit.h"

#include <cmath>
#include <cstdint>

#include "models/kernels/float_environment.h"
#include "models/units/arithmetic.h"
#include "models/units/function_unit.h"

namespace guardbit::units {

using numerics::Event;

ExpUnit::ExpUnit(const SoftmaxConfig& config)
    : table_bits_(static_cast<int>(config.table_bits)),
      round_(conversion_spec(config.format)),
      min_normal_(numerics::min_normal(round_.spec().format)) {
  if (config.exponential != "table") return;
  const kernels::FloatEnvironment environment;
  constexpr double kLn2 = 0x1.62e42fefa39efp-1;
  const auto power = [this](int i) { return static_cast<float>(exp_fp64(kLn2 * std::ldexp(i, -table_bits_))); };
  for (int i = 0; i < 1 << table_bits_; ++i) {
    entries_.push_back(power(i));
    differences_.push_back(power(i + 1) - power(i));
  }
}

float ExpUnit::by_table(float x) const {
  constexpr float kLog2E = 0x1.715476p+0F;
  constexpr float kSmallest = -104.0F;  // e^x < half the smallest subnormal
  constexpr int kFractionBits = 23;
  if (std::isnan(x)) return x;
  if (x <= kSmallest) return 0;
  // The product of two carriers is exact in binary64 (48 bits), a power of two keeps it so.
  const double product = static_cast<double>(x) * static_cast<double>(kLog2E);
  const auto t = static_cast<std::int64_t>(std::nearbyint(std::ldexp(product, kFractionBits)));
  const std::int64_t fraction = t & ((std::int64_t{1} << kFractionBits) - 1);
  const int rest_bits = kFractionBits - table_bits_;
  const auto entry = static_cast<std::size_t>(fraction >> rest_bits);
  const auto rest = static_cast<float>(fraction & ((std::int64_t{1} << rest_bits) - 1));
  const float value = std::fma(std::ldexp(rest, -rest_bits), differences_[entry], entries_[entry]);
  return std::ldexp(value, static_cast<int>(t >> kFractionBits));
}

float ExpUnit::operator()(float x, kernels::EventCounts& events) const {
  kernels::EventCounts operator_events;  // the unit's own are stated in the header
  const float value = round_({entries_.empty() ? exp_fp32(x) : by_table(x)}, operator_events);
  if (x == 0 || !std::isfinite(x)) return value;
  ++events[Event::kInexact];
  if (value < min_normal_) ++events[Event::kUnderflow];
  if (value == 0) ++events[Event::kFlushed];
  return value;
}

}  // namespace guardbit::units
