/// The integer gemm() against arith::gemm_reference: bits and event counters of every stage.
#include <gtest/gtest.h>

#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "models/kernels/gemm.h"
#include "models/kernels/int_gemm_tile.h"
#include "tests/support/vector_targets.h"

namespace guardbit::kernels {
namespace {

using arith::AccumulationEvents;
using arith::IntAccumulationSpec;
using numerics::Event;
using numerics::EventSet;
using numerics::FloatSpec;
using numerics::IntOverflow;
using numerics::Matrix;

constexpr std::uint64_t kSeed = 20260104;

void on_two_threads(std::size_t count, const std::function<void(std::size_t)>& body) {
  const auto half = [&](std::size_t first) {
    for (std::size_t i = first; i < count; i += 2) body(i);
  };
  std::thread other(half, 1);
  half(0);
  other.join();
}

enum class Data { kUniform, kExtreme, kSparse };

Matrix<std::int8_t> random_codes(std::size_t rows, std::size_t cols, int bits, Data data, std::mt19937_64& random) {
  Matrix<std::int8_t> x(rows, cols);
  const int low = -(1 << (bits - 1));
  for (std::int8_t& value : x.data()) {
    const auto word = static_cast<std::uint32_t>(random() >> 16);
    int code = low + static_cast<int>(word % (1u << bits));
    if (data == Data::kExtreme) code = word % 16 == 0 ? -low - 1 : low;
    if (data == Data::kSparse && word % 64 >= 4) code = 0;
    value = static_cast<std::int8_t>(code);
  }
  return x;
}

struct Problem {
  Matrix<std::int8_t> a{};  // (M, K)
  Matrix<std::int8_t> b{};  // (K, N), or (N, K) if transposed
  bool transposed = false;
  int bits = 4;
  IntAccumulationSpec spec{};
  std::vector<float> scales{};
  std::string what{};

  numerics::MatrixView<const std::int8_t> b_view() const { return transposed ? b.view().transposed() : b.view(); }
};

std::vector<float> random_scales(std::size_t count, int exponent, std::mt19937_64& random) {
  std::vector<float> scales(count);
  for (float& scale : scales) {
    scale = std::ldexp(1.0F + static_cast<float>(random() % 0x800000) * 0x1p-23F,
                       exponent - static_cast<int>(random() % 4));
    if (random() % 16 == 0) scale = -scale;
    if (random() % 32 == 0) scale = 0.0F;
  }
  return scales;
}

Problem random_problem(std::size_t rows, std::size_t depth, std::size_t cols, int bits, const IntAccumulationSpec& spec,
                       int exponent, Data data, std::mt19937_64& random) {
  Problem problem{.transposed = random() % 2 == 0, .bits = bits, .spec = spec};
  problem.a = random_codes(rows, depth, bits, data, random);
  problem.b = problem.transposed ? random_codes(cols, depth, bits, data, random)
                                 : random_codes(depth, cols, bits, data, random);
  const std::size_t chunk = spec.promote_every == 0 ? depth : static_cast<std::size_t>(spec.promote_every);
  if (random() % 4 != 0 && depth != 0) problem.scales = random_scales((depth + chunk - 1) / chunk, exponent, random);
  problem.what = std::to_string(rows) + "x" + std::to_string(depth) + "x" + std::to_string(cols) + " int" +
                 std::to_string(bits) + " -> " + name_of(spec.inner) +
                 (spec.overflow == IntOverflow::kWrap ? " wrap" : " saturate") + " every " +
                 std::to_string(spec.promote_every) + " -> " + name_of(spec.outer.format) + " " +
                 std::string(name_of(spec.outer.rounding)) + " " + std::string(name_of(spec.outer.overflow)) +
                 (spec.outer.flush_output ? " flush" : "") + " scale 2^" + std::to_string(exponent) + " data " +
                 std::to_string(static_cast<int>(data)) + " seed " + std::to_string(kSeed);
  return problem;
}

EventSet everything() { return EventSet::all(); }

void expect_equal(const Problem& problem, std::vector<AccumulationEvents>* seen = nullptr) {
  GemmOptions options{.wanted = everything(), .stream = {kSeed, 3}, .first = {17, 29}, .parallel_for = {}};
  Matrix<float> expected(problem.a.rows(), problem.b_view().cols, -1.0F);
  AccumulationEvents expected_events;
  arith::gemm_reference(problem.a.view(), problem.b_view(), problem.spec, problem.scales, options.stream, options.first,
                        expected.view(), expected_events);
  if (seen != nullptr) seen->push_back(expected_events);
  std::vector<IntDot> dots = {IntDot::kPairs};
  if (has_int_quads()) dots.push_back(IntDot::kQuads);
  for (const IntDot dot : dots) {
    for (const bool counted : {true, false}) {
      options.parallel_for = counted ? numerics::ParallelFor(on_two_threads) : nullptr;
      options.wanted = counted ? everything() : EventSet{};
      Matrix<float> actual(expected.rows(), expected.cols(), -2.0F);
      AccumulationEvents events;
      run_int_gemm(dot, problem.a.view(), problem.b_view(), problem.bits, problem.spec, problem.scales, options,
                   actual.view(), events);
      for (std::size_t i = 0; i < expected.data().size(); ++i) {
        ASSERT_EQ(std::bit_cast<std::uint32_t>(expected.data()[i]), std::bit_cast<std::uint32_t>(actual.data()[i]))
            << problem.what << " output " << i << " quads " << (dot == IntDot::kQuads) << " counted " << counted << " "
            << expected.data()[i] << " " << actual.data()[i];
      }
      ASSERT_EQ(counted ? expected_events : AccumulationEvents{}, events)
          << problem.what << " quads " << (dot == IntDot::kQuads) << " counted " << counted;
    }
  }
}

const std::vector<FloatSpec>& outer_specs() {
  static const std::vector<FloatSpec> specs = [] {
    std::vector<FloatSpec> list;
    for (const auto& named : numerics::kFloatFormats) list.push_back({.format = named.format});
    list.push_back({.format = *numerics::parse_float_format("e6m9")});
    list.push_back({.format = *numerics::parse_float_format("e5m14")});
    list.push_back({.format = *numerics::parse_float_format("e7m16")});
    list.push_back({.format = numerics::kFp16, .overflow = numerics::OverflowPolicy::kSaturate});
    list.push_back({.format = numerics::kFp16, .tininess = numerics::Tininess::kBeforeRounding});
    list.push_back({.format = numerics::kFp16, .flush_output = true});
    list.push_back({.format = numerics::kBf16, .rounding = numerics::RoundingMode::kTowardNegative});
    list.push_back({.format = numerics::kFp16, .rounding = numerics::RoundingMode::kStochastic, .random_bits = 12});
    list.push_back({.format = numerics::kFp32, .rounding = numerics::RoundingMode::kStochastic, .random_bits = 32});
    return list;
  }();
  return specs;
}

TEST(IntGemmTest, EveryOuterFormatEqualsReferenceOnEveryTarget) {
  test::on_every_vector_target([] {
    std::mt19937_64 random(kSeed);
    for (const FloatSpec& outer : outer_specs()) {
      // Around 1, near the largest finite value, in the subnormal zone and below it.
      const int top = outer.format.max_exponent() - 9;
      const int bottom = std::max(outer.format.quantum_exponent() - 4, -149);
      for (const int exponent : {0, -7, top, bottom}) {
        const IntAccumulationSpec spec{.promote_every = 16, .outer = outer};
        const Data data = random() % 2 == 0 ? Data::kUniform : Data::kSparse;
        ASSERT_NO_FATAL_FAILURE(expect_equal(random_problem(11, 100, 37, 4, spec, exponent, data, random)));
      }
    }
  });
}

TEST(IntGemmTest, EveryShapeEqualsReferenceOnEveryTarget) {
  test::on_every_vector_target([] {
    std::mt19937_64 random(kSeed + 1);
    constexpr std::array<std::size_t, 9> kSizes = {1, 2, 3, 7, 8, 17, 32, 33, 67};
    for (int round = 0; round < 120; ++round) {
      const auto size = [&] { return kSizes[random() % kSizes.size()]; };
      constexpr std::array kGroups = {0, 1, 3, 4, 8, 32, 128};
      IntAccumulationSpec spec{.promote_every = kGroups[random() % kGroups.size()]};
      spec.outer = outer_specs()[random() % outer_specs().size()];
      const int bits = 2 + static_cast<int>(random() % 7);
      ASSERT_NO_FATAL_FAILURE(expect_equal(
          random_problem(size(), size() * (random() % 3), size(), bits, spec, -8, Data::kUniform, random)));
    }
  });
}

TEST(IntGemmTest, NarrowInnerAccumulatorsEqualReferenceOnEveryTarget) {
  test::on_every_vector_target([] {
    std::mt19937_64 random(kSeed + 2);
    std::vector<AccumulationEvents> seen;
    for (const int inner_bits : {2, 5, 8, 9, 12, 13, 15, 16, 17, 20, 24, 31, 32}) {
      for (const IntOverflow overflow : {IntOverflow::kWrap, IntOverflow::kSaturate}) {
        for (const Data data : {Data::kUniform, Data::kExtreme, Data::kSparse}) {
          for (const int bits : {4, 8}) {
            const IntAccumulationSpec spec{.inner = {inner_bits},
                                           .overflow = overflow,
                                           .promote_every = random() % 2 == 0 ? 0 : 37,
                                           .outer = {.format = random() % 2 == 0 ? numerics::kFp32 : numerics::kFp16}};
            ASSERT_NO_FATAL_FAILURE(expect_equal(random_problem(9, 150, 35, bits, spec, -10, data, random), &seen));
          }
        }
      }
    }
    AccumulationEvents total;
    for (const AccumulationEvents& events : seen) total += events;
    EXPECT_GT(total.inner[Event::kWrapped], 10000u);
    EXPECT_GT(total.inner[Event::kSaturated], 10000u);
    EXPECT_GT(total.outer[Event::kSwamped], 100u);
    EXPECT_GT(total.outer[Event::kOverflow], 0u);
  });
}

/// Sums of more than 2^24, which no binary32 conversion holds.
TEST(IntGemmTest, WideSumsEqualReferenceOnEveryTarget) {
  test::on_every_vector_target([] {
    std::mt19937_64 random(kSeed + 3);
    for (const std::size_t depth : {2000, 40000}) {
      for (const auto& format : {numerics::kFp32, numerics::kFp16, numerics::kBf16}) {
        const IntAccumulationSpec spec{.outer = {.format = format}};
        ASSERT_NO_FATAL_FAILURE(expect_equal(random_problem(3, depth, 5, 8, spec, -13, Data::kExtreme, random)));
      }
    }
  });
}

/// (1 + 2^-23) +- 2^-24 * (1 - 2^-46): next to a midpoint of binary32 and equal to it in binary64, so that only a sum
/// to odd stays on the right side. The second factor is (2^23 + 1) * (2^23 - 1), as scale times integer sum.
TEST(IntGemmTest, SumsNextToMidpointsAreRoundedOnceOnEveryTarget) {
  test::on_every_vector_target([] {
    constexpr std::size_t kChunk = 2000;  // 2000 * 2^14 > 2^24 selects the binary64 promotion everywhere
    constexpr std::size_t kNumLargest = 520;
    Problem problem{.bits = 8, .spec = {.promote_every = kChunk}};
    problem.a = Matrix<std::int8_t>(1, 2 * kChunk, 0);
    problem.b = Matrix<std::int8_t>(2 * kChunk, 1, 0);
    const auto set = [&](std::size_t k, int a, int b) {
      problem.a(0, k) = static_cast<std::int8_t>(a);
      problem.b(k, 0) = static_cast<std::int8_t>(b);
    };
    set(0, 1, 1);
    for (std::size_t k = 0; k < kNumLargest; ++k) set(kChunk + k, 127, 127);
    set(kChunk + kNumLargest, 12, 127);
    set(kChunk + kNumLargest + 1, 3, 1);
    for (const float sign : {1.0F, -1.0F}) {
      for (const float direction : {1.0F, -1.0F}) {
        problem.scales = {sign * 0x1.000002p0F, sign * direction * 0x1.000002p-47F};
        problem.what = "sign " + std::to_string(sign) + " direction " + std::to_string(direction);
        ASSERT_NO_FATAL_FAILURE(expect_equal(problem));
        Matrix<float> c(1, 1);
        AccumulationEvents events;
        gemm(problem.a.view(), problem.b.view(), 8, problem.spec, problem.scales, {}, c.view(), events);
        EXPECT_EQ(c(0, 0), sign * 0x1.000002p0F) << problem.what;
      }
    }
  });
}

/// 2^31 reached exactly by (-128)^2 * 2^17: wraps to -2^31 in an int32 accumulator.
TEST(IntGemmTest, AnInt32AccumulatorWrapsAndSaturates) {
  constexpr std::size_t kDepth = (std::size_t{1} << 17) + 3;
  for (const IntOverflow overflow : {IntOverflow::kWrap, IntOverflow::kSaturate}) {
    Problem problem{.bits = 8, .spec = {.overflow = overflow}, .what = "2^17 + 3 extreme products"};
    problem.a = Matrix<std::int8_t>(2, kDepth, -128);
    problem.b = Matrix<std::int8_t>(kDepth, 2, -128);
    std::vector<AccumulationEvents> seen;
    expect_equal(problem, &seen);
    EXPECT_TRUE(seen[0].inner.any());
  }
}

TEST(IntGemmTest, SpecialScalesEqualReference) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  std::mt19937_64 random(kSeed + 4);
  for (const auto& format : {numerics::kFp32, numerics::kFp16, numerics::kFp8E4M3}) {
    for (const float special : {kInfinity, -kInfinity, kNan, 0.0F, -0.0F, 0x1p-149F, 0x1.fffffep127F, 0x1.234p-140F}) {
      const IntAccumulationSpec spec{.promote_every = 32, .outer = {.format = format}};
      Problem problem = random_problem(9, 96, 33, 4, spec, 0, Data::kSparse, random);
      problem.scales = {0.25F, special, 1.5F};
      problem.what += " scale " + std::to_string(special);
      ASSERT_NO_FATAL_FAILURE(expect_equal(problem));
    }
  }
}

TEST(IntGemmTest, RealisticGroupScalingEqualsReference) {
  std::mt19937_64 random(kSeed + 5);
  for (const auto& format : {numerics::kFp32, numerics::kFp16, numerics::kBf16}) {
    const IntAccumulationSpec spec{.promote_every = 128, .outer = {.format = format}};
    ASSERT_NO_FATAL_FAILURE(expect_equal(random_problem(70, 1024, 129, 4, spec, -9, Data::kUniform, random)));
  }
}

/// Every operand and the result as views with gaps and exchanged strides.
TEST(IntGemmTest, StridedViewsEqualReferenceOnEveryTarget) {
  test::on_every_vector_target([] {
    std::mt19937_64 random(kSeed + 7);
    constexpr std::size_t kRows = 13, kDepth = 45, kColumns = 39;
    const IntAccumulationSpec spec{.inner = {9}, .promote_every = 20, .outer = {.format = numerics::kFp16}};
    const Matrix<std::int8_t> a = random_codes(2 * kDepth, 3 * kRows, 4, Data::kUniform, random);
    const Matrix<std::int8_t> b = random_codes(kDepth, 2 * kColumns, 4, Data::kUniform, random);
    const std::vector<float> scales = random_scales(3, -6, random);
    const numerics::MatrixView<const std::int8_t> a_view{a.data().data(), kRows, kDepth, 3, 6 * kRows};
    const numerics::MatrixView<const std::int8_t> b_view{b.data().data(), kDepth, kColumns, 2 * kColumns, 2};
    Matrix<float> expected(kColumns, kRows + 1, -1.0F);
    Matrix<float> actual = expected;
    AccumulationEvents expected_events, events;
    arith::gemm_reference(a_view, b_view, spec, scales, {}, {}, expected.view().transposed().rows_range(0, kRows),
                          expected_events);
    gemm(a_view, b_view, 4, spec, scales, {}, actual.view().transposed().rows_range(0, kRows), events);
    EXPECT_EQ(expected, actual) << "seed " << kSeed;
    EXPECT_EQ(expected_events, events) << "seed " << kSeed;
    EXPECT_TRUE(events.inner.any());
  });
}

TEST(IntGemmTest, WantedEventsAloneAreCounted) {
  std::mt19937_64 random(kSeed + 6);
  const IntAccumulationSpec spec{.inner = {10}, .promote_every = 64, .outer = {.format = numerics::kFp16}};
  Problem problem = random_problem(16, 256, 40, 4, spec, -9, Data::kUniform, random);
  problem.scales = random_scales(4, -9, random);
  Matrix<float> c(16, 40);
  AccumulationEvents all, wrapped;
  gemm(problem.a.view(), problem.b_view(), 4, spec, problem.scales, {}, c.view(), all);
  GemmOptions only_wrapped;
  only_wrapped.wanted = {Event::kWrapped};
  gemm(problem.a.view(), problem.b_view(), 4, spec, problem.scales, only_wrapped, c.view(), wrapped);
  ASSERT_GT(all.inner[Event::kWrapped], 0u);
  ASSERT_GT(all.outer[Event::kInexact], 0u);
  AccumulationEvents expected;
  expected.inner[Event::kWrapped] = all.inner[Event::kWrapped];
  EXPECT_EQ(wrapped, expected);
}

TEST(IntGemmTest, RefusesValuesOutsideTheOperandBits) {
  Matrix<std::int8_t> a(2, 3, 7), b(3, 2, 7);
  Matrix<float> c(2, 2);
  AccumulationEvents events;
  EXPECT_NO_THROW(gemm(a.view(), b.view(), 4, {}, {}, {}, c.view(), events));
  a(1, 2) = 8;
  EXPECT_THROW(gemm(a.view(), b.view(), 4, {}, {}, {}, c.view(), events), InternalError);
  a(1, 2) = -9;
  EXPECT_THROW(gemm(a.view(), b.view(), 4, {}, {}, {}, c.view(), events), InternalError);
}

}  // namespace
}  // namespace guardbit::kernels
