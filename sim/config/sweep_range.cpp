#include "sim/config/sweep_range.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "sim/config/sweep_file.h"

namespace guardbit::sim {
namespace {

bool is_given(const ConfigValue& value) { return value != ConfigValue(OtherValue{}); }

/// NaN if the value is no finite number.
double number(const ConfigValue& value) {
  if (const auto* integer = std::get_if<std::int64_t>(&value)) return static_cast<double>(*integer);
  const auto* real = std::get_if<double>(&value);
  return real != nullptr && std::isfinite(*real) ? *real : std::nan("");
}

std::string too_many() {
  return fmt::format("got a range of more than {0} values; expected at most {0}", kMaxAxisValues);
}

std::string expand_integers(std::int64_t from, std::int64_t to, const std::int64_t* step, std::int64_t factor,
                            std::vector<ConfigValue>& values) {
  for (std::int64_t value = from; value <= to;) {
    if (values.size() == kMaxAxisValues) return too_many();
    values.emplace_back(value);
    const bool overflows =
        step != nullptr ? __builtin_add_overflow(value, *step, &value) : __builtin_mul_overflow(value, factor, &value);
    if (overflows) break;
  }
  return "";
}

std::string expand_reals(double from, double to, double step, double factor, std::vector<ConfigValue>& values) {
  constexpr double kEnd =
      1e-9;  // of a step: an end that the sum of steps misses by rounding alone belongs to the range
  const double limit = std::isnan(step) ? to * (1 + kEnd) : to + kEnd * step;
  double power = from;
  for (std::size_t index = 0;; ++index) {
    const double value = std::isnan(step) ? power : from + static_cast<double>(index) * step;
    if (!(value <= limit)) return "";
    if (values.size() == kMaxAxisValues) return too_many();
    values.emplace_back(std::min(value, to));
    power *= factor;
  }
}

}  // namespace

ConfigValue* SweepRange::member(std::string_view name) {
  if (name == "from") return &from;
  if (name == "to") return &to;
  if (name == "step") return &step;
  return name == "factor" ? &factor : nullptr;
}

std::string expand(const SweepRange& range, std::vector<ConfigValue>& values) {
  const bool has_step = is_given(range.step);
  if (!is_given(range.from) || !is_given(range.to) || has_step == is_given(range.factor)) {
    return "got an incomplete range; expected from, to and either step or factor";
  }
  const ConfigValue& advance = has_step ? range.step : range.factor;
  const double from = number(range.from);
  const double to = number(range.to);
  const double by = number(advance);
  for (const ConfigValue* value : {&range.from, &range.to, &advance}) {
    if (std::isnan(number(*value))) return "got " + describe(*value) + "; expected a number in a range";
  }
  if (from > to) return fmt::format("got from {} to {}; expected from <= to", describe(range.from), describe(range.to));
  if (has_step && !(by > 0)) return fmt::format("got step {}; expected a step above 0", describe(advance));
  if (!has_step && !(by > 1)) return fmt::format("got factor {}; expected a factor above 1", describe(advance));
  if (!has_step && !(from > 0)) {
    return fmt::format("got from {} with a factor; expected from above 0", describe(range.from));
  }
  const auto* first = std::get_if<std::int64_t>(&range.from);
  const auto* last = std::get_if<std::int64_t>(&range.to);
  const auto* each = std::get_if<std::int64_t>(&advance);
  if (first != nullptr && last != nullptr && each != nullptr) {
    return expand_integers(*first, *last, has_step ? each : nullptr, *each, values);
  }
  return expand_reals(from, to, has_step ? by : std::nan(""), has_step ? 1 : by, values);
}

}  // namespace guardbit::sim
