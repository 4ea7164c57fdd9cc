/// The integer KV cache against its definition in reference operations and exact integers, and its error bound.
#include "models/units/kv_cache_unit.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <boost/multiprecision/cpp_int.hpp>
#include <cmath>
#include <limits>

#include "models/numerics/codec.h"
#include "models/units/arithmetic.h"
#include "tests/support/reference_steps.h"

namespace guardbit::units {
namespace {

using numerics::Event;
using numerics::Stage;
using tests::ReferenceSteps;
using Rational = boost::multiprecision::cpp_rational;

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

KvCacheFormat format_of(const std::string& codes, bool zero_point, const std::string& scale = "fp16",
                        const std::string& activation = "fp16") {
  StorageConfig storage;
  storage.kv_cache = codes;
  storage.kv_cache_zero_point = zero_point;
  storage.kv_cache_scale = scale;
  storage.activation = activation;
  return *kv_cache_format(storage);
}

/// x / scale rounded to the nearest integer, ties to even, in exact arithmetic; beyond +-2000 only the side matters.
long nearest(float x, float scale) {
  constexpr long kBeyond = 2000;
  if (std::isinf(x)) return x > 0 ? kBeyond : -kBeyond;
  const Rational quotient = Rational(x) / Rational(scale);
  if (quotient > kBeyond || quotient < -kBeyond) return quotient > 0 ? kBeyond : -kBeyond;
  const Rational doubled = 2 * quotient + 1;  // floor(quotient + 1/2)
  boost::multiprecision::cpp_int floor =
      boost::multiprecision::numerator(doubled) / (2 * boost::multiprecision::denominator(doubled));
  if (Rational(2 * floor) > doubled) --floor;
  const long rounded = floor.convert_to<long>();
  const bool tie = Rational(2 * floor) == doubled;
  return tie && rounded % 2 != 0 ? rounded - 1 : rounded;
}

struct Group {
  std::vector<long> codes;
  float scale = 1;
  long zero_point = 0;
};

Group reference_group(const std::vector<float>& x, const KvCacheFormat& format, EventCounts& events) {
  const ReferenceSteps scale{format.scale};
  const ReferenceSteps fp32;
  float low = 0;
  float high = 0;
  float largest = 0;
  for (const float value : x) {
    if (std::isnan(value)) continue;
    low = std::min(low, value);
    high = std::max(high, value);
    largest = std::max(largest, std::fabs(value));
  }
  const long levels = 1L << format.bits;
  const long code_low = format.has_zero_point ? 0 : -levels / 2;
  const long code_high = code_low + levels - 1;
  const float range = format.has_zero_point ? fp32.add(high, -low, events) : largest;
  Group group;
  if (range != 0) {
    const float steps = static_cast<float>(format.has_zero_point ? levels - 1 : levels / 2 - 1);
    group.scale = scale.divide(range, steps, events);
    group.scale = std::max(group.scale, std::ldexp(1.0F, format.scale.format.quantum_exponent()));
    group.scale = std::min(group.scale, numerics::max_finite(format.scale.format));
  }
  if (format.has_zero_point) group.zero_point = std::clamp(nearest(-low, group.scale), code_low, code_high);
  for (const float value : x) {
    if (std::isnan(value)) {
      ++events[Event::kInvalid];
      group.codes.push_back(group.zero_point);
      continue;
    }
    const long code = nearest(value, group.scale) + group.zero_point;
    group.codes.push_back(std::clamp(code, code_low, code_high));
    const long distance = group.codes.back() - group.zero_point;
    if (code != group.codes.back()) ++events[Event::kClipped];
    if (distance == 0 && value != 0) ++events[Event::kZeroed];
    if (std::isinf(value) || Rational(group.scale) * distance != Rational(value)) ++events[Event::kInexact];
  }
  return group;
}

void expect_reference(const Matrix<float>& x, std::size_t head_size, const KvCacheFormat& format,
                      const std::string& what) {
  const std::size_t num_heads = x.cols() / head_size;
  KvCache cache(x.rows() + 3, num_heads + 2, head_size);
  EventLedger written;
  write_kv_cache(x.view(), format, 3, 1, cache, written, tests::run_backwards);
  EventLedger read;
  EventLedger expected_written;
  EventLedger expected_read;
  const ReferenceSteps value{format.value};
  for (std::size_t head = 0; head < num_heads; ++head) {
    Matrix<float> y(x.rows(), head_size);
    read_kv_cache(cache, format, 3, head + 1, y.view(), read, tests::run_backwards);
    for (std::size_t row = 0; row < x.rows(); ++row) {
      const std::vector<float> group(x.row(row) + head * head_size, x.row(row) + (head + 1) * head_size);
      const Group reference = reference_group(group, format, expected_written[Stage::kQuantizer]);
      ASSERT_EQ(cache.scales(row + 3, head + 1), reference.scale) << what << " row " << row;
      ASSERT_EQ(cache.zero_points(row + 3, head + 1), reference.zero_point) << what << " row " << row;
      for (std::size_t k = 0; k < head_size; ++k) {
        ASSERT_EQ(cache.codes(row + 3, (head + 1) * head_size + k), reference.codes[k])
            << what << " row " << row << " element " << k << ": " << std::hexfloat << group[k] << " / "
            << reference.scale;
        const float expected =
            value.multiply(reference.scale, static_cast<float>(reference.codes[k] - reference.zero_point),
                           expected_read[Stage::kOperand]);
        ASSERT_EQ(std::bit_cast<std::uint32_t>(y(row, k)), std::bit_cast<std::uint32_t>(expected)) << what;
      }
    }
  }
  EXPECT_EQ(tests::ledger_difference(written, expected_written), "") << what;
  EXPECT_EQ(tests::ledger_difference(read, expected_read), "") << what;
}

TEST(KvCacheTest, EqualsTheDefinitionInExactArithmetic) {
  std::mt19937_64 generator(20261201);
  for (const char* codes : {"int2", "int3", "int4", "int7", "int8"}) {
    for (const bool zero_point : {false, true}) {
      for (const char* scale : {"fp16", "bf16", "fp32", "fp8_e4m3"}) {
        for (const double size : {1e-7, 0.01, 3.0, 30000.0}) {
          const Matrix<float> x = tests::random_carriers(40, 24, numerics::kFp16, size, generator());
          expect_reference(x, 12, format_of(codes, zero_point, scale, size == 3.0 ? "fp8_e4m3" : "fp16"),
                           std::string(codes) + (zero_point ? " zero point " : " symmetric ") + scale);
        }
      }
    }
  }
}

TEST(KvCacheTest, TiesAndSpecialGroups) {
  const Matrix<float> x(6, 4, std::vector<float>{7,         0.5F,      1.5F,       -2.5F,  // scale 1: ties to even
                                                 0,         -0.0F,     0,          0,      // zeros: scale 1
                                                 kNan,      1,         -2,         kNan,   //
                                                 kInfinity, 1,         -kInfinity, 65504,  //
                                                 3,         4,         5,          15,     // no negative: z = 0
                                                 -0x1p-24F, -0x1p-24F, 0,          0});    // scale below fp16
  for (const char* codes : {"int4", "int8"}) {
    for (const bool zero_point : {false, true}) {
      for (const char* scale : {"fp16", "fp32", "fp8_e5m2", "fp8_e4m3"}) {
        expect_reference(x, 4, format_of(codes, zero_point, scale), std::string(codes) + " " + scale);
      }
    }
  }
  KvCache cache(1, 1, 4);
  EventLedger ledger;
  write_kv_cache(x.view().rows_range(0, 1), format_of("int4", false), 0, 0, cache, ledger);
  EXPECT_EQ(cache.codes.data(), (std::vector<std::int16_t>{7, 0, 2, -2}));
  EXPECT_EQ(ledger[Stage::kQuantizer][Event::kZeroed], 1u);
  EXPECT_EQ(ledger[Stage::kQuantizer][Event::kInexact], 3u);
}

TEST(KvCacheTest, IsWithinHalfAStepOfWhatWasWritten) {
  constexpr std::size_t kHeadSize = 64;
  const Matrix<float> x = tests::random_carriers(200, kHeadSize, numerics::kFp16, 2, 77);
  for (const char* codes : {"int4", "int8"}) {
    for (const bool zero_point : {false, true}) {
      const KvCacheFormat format = format_of(codes, zero_point, "fp16", "fp32");
      KvCache cache(200, 1, kHeadSize);
      EventLedger ledger;
      write_kv_cache(x.view(), format, 0, 0, cache, ledger);
      Matrix<float> y(200, kHeadSize);
      read_kv_cache(cache, format, 0, 0, y.view(), ledger);
      for (std::size_t row = 0; row < 200; ++row) {
        // A scale is rounded by at most 2^-11 of itself; at the end of the range that is (2^b - 1) 2^-11 steps more
        // than half a one. A zero point is rounded to a step: with the code's rounding up to one step at the ends.
        const double scale = cache.scales(row, 0);
        const double bound = scale * ((zero_point ? 1.0 : 0.5) + (1 << format.bits) * 0x1p-11);
        for (std::size_t k = 0; k < kHeadSize; ++k) ASSERT_NEAR(y(row, k), x(row, k), bound) << codes << zero_point;
      }
    }
  }
}

TEST(KvCacheTest, AGroupsBitsInMemory) {
  EXPECT_EQ(format_of("int4", false).group_bits(64), 64 * 4 + 16);
  EXPECT_EQ(format_of("int4", true, "fp8_e4m3").group_bits(64), 64 * 4 + 8 + 4);
  StorageConfig storage;
  EXPECT_FALSE(kv_cache_format(storage).has_value());
}

}  // namespace
}  // namespace guardbit::units
