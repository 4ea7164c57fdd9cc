// Block formats against exact rationals: every (element code, scale code) pair decodes, and random blocks quantize, as
// OCP MX 1.0 and NVFP4 define them; and cases that a reader can check by hand.
#include "models/numerics/block_format.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

#include "models/numerics/check.h"
#include "tests/support/rounding_oracle.h"
#include "tests/support/spec_sweep.h"

namespace guardbit::tests {
namespace {

using numerics::BlockElement;
using numerics::BlockFormat;
using numerics::BlockRounding;
using numerics::BlockScale;
using numerics::EventCounts;
using numerics::kBlockFormats;
using numerics::NamedBlockFormat;
using numerics::QuantizedBlock;

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr FloatFormat kE4M3{4, 3, 7, SpecialCodes::kNanAllOnes};

BlockFormat format_named(std::string_view name) {
  const NamedBlockFormat* row = numerics::find_block_format(name);
  GUARDBIT_CHECK(row != nullptr, std::string(name) + " is a block format");
  return row->format;
}

Exact<Rational> exact_float(float value) { return value_of<Rational>(std::bit_cast<std::uint32_t>(value), {}); }

/// The exact value of a binary64 number that is not NaN or infinite.
Rational exact_double(double value) {
  int exponent = 0;
  const double fraction = std::frexp(std::fabs(value), &exponent);
  const Rational magnitude = scaled(static_cast<std::uint64_t>(std::ldexp(fraction, 53)), exponent - 53, Rational(0));
  return value < 0 ? Rational(-magnitude) : magnitude;
}

/// Value of an element by the MX specification's prose; MXINT8 is code * 2^-6.
Exact<Rational> element_value(std::uint8_t code, const BlockFormat& format) {
  if (format.element_kind == BlockElement::kFloat) return value_of<Rational>(code, format.element);
  const int value = code >= 128 ? code - 256 : code;
  return {Kind::kNumber, value < 0, scaled(static_cast<std::uint64_t>(std::abs(value)), -6, Rational(0))};
}

Exact<Rational> scale_oracle(std::uint8_t code, const BlockFormat& format) {
  if (format.scale == BlockScale::kE4M3) return value_of<Rational>(code, kE4M3);
  if (code == 255) return {Kind::kNan, false, 0};
  return {Kind::kNumber, false, scaled(1, code - 127, Rational(0))};
}

TEST(BlockFormatTest, EveryCodeTimesEveryScaleIsExact) {
  for (const NamedBlockFormat& row : kBlockFormats) {
    const int num_codes = 1 << row.format.element_bits();
    const int num_scales = row.format.scale == BlockScale::kE4M3 ? 128 : 256;
    for (const float tensor_scale : {1.0F, 0x1.fffffep-126F, 0x1.234568p10F}) {
      if (tensor_scale != 1.0F && row.format.scale == BlockScale::kE8M0) continue;
      for (int scale = 0; scale < num_scales; ++scale) {
        for (int code = 0; code < num_codes; ++code) {
          const auto element = static_cast<std::uint8_t>(code);
          const auto block_scale = static_cast<std::uint8_t>(scale);
          const double actual = numerics::dequantize(element, block_scale, row.format, tensor_scale);
          const Exact<Rational> x = element_value(element, row.format);
          const Exact<Rational> s = scale_oracle(block_scale, row.format);
          SCOPED_TRACE(std::string(row.name) + " code " + std::to_string(code) + " scale " + std::to_string(scale));
          if (x.kind == Kind::kNan || s.kind == Kind::kNan || (x.kind == Kind::kInfinity && s.is_zero())) {
            ASSERT_TRUE(std::isnan(actual));
          } else if (x.kind == Kind::kInfinity) {
            ASSERT_EQ(actual,
                      x.negative ? -std::numeric_limits<double>::infinity() : std::numeric_limits<double>::infinity());
          } else {
            ASSERT_TRUE(std::isfinite(actual));
            ASSERT_EQ(std::signbit(actual), x.negative);
            ASSERT_EQ(exact_double(actual), x.value() * s.magnitude * exact_float(tensor_scale).magnitude);
          }
        }
      }
    }
  }
}

/// Codes of a block by the prose of block_format.h.
class BlockOracle {
 public:
  BlockOracle(const BlockFormat& format, const BlockRounding& rounding) : format_(format), rounding_(rounding) {}

  Exact<Rational> scale(std::span<const float> values, float tensor_scale) const {
    Rational amax = 0;
    for (const float value : values) {
      const Exact<Rational> exact = exact_float(value);
      if (exact.kind == Kind::kNumber) amax = std::max(amax, exact.magnitude);
    }
    if (format_.scale == BlockScale::kE8M0) {
      const int emax = format_.element_kind == BlockElement::kInt8 ? 0 : emax_of_element();
      const int exponent = amax == 0 ? -127 : std::clamp(floor_log2(amax) - emax, -127, 127);
      return {Kind::kNumber, false, scaled(1, exponent, Rational(0))};
    }
    const Rational quotient = amax / (6 * exact_float(tensor_scale).magnitude);
    return rational_oracle(kE4M3)({Kind::kNumber, false, quotient},
                                  {.format = kE4M3, .overflow = OverflowPolicy::kSaturate})
        .result;
  }

  Expected<Rational> element(float value, const Rational& divisor, std::uint32_t random) const {
    Exact<Rational> exact = exact_float(value);
    Expected<Rational> expected;
    if (divisor == 0) {
      if (!exact.is_zero()) expected.events = {Event::kZeroed, Event::kFlushed, Event::kInexact};
      return expected;
    }
    if (exact.kind == Kind::kNumber) exact.magnitude /= divisor;
    expected = format_.element_kind == BlockElement::kFloat ? float_element(exact, random) : int_element(exact, random);
    if (expected.events.has(Event::kOverflow)) expected.events.add(Event::kClipped);
    if (expected.events.has(Event::kFlushed)) expected.events.add(Event::kZeroed);
    return expected;
  }

 private:
  int emax_of_element() const {
    Rational largest = 0;
    for (std::uint32_t code = 0; code < 1u << (format_.element_bits() - 1); ++code) {
      const Exact<Rational> value = value_of<Rational>(code, format_.element);
      if (value.kind == Kind::kNumber) largest = std::max(largest, value.magnitude);
    }
    return floor_log2(largest);
  }
  Expected<Rational> float_element(const Exact<Rational>& exact, std::uint32_t random) const {
    return rational_oracle(format_.element)(exact,
                                            {.format = format_.element,
                                             .rounding = rounding_.rounding,
                                             .overflow = OverflowPolicy::kSaturate,
                                             .random_bits = rounding_.random_bits},
                                            random);
  }
  Expected<Rational> int_element(const Exact<Rational>& exact, std::uint32_t random) const {
    const Rational max(127, 64);
    const EventSet clipped{Event::kOverflow, Event::kSaturated, Event::kInexact};
    if (exact.kind == Kind::kInfinity) return {{Kind::kNumber, exact.negative, max}, clipped};
    const Rational quantum(1, 64);
    const Rational steps = exact.magnitude / quantum;
    const boost::multiprecision::cpp_int whole =
        boost::multiprecision::numerator(steps) / boost::multiprecision::denominator(steps);
    const Neighbours<Rational> grid{whole * quantum, (whole + 1) * quantum, (whole & 1) == 1};
    const Rational rounded = choose(grid, exact.magnitude, exact.negative,
                                    {.rounding = rounding_.rounding, .random_bits = rounding_.random_bits}, random);
    if (rounded > max) return {{Kind::kNumber, exact.negative, max}, clipped};
    Expected<Rational> expected{{Kind::kNumber, exact.negative && rounded != 0, rounded}, {}};
    if (rounded != exact.magnitude) expected.events.add(Event::kInexact);
    if (rounded == 0 && exact.magnitude != 0) expected.events.add(Event::kFlushed);
    return expected;
  }

  BlockFormat format_;
  BlockRounding rounding_;
};

/// Values of a block: all near one another, or over all exponents, with zeros and (some) infinities.
std::vector<float> random_values(std::size_t length, std::mt19937& random) {
  const int kind = static_cast<int>(random() % 4);
  const auto center = static_cast<std::uint32_t>(random() % 255);
  std::vector<float> values(length);
  for (float& value : values) {
    auto bits = static_cast<std::uint32_t>(random());
    if (kind != 0) {
      const std::uint32_t spread = static_cast<std::uint32_t>(random()) % (kind == 1 ? 3 : 12);
      const std::uint32_t biased = center > spread ? center - spread : 0;
      bits = (bits & 0x807FFFFFU) | biased << 23;
    }
    if (kind == 3) bits &= 0xFFF00000U;  // few significant bits: ties
    value = std::bit_cast<float>(bits);
    if (std::isnan(value) || random() % 16 == 0) value = random() % 2 == 0 ? 0.0F : -0.0F;
    if (random() % 128 == 0) value = random() % 2 == 0 ? kInf : -kInf;
  }
  return values;
}

TEST(BlockFormatTest, RandomBlocksQuantizeAsRationalsSay) {
  constexpr std::uint32_t kSeed = 31;
  constexpr int kNumBlocks = 40;  // per format and rounding
  std::mt19937 random(kSeed);
  for (const NamedBlockFormat& row : kBlockFormats) {
    for (const RoundingMode mode :
         {RoundingMode::kTiesToEven, RoundingMode::kTowardZero, RoundingMode::kTowardPositive,
          RoundingMode::kTowardNegative, RoundingMode::kTiesToAway, RoundingMode::kToOdd, RoundingMode::kStochastic}) {
      for (int i = 0; i < kNumBlocks; ++i) {
        const std::size_t length = 1 + random() % static_cast<std::size_t>(row.format.block_size);
        const std::vector<float> values = random_values(length, random);
        std::vector<std::uint32_t> words(length);
        for (std::uint32_t& word : words) word = static_cast<std::uint32_t>(random());
        const BlockRounding rounding{
            .rounding = mode, .random_bits = 1 + static_cast<int>(random() % 32), .random = words};
        float tensor_scale = 1.0F;
        if (row.format.scale == BlockScale::kE4M3 && random() % 2 == 0) {
          tensor_scale = std::bit_cast<float>(static_cast<std::uint32_t>(1 + random() % 0x7F7FFFFF));
        }
        EventCounts events;
        const QuantizedBlock block = numerics::quantize_block(values, row.format, rounding, tensor_scale, events);
        SCOPED_TRACE(std::string(row.name) + " " + std::string(numerics::name_of(mode)) + " block " +
                     std::to_string(i) + " of seed " + std::to_string(kSeed));
        const BlockOracle oracle(row.format, rounding);
        const Exact<Rational> scale = oracle.scale(values, tensor_scale);
        ASSERT_EQ(scale_oracle(block.scale, row.format), scale);
        ASSERT_EQ(block.codes.size(), length);
        const Rational divisor = scale.magnitude * exact_float(tensor_scale).magnitude;
        EventCounts expected_events;
        for (std::size_t k = 0; k < length; ++k) {
          const Expected<Rational> expected = oracle.element(values[k], divisor, words[k]);
          expected_events.add(expected.events);
          ASSERT_EQ(element_value(block.codes[k], row.format), expected.result) << std::hexfloat << values[k];
        }
        ASSERT_EQ(events.counts, expected_events.counts);
      }
    }
  }
}

QuantizedBlock quantize(std::string_view name, const std::vector<float>& values, EventCounts* events = nullptr,
                        float tensor_scale = 1.0F) {
  EventCounts ignored;
  return numerics::quantize_block(values, format_named(name), {}, tensor_scale, events != nullptr ? *events : ignored);
}

TEST(BlockFormatTest, CasesByHand) {
  // amax 5 = 1.25 * 2^2, emax of E2M1 is 2: scale 1. 5 is a tie of 4 and 6: even is 4 (code 0b0110).
  EventCounts events;
  const QuantizedBlock fp4 = quantize("mxfp4_e2m1", {5.0F, -0.2F, 0.25F, 3.0F}, &events);
  EXPECT_EQ(fp4.scale, 127);
  EXPECT_EQ(fp4.codes, (std::vector<std::uint8_t>{0b0110, 0b1000, 0b0000, 0b0101}));
  EXPECT_EQ(events[Event::kZeroed], 2U);
  EXPECT_EQ(events[Event::kInexact], 3U);
  // 7 needs 2^2 too: 7 is a tie of 6 and 8, which overflows and is clamped to 6.
  events = {};
  EXPECT_EQ(quantize("mxfp4_e2m1", {7.0F}, &events).codes[0], 0b0111);
  EXPECT_EQ(events[Event::kClipped], 1U);
  // E4M3: emax 8, 1.0 takes 2^-8 and becomes 256 (0b0.1111.000).
  const QuantizedBlock fp8 = quantize("mxfp8_e4m3", {1.0F});
  EXPECT_EQ(fp8.scale, 127 - 8);
  EXPECT_EQ(fp8.codes[0], 0x78);
  // INT8: 1.0 is 64/64; 1.999 rounds to 128/64 and is clamped to 127, and so is its negative.
  EXPECT_EQ(quantize("mxint8", {1.0F}).codes[0], 64);
  EXPECT_EQ(quantize("mxint8", {1.999F, -1.999F}).codes, (std::vector<std::uint8_t>{127, 0x81}));
  // NVFP4: amax 6 takes scale 1 (0x38) and keeps 6; 12 takes 2.
  EXPECT_EQ(quantize("nvfp4", {6.0F, 0.5F}).scale, 0x38);
  EXPECT_EQ(quantize("nvfp4", {6.0F, 0.5F}).codes, (std::vector<std::uint8_t>{0b0111, 0b0001}));
  EXPECT_EQ(quantize("nvfp4", {12.0F}).scale, 0x40);
}

TEST(BlockFormatTest, SpecialsAndEmptyRanges) {
  // Elements with NaN keep it to themselves; without, the block is NaN.
  EXPECT_EQ(quantize("mxfp8_e4m3", {1.0F, kNan}).codes, (std::vector<std::uint8_t>{0x78, 0x7F}));
  EXPECT_EQ(quantize("mxfp8_e5m2", {kNan}).codes[0], 0x7E);
  for (const auto name : {"mxfp6_e3m2", "mxfp6_e2m3", "mxfp4_e2m1", "mxint8", "nvfp4"}) {
    const QuantizedBlock block = quantize(name, {1.0F, kNan});
    EXPECT_TRUE(std::isnan(numerics::scale_value(block.scale, format_named(name).scale))) << name;
    EXPECT_EQ(block.codes, (std::vector<std::uint8_t>{0, 0})) << name;
  }
  // Infinities are clamped and do not move the scale.
  const QuantizedBlock infinite = quantize("mxfp8_e5m2", {1.0F, -kInf});
  EXPECT_EQ(infinite.scale, 127 - 15);
  EXPECT_EQ(infinite.codes[1], 0xFB);
  // No magnitude at all.
  EXPECT_EQ(quantize("mxfp8_e4m3", {0.0F, -0.0F}), (QuantizedBlock{0, {0x00, 0x80}}));
  EXPECT_EQ(quantize("nvfp4", {0.0F}), (QuantizedBlock{0, {0}}));
  // The least and the largest binary32.
  EXPECT_EQ(quantize("mxfp4_e2m1", {0x1p-149F}).scale, 0);
  EXPECT_EQ(quantize("mxint8", {0x1.fffffep127F}).scale, 254);
}

TEST(BlockFormatTest, TensorScaleBringsTheLargestBlockScaleTo448) {
  for (const float amax : {1.0F, 3.1415927F, 65504.0F, 1e-20F}) {
    const float tensor_scale = numerics::nvfp4_tensor_scale(amax);
    EXPECT_EQ(quantize("nvfp4", {amax}, nullptr, tensor_scale).scale, 0x7E) << amax;
    EXPECT_EQ(quantize("nvfp4", {amax}, nullptr, tensor_scale).codes[0], 0b0111) << amax;
  }
  EXPECT_EQ(numerics::nvfp4_tensor_scale(2688.0F), 1.0F);
  EXPECT_EQ(numerics::nvfp4_tensor_scale(1.0F), 1.0F / 2688.0F);
  EXPECT_EQ(numerics::nvfp4_tensor_scale(0.0F), 1.0F);
  EXPECT_EQ(numerics::nvfp4_tensor_scale(0x1p-149F), 1.0F);
}

TEST(BlockFormatTest, MisuseIsAnInternalError) {
  EXPECT_THROW(quantize("mxfp4_e2m1", {}), InternalError);
  EXPECT_THROW(quantize("nvfp4", std::vector<float>(17, 1.0F)), InternalError);
  EXPECT_THROW(quantize("mxfp4_e2m1", {1.0F}, nullptr, 2.0F), InternalError);
  EXPECT_THROW(quantize("nvfp4", {1.0F}, nullptr, 0.0F), InternalError);
  EXPECT_EQ(numerics::find_block_format("mxfp4"), nullptr);
}

}  // namespace
}  // namespace guardbit::tests
