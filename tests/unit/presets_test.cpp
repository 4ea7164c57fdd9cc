// Published accumulators: cases that a reader can check by hand, and the error that the literature measured.
#include "models/arith/presets.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <set>

#include "models/arith/accumulator.h"
#include "models/arith/accumulators/accumulator_registry.h"
#include "models/numerics/check.h"
#include "models/numerics/codec.h"

namespace guardbit::arith {
namespace {

using numerics::Event;

const Preset& preset(std::string_view name) {
  const Preset* row = find_preset(name);
  GUARDBIT_CHECK(row != nullptr, std::string(name) + " is a preset");
  return *row;
}

struct Dot {
  float value = 0;
  AccumulationEvents events;
};

Dot dot(std::string_view name, const std::vector<float>& a, const std::vector<float>& b,
        const std::vector<float>& scales = {}) {
  Dot result;
  result.value = dot_reference(a, b, preset(name).spec, scales, {}, {}, result.events);
  return result;
}

Dot sum(std::string_view name, const std::vector<float>& products) {
  return dot(name, products, std::vector<float>(products.size(), 1.0F));
}

/// `first`, then `count` times `rest`.
std::vector<float> one_then(float first, std::size_t count, float rest) {
  std::vector<float> values(count + 1, rest);
  values[0] = first;
  return values;
}

TEST(PresetTest, NamesAreUniqueAndSourcesGiven) {
  std::set<std::string_view> names;
  for (const Preset& row : presets()) {
    EXPECT_TRUE(names.insert(row.name).second) << row.name;
    EXPECT_FALSE(row.source.empty()) << row.name;
    EXPECT_EQ(find_preset(row.name), &row);
    EXPECT_EQ(sum(row.name, {1, 2}).value, 3.0F) << row.name;  // no row is refused
  }
  for (const auto name : {"volta_fp16", "ampere_fp16", "hopper_fp8", "hopper_fp8_promote128", "dlfloat16_chunk64",
                          "kulisch_fp8", "exllama_fp16"}) {
    EXPECT_EQ(names.count(name), 1U) << name;
  }
  EXPECT_EQ(find_preset("volta"), nullptr);
}

// A term of 2^0 keeps multiples of 2^-F of the other terms; less is cut off. Each step of volta has 4 products.
TEST(VoltaTest, TermsAreTruncatedTo23FractionBitsOfTheLargest) {
  EXPECT_EQ(sum("volta_fp16", {1, 0x1p-23F}).value, 1.0F + 0x1p-23F);
  const Dot lost = dot("volta_fp16", {1, 0x1p-12F, 0x1p-12F}, {1, 0x1p-12F, 0x1p-12F});  // 1 + 2^-24 + 2^-24
  EXPECT_EQ(lost.value, 1.0F);
  EXPECT_EQ(lost.events.inner[Event::kInexact], 1U);
  // Truncation is of sign and magnitude: -2^-24 is lost too, and 1 - 2^-24 is no step down.
  EXPECT_EQ(dot("volta_fp16", {1, -0x1p-12F}, {1, 0x1p-12F}).value, 1.0F);
}

TEST(AmpereTest, TermsAreTruncatedTo24FractionBitsOfTheLargest) {
  // The two halves of an ulp meet inside the adder: 1 + 2^-24 + 2^-24.
  EXPECT_EQ(dot("ampere_fp16", {1, 0x1p-12F, 0x1p-12F}, {1, 0x1p-12F, 0x1p-12F}).value, 1.0F + 0x1p-23F);
  // In two steps (8 products each) they do not: the second meets an accumulator of 1.
  EXPECT_EQ(
      dot("ampere_fp16", {1, 0x1p-12F, 0, 0, 0, 0, 0, 0, 0x1p-12F}, {1, 0x1p-12F, 0, 0, 0, 0, 0, 0, 0x1p-12F}).value,
      1.0F);
  // The output is truncated: 1 - 2^-24 is a binary32, 1 + 2^-23 + 2^-24 is not.
  EXPECT_EQ(dot("ampere_fp16", {1, -0x1p-12F}, {1, 0x1p-12F}).value, 1.0F - 0x1p-24F);
  EXPECT_EQ(dot("ampere_fp16", {1, 0x1.8p-12F}, {1, 0x1p-11F}).value, 1.0F + 0x1p-23F);
}

TEST(AmpereTest, ExponentsAreAddedNotNormalised) {
  // 1.5 * 1.5 = 2.25 has exponent 0 here: its significand is below 4 and the quantum stays 2^-24, so that the two
  // 2^-24 survive the alignment. Normalised (2^1) they would be lost.
  EXPECT_EQ(dot("ampere_fp16", {1.5F, 0x1p-12F, 0x1p-12F, -1.25F}, {1.5F, 0x1p-12F, 0x1p-12F, 1}).value,
            1.0F + 0x1p-23F);
}

TEST(AmpereTest, SubnormalOperandsHaveTheExponentOfTheSmallestNormal) {
  // 2^-24 * 2^14 = 2^-10 takes part with exponent -14 + 14 = 0, hence quantum 2^-24 for 2^-25.
  EXPECT_EQ(dot("ampere_fp16", {0x1p-24F, 0x1p-13F}, {0x1p14F, 0x1p-12F}).value, 0x1p-10F);
  // 2^-10 as a product of normals keeps it.
  EXPECT_EQ(dot("ampere_fp16", {0x1p-5F, 0x1p-13F}, {0x1p-5F, 0x1p-12F}).value, 0x1p-10F + 0x1p-25F);
  const AccumulationSpec rebound = with_operands(preset("ampere_fp16").spec, numerics::kBf16, numerics::kFp16);
  EXPECT_EQ(rebound.alignment.emin_a, -126);
  EXPECT_EQ(rebound.alignment.emin_b, -14);
}

TEST(VoltaTest, HalfPrecisionOutputIsRoundedToNearestEvenPerStep) {
  EXPECT_EQ(sum("volta_fp16_out16", {2048, 1}).value, 2048.0F);                       // a tie
  EXPECT_EQ(sum("volta_fp16_out16", {2048, 1, 1}).value, 2050.0F);                    // within one step
  EXPECT_EQ(sum("volta_fp16_out16", {2048, 0, 0, 0, 1, 0, 0, 0, 1}).value, 2048.0F);  // in three
  EXPECT_EQ(sum("volta_fp16_out16", {60000, 60000}).events.inner[Event::kOverflow], 1U);
}

TEST(HopperTest, FourteenBitsSurvive) {
  EXPECT_EQ(sum("hopper_fp8", {16, 0x1p-9F}).value, 16.0F + 0x1p-9F);  // F = 13: 2^4 * 2^-13
  EXPECT_EQ(sum("hopper_fp8", {32, 0x1p-9F}).value, 32.0F);
  // Two halves of 2^-9 are cut off before they could meet in the adder.
  EXPECT_EQ(dot("hopper_fp8", {16, 0x1p-5F, 0x1p-5F}, {1, 0x1p-5F, 0x1p-5F}).value, 16.0F);
  EXPECT_EQ(dot("hopper_fp8_promote128", {16, 0x1p-5F, 0x1p-5F}, {1, 0x1p-5F, 0x1p-5F}).value, 16.0F);
  // 8 + 2^-9 has 13 fraction bits; 31 more of 2^-9 are 2^-4 in one step.
  EXPECT_EQ(sum("hopper_fp8", one_then(8, 32, 0x1p-9F)).value, 8.0F + 0x1p-4F);
  const Dot swamped = sum("hopper_fp8", one_then(256, 64, 0x1p-9F));
  EXPECT_EQ(swamped.value, 256.0F);
  EXPECT_EQ(swamped.events.inner[Event::kSwamped], 2U);  // steps two and three
}

TEST(HopperTest, PromotionKeepsWhatOneAccumulatorLoses) {
  std::vector<float> values = one_then(256, 127, 0);
  values.insert(values.end(), 128, 0x1p-9F);
  EXPECT_EQ(sum("hopper_fp8", values).value, 256.0F);
  EXPECT_EQ(sum("hopper_fp8_promote128", values).value, 256.0F + 0.25F);
}

/// rms of (result - exact) over the rms of exact, both over independent dot products of N(0, 1) operands rounded to
/// the preset's formats.
double relative_rms_error(std::string_view name, std::size_t length, int num_dots) {
  const Preset& row = preset(name);
  std::mt19937 random(7);
  std::normal_distribution<float> normal;
  double squared_error = 0;
  double squared_exact = 0;
  std::vector<float> a(length);
  std::vector<float> b(length);
  for (int i = 0; i < num_dots; ++i) {
    numerics::EventSet events;
    double exact = 0;  // products are multiples of 2^-18 below 2^10: exact in binary64
    for (std::size_t k = 0; k < length; ++k) {
      a[k] = numerics::round_carrier(normal(random), {.format = row.a}, events);
      b[k] = numerics::round_carrier(normal(random), {.format = row.b}, events);
      exact += static_cast<double>(a[k]) * b[k];
    }
    AccumulationEvents counts;
    const double error = dot_reference(a, b, row.spec, {}, {}, {}, counts) - exact;
    squared_error += error * error;
    squared_exact += exact * exact;
  }
  return std::sqrt(squared_error / squared_exact);
}

// The published order of magnitude at K = 4096; an output of one bit more or less changes it by 2.
TEST(HopperTest, ErrorAtDepth4096IsThePublishedOne) {
  const double plain = relative_rms_error("hopper_fp8", 4096, 400);
  const double promoted = relative_rms_error("hopper_fp8_promote128", 4096, 400);
  RecordProperty("plain", std::to_string(plain));
  RecordProperty("promoted", std::to_string(promoted));
  EXPECT_GT(plain, 1.4e-3 / 1.5) << plain;
  EXPECT_LT(plain, 1.4e-3 * 1.5) << plain;
  EXPECT_GT(promoted, 1.2e-4 / 1.5) << promoted;
  EXPECT_LT(promoted, 1.2e-4 * 1.5) << promoted;
}

TEST(KulischTest, SumsAreExactAndRoundedOnce) {
  EXPECT_EQ(relative_rms_error("kulisch_fp8", 64, 20) < 0x1p-24, true);
  // 448^2 + 2^-18 - 448^2: the smallest product survives the largest.
  const Dot sum = dot("kulisch_fp8", {448, 0x1p-9F, 448}, {448, 0x1p-9F, -448});
  EXPECT_EQ(sum.value, 0x1p-18F);
  EXPECT_EQ(sum.events, AccumulationEvents{});
  // 2^24 + 1 + 1 in one rounding; fp32 accumulation would lose both.
  std::vector<float> a(83, 448);
  std::vector<float> b(83, 448);
  double exact = 83.0 * 448 * 448;
  a.push_back(1);
  b.push_back(1);
  exact += 1;
  EXPECT_EQ(dot("kulisch_fp8", a, b).value, static_cast<float>(exact));
}

TEST(KulischTest, TheStatedDepthIsTheLargestExactOne) {
  const std::vector<float> largest(171197, 448);
  const std::span<const float> exact_depth(largest.data(), 171196);
  AccumulationEvents events;
  dot_reference(exact_depth, exact_depth, preset("kulisch_fp8").spec, {}, {}, {}, events);
  EXPECT_EQ(events.inner[Event::kSaturated], 0U);
  dot_reference(largest, largest, preset("kulisch_fp8").spec, {}, {}, {}, events);
  EXPECT_EQ(events.inner[Event::kSaturated], 1U);
}

TEST(DlFloatTest, TiesGoAwayAndChunksRestart) {
  // p = 10: 1024 + 1 is a tie between 1024 and 1026.
  EXPECT_EQ(sum("dlfloat16_chunk64", {1024, 1}).value, 1026.0F);
  EXPECT_EQ(sum("dlfloat16_chunk64", {1024, 0.75F}).value, 1024.0F);
  // 0.75 each, 64 of them in a second chunk: 48 arrives whole.
  std::vector<float> values = one_then(1024, 63, 0);
  values.insert(values.end(), 64, 0.75F);
  EXPECT_EQ(sum("dlfloat16_chunk64", values).value, 1072.0F);
  // No subnormals: 2^-30 is the least.
  EXPECT_EQ(dot("dlfloat16_chunk64", {0x1p-15F}, {0x1p-15F}).value, 0x1p-30F);
  const Dot flushed = dot("dlfloat16_chunk64", {0x1p-16F}, {0x1p-15F});
  EXPECT_EQ(flushed.value, 0.0F);
  EXPECT_EQ(flushed.events.inner[Event::kFlushed], 1U);
}

TEST(ExllamaTest, LanesChunksAndScales) {
  // Even and odd k have their own fp16 lane: 2048 does not swamp the odd ones.
  EXPECT_EQ(sum("exllama_fp16", {2048, 1, 0, 1, 0, 0, 0, 0}).value, 2050.0F);
  EXPECT_EQ(sum("exllama_fp16", {2048, 0, 1, 0, 1, 0, 0, 0}).value, 2048.0F);
  // The scale and the total are one fused operation: 2048 + 0.75 * 3 = 2050.25.
  std::vector<float> a = one_then(2048, 7, 0);
  a.push_back(3);
  EXPECT_EQ(dot("exllama_fp16", a, std::vector<float>(a.size(), 1.0F), {1.0F, 0.75F}).value, 2050.0F);
}

}  // namespace
}  // namespace guardbit::arith
