#include "models/kernels/hadamard.h"

#include <hwy/aligned_allocator.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <vector>

#include "models/kernels/float_environment.h"
#include "models/kernels/hadamard_plan.h"
#include "models/kernels/scalar_rounder.h"
#include "models/numerics/check.h"

namespace guardbit::kernels {
namespace {

using numerics::Event;

constexpr std::size_t kElementsPerTask = 32768;

/// |exact| below this is tiny, ties to even: 2^emin, less a quarter quantum if p bits decide after rounding.
double tiny_limit(const numerics::FloatSpec& spec) {
  const double min_normal = static_cast<double>(numerics::min_normal(spec.format));
  if (spec.tininess == numerics::Tininess::kBeforeRounding) return min_normal;
  return min_normal - std::ldexp(1.0, spec.format.quantum_exponent() - 2);
}

HadamardPlan plan_of(const numerics::FloatSpec& spec, float scale) {
  const numerics::FloatFormat& format = spec.format;
  HadamardPlan plan{.precision_bits = format.precision_bits(),
                    .min_normal = numerics::min_normal(format),
                    .max_finite = numerics::max_finite(format),
                    .scale = scale,
                    .tiny_below = tiny_limit(spec)};
  constexpr int kMaxShortPrecision = 11;
  constexpr int kInnerExponent = 80;  // 1.5 * 2^24 times any sum of a long row stays within binary32
  if (spec.rounding != numerics::RoundingMode::kTiesToEven || spec.flush_input || spec.flush_output ||
      !format.has_negative_zero()) {
    return plan;
  }
  if (format == numerics::kFp32) plan.method = HadamardMethod::kFp32;
  if (format.precision_bits() > kMaxShortPrecision) return plan;
  if (format.emin() == numerics::kFp32.emin() && format.has_infinity() && format.exponent_bits == 8) {
    plan.method = HadamardMethod::kWideRange;
  } else if (format.quantum_exponent() > -kInnerExponent && format.max_exponent() < kInnerExponent) {
    plan.method = HadamardMethod::kNarrowRange;
  }
  return plan;
}

/// The specification in plain loops, for everything that run_hadamard_row() does not do.
void transform_row_scalar(std::span<float> x, float scale, const ScalarRounder& rounder, EventCounts& events) {
  for (std::size_t h = 1; h < x.size(); h *= 2) {
    for (std::size_t base = 0; base < x.size(); base += 2 * h) {
      for (std::size_t i = base; i < base + h; ++i) {
        const float a = x[i];
        const float b = x[i + h];
        x[i] = rounder.add(a, b, events);
        x[i + h] = rounder.add(a, -b, events);
      }
    }
  }
  if (scale == 1.0F) return;
  const float min_normal = numerics::min_normal(rounder.spec().format);
  for (float& value : x) {
    if (rounder.spec().flush_input && value != 0 && std::fabs(value) < min_normal) {
      ++events[Event::kFlushed];
      value = std::copysign(0.0F, value);
    }
    value = rounder(product_of(value, scale), events);
  }
}

}  // namespace

void hadamard_rows(numerics::MatrixView<float> x, const FloatSpec& spec, float scale,
                   const numerics::ParallelFor& parallel_for, EventCounts& events, numerics::EventSet wanted) {
  GUARDBIT_CHECK(std::has_single_bit(x.cols), "a row has a power of two elements");
  GUARDBIT_CHECK(spec.rounding != numerics::RoundingMode::kStochastic, "butterflies are not rounded stochastically");
  GUARDBIT_CHECK(std::isfinite(scale) && scale != 0, "the scale is finite and not zero");
  HadamardPlan plan = plan_of(spec, scale);
  plan.counts = !wanted.empty();
  constexpr float kLargestScale = 0x1p40F;
  const bool is_moderate = std::fabs(scale) <= kLargestScale && std::fabs(scale) >= 1 / kLargestScale;
  int exponent;
  plan.scales_in_single =
      plan.method == HadamardMethod::kFp32 ||
      (plan.method == HadamardMethod::kNarrowRange && is_moderate && std::fabs(std::frexp(scale, &exponent)) == 0.5F);
  const ScalarRounder rounder(spec);
  const std::size_t rows_per_task = std::max<std::size_t>(1, kElementsPerTask / x.cols);
  const std::size_t num_tasks = (x.rows + rows_per_task - 1) / rows_per_task;
  std::vector<EventCounts> task_events(num_tasks);
  numerics::run_parallel(parallel_for, num_tasks, [&](std::size_t task) {
    const FloatEnvironment environment;
    const auto work = hwy::AllocateAligned<float>(x.cols);
    std::vector<float> gathered(x.col_stride == 1 ? 0 : x.cols);
    const std::size_t end = std::min(x.rows, (task + 1) * rows_per_task);
    for (std::size_t row = task * rows_per_task; row < end; ++row) {
      float* const values = x.col_stride == 1 ? x.row(row) : gathered.data();
      for (std::size_t i = 0; i < gathered.size(); ++i) values[i] = x(row, i);
      std::array<std::uint64_t, 3> counts{};
      if (run_hadamard_row({values, work.get(), values, x.cols}, plan, counts.data())) {
        task_events[task][Event::kInexact] += counts[0];
        task_events[task][Event::kUnderflow] += counts[1];
        task_events[task][Event::kFlushed] += counts[2];
      } else {
        transform_row_scalar({values, x.cols}, scale, rounder, task_events[task]);
      }
      for (std::size_t i = 0; i < gathered.size(); ++i) x(row, i) = values[i];
    }
  });
  for (const EventCounts& counts : task_events) {
    for (std::size_t i = 0; i < numerics::kNumEvents; ++i) {
      if (wanted.has(static_cast<Event>(i))) events.counts[i] += counts.counts[i];
    }
  }
}

}  // namespace guardbit::kernels
