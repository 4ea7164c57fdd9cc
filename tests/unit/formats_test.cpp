// Names and derived numbers of formats, against the defining documents.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "models/numerics/check.h"
#include "models/numerics/codec.h"
#include "models/numerics/float_format.h"
#include "models/numerics/int_format.h"

namespace guardbit::numerics {
namespace {

struct PublishedFacts {
  const char* name;
  int storage_bits;
  float max_finite;
  float min_normal;
  float min_subnormal;
};

/// OCP OFP8 1.0 table 2, OCP MX 1.0 tables 5 and 6, IEEE 754-2019 table 3.5, arXiv 2206.02915.
const PublishedFacts kPublished[] = {
    {"fp32", 32, 0x1.fffffep127F, 0x1p-126F, 0x1p-149F},
    {"tf32", 19, 0x1.ffcp127F, 0x1p-126F, 0x1p-136F},
    {"bf16", 16, 0x1.fep127F, 0x1p-126F, 0x1p-133F},
    {"fp16", 16, 65504.0F, 0x1p-14F, 0x1p-24F},
    {"fp8_e5m2", 8, 57344.0F, 0x1p-14F, 0x1p-16F},
    {"fp8_e4m3", 8, 448.0F, 0x1p-6F, 0x1p-9F},
    {"fp8_e5m2fnuz", 8, 57344.0F, 0x1p-15F, 0x1p-17F},
    {"fp8_e4m3fnuz", 8, 240.0F, 0x1p-7F, 0x1p-10F},
    {"fp6_e3m2", 6, 28.0F, 0.25F, 0.0625F},
    {"fp6_e2m3", 6, 7.5F, 1.0F, 0.125F},
    {"fp4_e2m1", 4, 6.0F, 1.0F, 0.5F},
};

TEST(FloatFormatTest, NumbersOfTheDefiningDocuments) {
  EXPECT_EQ(std::size(kPublished), kFloatFormats.size());
  for (const PublishedFacts& row : kPublished) {
    const std::optional<FloatFormat> format = parse_float_format(row.name);
    ASSERT_TRUE(format.has_value()) << row.name;
    EXPECT_EQ(name_of(*format), row.name);
    EXPECT_EQ(format->storage_bits(), row.storage_bits) << row.name;
    EXPECT_EQ(max_finite(*format), row.max_finite) << row.name;
    EXPECT_EQ(min_normal(*format), row.min_normal) << row.name;
    EXPECT_EQ(to_carrier(1, *format), row.min_subnormal) << row.name;
    EXPECT_EQ(std::ilogb(row.max_finite), format->max_exponent()) << row.name;
    EXPECT_EQ(std::ilogb(row.min_normal), format->emin()) << row.name;
    EXPECT_EQ(std::ilogb(row.min_subnormal), format->quantum_exponent()) << row.name;
  }
}

TEST(FloatFormatTest, GenericNamesAreIeeeStyle) {
  const std::optional<FloatFormat> e6m9 = parse_float_format("e6m9");
  ASSERT_TRUE(e6m9.has_value());
  EXPECT_EQ(*e6m9, (FloatFormat{6, 9, 31, SpecialCodes::kIeee}));
  EXPECT_EQ(name_of(*e6m9), "e6m9");
  EXPECT_EQ(name_of(parse_float_format("e5m10").value()), "fp16");
  EXPECT_EQ(name_of(parse_float_format("e8m23").value()), "fp32");
  EXPECT_EQ(name_of(parse_float_format("e2m1").value()), "e2m1");  // has infinities, unlike fp4_e2m1
}

TEST(FloatFormatTest, OtherNamesAreNot) {
  for (const auto name :
       {"",      "e",    "e5",   "e5m", "m10",   "e1m3",  "e9m3",  "e5m0",  "e5m24", "e05m2", "e5m02",
        "e5m2x", "E5M2", "FP16", "fp8", " fp16", "fp16 ", "e-5m2", "e5m-2", "e5n2",  "e+5m2", "e5m999999999999"}) {
    EXPECT_FALSE(parse_float_format(name).has_value()) << name;
  }
}

TEST(UintFormatTest, NamesAndRanges) {
  EXPECT_EQ(parse_uint_format("uint2"), UintFormat{2});
  EXPECT_EQ(parse_uint_format("uint32"), UintFormat{32});
  for (const char* bad : {"uint", "uint1", "uint33", "uint08", "uint4 ", "int4", "uint-4", "uintx", "uint100"}) {
    EXPECT_FALSE(parse_uint_format(bad)) << bad;
  }
  EXPECT_FALSE(parse_int_format("uint8")) << "hardware computes with signed integers";
  EXPECT_EQ(UintFormat{4}.min(), 0);
  EXPECT_EQ(UintFormat{4}.max(), 15);
  EXPECT_EQ(UintFormat{32}.max(), 4294967295);
  EXPECT_EQ(name_of(UintFormat{6}), "uint6");
}

TEST(IntFormatTest, NamesAndRanges) {
  EXPECT_EQ(parse_int_format("int8"), IntFormat{8});
  EXPECT_EQ(parse_int_format("int32")->max(), std::numeric_limits<std::int32_t>::max());
  EXPECT_EQ(parse_int_format("int32")->min(), std::numeric_limits<std::int32_t>::min());
  EXPECT_EQ(IntFormat{4}.min(), -8);
  EXPECT_EQ(IntFormat{4}.max(), 7);
  EXPECT_EQ(name_of(IntFormat{19}), "int19");
  for (const auto name : {"int", "int1", "int33", "int08", "int8 ", "INT8", "uint8", "int-8", "int100"}) {
    EXPECT_FALSE(parse_int_format(name).has_value()) << name;
  }
}

TEST(CodecTest, BinaryDoublesDecodeExactly) {
  for (const double value : {1.0, -0x1.123456789abcdp-7, 0x1p-1074, 0x0.fffffffffffffp-1022, 0x1.fffffffffffffp1023}) {
    const Unrounded decoded = decode(value);
    EXPECT_EQ(decoded.number_class, NumberClass::kFinite);
    EXPECT_EQ(decoded.negative, value < 0);
    EXPECT_FALSE(decoded.sticky);
    EXPECT_EQ(std::ldexp(static_cast<double>(static_cast<std::uint64_t>(decoded.significand)), decoded.exponent),
              std::fabs(value));
  }
  EXPECT_EQ(decode(-0.0).number_class, NumberClass::kZero);
  EXPECT_TRUE(decode(-0.0).negative);
  EXPECT_EQ(decode(-std::numeric_limits<double>::infinity()).number_class, NumberClass::kInfinity);
  EXPECT_TRUE(decode(-std::numeric_limits<double>::infinity()).negative);
  EXPECT_EQ(decode(std::numeric_limits<double>::quiet_NaN()).number_class, NumberClass::kNan);
}

TEST(CodecTest, RoundCarrierRoundsADoubleOnce) {
  // 1 + 2^-11 + 2^-40: binary32 drops the last bit and leaves a tie, which binary16 would round to even (1.0).
  EventSet events;
  EXPECT_EQ(round_carrier(1.0 + 0x1p-11 + 0x1p-40, {.format = kFp16}, events), 1.0F + 0x1p-10F);
  EXPECT_EQ(events, EventSet{Event::kInexact});
  round_carrier(1e6, {.format = kFp16, .overflow = OverflowPolicy::kSaturate}, events);
  EXPECT_EQ(events, (EventSet{Event::kInexact, Event::kOverflow, Event::kSaturated}));  // added, not replaced
}

TEST(CodecTest, NansAreQuietAndWideCodesAreInternalErrors) {
  EXPECT_EQ(std::bit_cast<std::uint32_t>(to_carrier(0xFFFFFFFF, kFp32)), 0x7FC00000U);
  EXPECT_EQ(std::bit_cast<std::uint32_t>(to_carrier(0x7D, kFp8E5M2)), 0x7FC00000U);
  EXPECT_EQ(from_carrier(std::bit_cast<float>(0xFF800001U), kFp16), 0x7E00U);
  EXPECT_EQ(from_carrier(std::bit_cast<float>(0xFF800001U), kFp32), 0x7FC00000U);
  EXPECT_THROW(decode(0x100, kFp8E4M3), InternalError);
  EXPECT_THROW(from_carrier(std::numeric_limits<float>::infinity(), kFp8E4M3), InternalError);
}

}  // namespace
}  // namespace guardbit::numerics
