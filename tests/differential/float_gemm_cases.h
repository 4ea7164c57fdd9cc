#pragma once
/// Random GEMMs for the differential tests of the float kernels, and their comparison with arith::gemm_reference.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdio>
#include <limits>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "models/arith/accumulator.h"
#include "models/kernels/gemm.h"
#include "models/kernels/vector_target.h"
#include "models/numerics/codec.h"

namespace guardbit::kernels {

using arith::AccumulationEvents;
using arith::AccumulationSpec;
using numerics::FloatFormat;
using numerics::FloatSpec;
using numerics::Matrix;
using numerics::RoundingMode;

/// Two threads that take indices alternately.
inline void two_threads(std::size_t count, const std::function<void(std::size_t)>& body) {
  std::thread other([&] {
    for (std::size_t i = 1; i < count; i += 2) body(i);
  });
  for (std::size_t i = 0; i < count; i += 2) body(i);
  other.join();
}

inline std::string describe(const FloatSpec& spec) {
  return numerics::name_of(spec.format) + "/" + std::string(name_of(spec.rounding)) + "/" +
         std::string(name_of(spec.overflow)) + (spec.flush_output ? "/flush" : "") +
         (spec.tininess == numerics::Tininess::kBeforeRounding ? "/tiny-before" : "") + "/n" +
         std::to_string(spec.random_bits);
}

inline std::string describe(const AccumulationSpec& spec) {
  return (spec.reduce == arith::Reduce::kTree      ? "tree" + std::to_string(spec.width)
          : spec.reduce == arith::Reduce::kAligned ? "aligned" + std::to_string(spec.width)
                                                   : std::string("sequential")) +
         (spec.interleave != 1 ? " interleave " + std::to_string(spec.interleave) : "") + " inner " +
         describe(spec.inner) + (spec.product ? " product " + describe(*spec.product) : "") +
         (spec.promote_every != 0 ? " every " + std::to_string(spec.promote_every) + " outer " + describe(spec.outer)
                                  : "");
}

inline std::string hex(float value) {
  char text[64];
  std::snprintf(text, sizeof(text), "0x%08x (%a)", std::bit_cast<std::uint32_t>(value), static_cast<double>(value));
  return text;
}

/// How operand values are spread.
enum class Spread {
  kCodes,   ///< every code equally likely: all binades, subnormals, NaN and infinity
  kFinite,  ///< every finite code equally likely
  kNormal,  ///< standard normal values rounded to the format
  kNarrow,  ///< a few binades around 1, with zeros: sums cancel often
  kLarge,   ///< near the largest finite value
  kTiny,    ///< near the smallest
};

struct GemmCase {
  std::size_t m = 1, n = 1, k = 1;
  FloatFormat a_format = numerics::kFp16;
  FloatFormat b_format = numerics::kFp16;
  AccumulationSpec spec;
  Spread spread = Spread::kNormal;
  std::optional<Spread> b_spread{};  ///< of b, if not that of a
  bool with_scales = false;
  bool transposed_b = false;
  unsigned seed = 0;
};

inline std::string describe(const GemmCase& c) {
  return describe(c.spec) + " of " + numerics::name_of(c.a_format) + " x " + numerics::name_of(c.b_format) + ", " +
         std::to_string(c.m) + "x" + std::to_string(c.n) + "x" + std::to_string(c.k) + ", spread " +
         std::to_string(static_cast<int>(c.spread)) + "/" +
         std::to_string(static_cast<int>(c.b_spread.value_or(c.spread))) + ", seed " + std::to_string(c.seed);
}

inline float random_value(const FloatFormat& format, Spread spread, std::mt19937& generator) {
  const FloatSpec into{.format = format, .overflow = numerics::OverflowPolicy::kSaturate};
  numerics::EventSet ignored;
  const auto rounded = [&](double x) { return numerics::round_carrier(x, into, ignored); };
  const double sign = generator() % 2 == 0 ? 1 : -1;
  const double significand = 1 + std::ldexp(static_cast<double>(generator()), -32);
  switch (spread) {
    case Spread::kCodes:
    case Spread::kFinite: {
      for (;;) {
        const auto code = static_cast<std::uint32_t>((std::uint64_t{generator()} << 1 | generator() % 2) &
                                                     ((std::uint64_t{1} << format.storage_bits()) - 1));
        const float value = numerics::to_carrier(code, format);
        if (spread == Spread::kCodes || std::isfinite(value)) return value;
      }
    }
    case Spread::kNormal: return rounded(std::normal_distribution<double>()(generator));
    case Spread::kNarrow:
      return generator() % 8 == 0 ? 0.0F : rounded(sign * std::ldexp(significand, static_cast<int>(generator() % 4)));
    case Spread::kLarge:
      return rounded(sign * std::ldexp(significand, format.max_exponent() - static_cast<int>(generator() % 3)));
    case Spread::kTiny:
      return rounded(sign * std::ldexp(significand, format.quantum_exponent() + static_cast<int>(generator() % 16)));
  }
  return 0;
}

inline Matrix<float> random_matrix(std::size_t rows, std::size_t cols, const FloatFormat& format, Spread spread,
                                   std::mt19937& generator) {
  Matrix<float> matrix(rows, cols);
  for (float& value : matrix.data()) value = random_value(format, spread, generator);
  return matrix;
}

inline std::string describe(const AccumulationEvents& events) {
  std::string text;
  const auto add = [&](const char* stage, const numerics::EventCounts& counts) {
    for (std::size_t i = 0; i < numerics::kNumEvents; ++i) {
      if (counts.counts[i] == 0) continue;
      text += std::string(stage) + "." + std::string(numerics::kEventNames[i]) + "=" +
              std::to_string(counts.counts[i]) + " ";
    }
  };
  add("product", events.product);
  add("inner", events.inner);
  add("outer", events.outer);
  return text;
}

/// A case's operands and what the reference makes of them.
struct PreparedCase {
  explicit PreparedCase(const GemmCase& c) : described(c), reference(c.m, c.n) {
    std::mt19937 generator(c.seed);
    a = random_matrix(c.m, c.k, c.a_format, c.spread, generator);
    const Spread b_spread = c.b_spread.value_or(c.spread);
    b = c.transposed_b ? random_matrix(c.n, c.k, c.b_format, b_spread, generator)
                       : random_matrix(c.k, c.n, c.b_format, b_spread, generator);
    if (c.with_scales) {
      const auto every = static_cast<std::size_t>(c.spec.promote_every);
      for (std::size_t k = 0; k < c.k; k += every) {
        scales.push_back(random_value(numerics::kFp32, Spread::kNormal, generator));
      }
    }
    stream = {.seed = c.seed, .unit = 3};
    arith::gemm_reference(a.view(), b_view(), c.spec, scales, stream, first, reference.view(), reference_events);
  }
  numerics::MatrixView<const float> b_view() const {
    const numerics::MatrixView<const float> view = b.view();
    return described.transposed_b ? view.transposed() : view;
  }

  GemmCase described;
  Matrix<float> a;
  Matrix<float> b;
  std::vector<float> scales;
  numerics::RandomStream stream;
  arith::OutputIndex first{.row = 5, .column = 17};
  Matrix<float> reference;
  AccumulationEvents reference_events;
};

inline AccumulationEvents only(AccumulationEvents events, numerics::EventSet wanted) {
  for (numerics::EventCounts* counts : {&events.product, &events.inner, &events.outer}) {
    for (std::size_t i = 0; i < numerics::kNumEvents; ++i) {
      if (!wanted.has(static_cast<numerics::Event>(i))) counts->counts[i] = 0;
    }
  }
  return events;
}

/// Runs the kernel on the current target and expects the reference's bits and the wanted ones of its events.
inline void expect_equal(const PreparedCase& prepared, numerics::EventSet wanted, bool threads) {
  const GemmCase& c = prepared.described;
  Matrix<float> result(c.m, c.n, -77.0F);
  AccumulationEvents events;
  GemmOptions options{.wanted = wanted, .stream = prepared.stream, .first = prepared.first, .parallel_for = {}};
  if (threads) options.parallel_for = two_threads;
  gemm(prepared.a.view(), prepared.b_view(), {c.a_format, c.b_format}, c.spec, prepared.scales, options, result.view(),
       events);
  const std::string where = describe(c) + " on " + vector_target();
  for (std::size_t row = 0; row < c.m; ++row) {
    for (std::size_t col = 0; col < c.n; ++col) {
      ASSERT_EQ(std::bit_cast<std::uint32_t>(result(row, col)),
                std::bit_cast<std::uint32_t>(prepared.reference(row, col)))
          << where << ": output (" << row << ", " << col << ") is " << hex(result(row, col)) << ", must be "
          << hex(prepared.reference(row, col));
    }
  }
  ASSERT_EQ(events, only(prepared.reference_events, wanted))
      << where << ": events are " << describe(events) << ", must be "
      << describe(only(prepared.reference_events, wanted));
}

/// On every target, with one and two threads; all counters, none, the overflow class, and swamped alone.
inline void expect_equal_everywhere(const GemmCase& c) {
  using numerics::Event;
  const PreparedCase prepared(c);
  for (const std::string& target : vector_targets()) {
    limit_vector_target(target);
    expect_equal(prepared, numerics::EventSet::all(), /*threads=*/false);
    expect_equal(prepared, {}, /*threads=*/true);
    expect_equal(prepared, {Event::kOverflow, Event::kSaturated, Event::kInvalid}, /*threads=*/false);
    expect_equal(prepared, {Event::kSwamped}, /*threads=*/false);
    if (::testing::Test::HasFailure()) break;
  }
  limit_vector_target("best");
}

}  // namespace guardbit::kernels
