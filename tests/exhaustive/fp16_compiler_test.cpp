// Binary16 against the compiler's _Float16 (round to nearest even): every code, every rounding boundary, every pair of
// a structured set of operands. One binary32 operation on binary16 operands rounds innocuously (24 >= 2 * 11 + 2).
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <random>

#include "models/arith/float_ops.h"
#include "models/numerics/codec.h"

namespace guardbit::tests {
namespace {

using numerics::FloatSpec;
using numerics::kFp16;
using numerics::kFp32;

__extension__ using Half = _Float16;

constexpr std::uint32_t kNumCodes = 1u << 16;
constexpr std::uint32_t kNan = 0x7E00;

Half half_of(std::uint32_t code) { return std::bit_cast<Half>(static_cast<std::uint16_t>(code)); }
std::uint32_t code_of(Half value) {
  return std::isnan(static_cast<float>(value)) ? kNan : std::bit_cast<std::uint16_t>(value);
}

TEST(Fp16CompilerTest, EveryCodeDecodesAsTheCompilerDoes) {
  for (std::uint32_t code = 0; code < kNumCodes; ++code) {
    const auto expected = static_cast<float>(half_of(code));
    const float actual = numerics::to_carrier(code, kFp16);
    if (std::isnan(expected)) {
      EXPECT_EQ(std::bit_cast<std::uint32_t>(actual), 0x7FC00000U) << std::hex << code;
    } else {
      EXPECT_EQ(std::bit_cast<std::uint32_t>(actual), std::bit_cast<std::uint32_t>(expected)) << std::hex << code;
      EXPECT_EQ(numerics::from_carrier(actual, kFp16), code) << std::hex << code;
    }
  }
}

void expect_conversion(float x) {
  const std::uint32_t actual = arith::convert(std::bit_cast<std::uint32_t>(x), kFp32, {.format = kFp16}).code;
  ASSERT_EQ(actual, code_of(static_cast<Half>(x))) << std::hex << actual << " from " << std::hexfloat << x;
}

TEST(Fp16CompilerTest, EveryValueAndMidpointAndTheirNeighboursConvertAsTheCompilerDoes) {
  for (std::uint32_t code = 0; code < 0x7C00; ++code) {
    const float value = numerics::to_carrier(code, kFp16);
    const float next = code == 0x7BFF ? 65536.0F : numerics::to_carrier(code + 1, kFp16);
    for (const float x : {value, (value + next) / 2}) {
      for (const float y : {std::nextafter(x, -1.0F), x, std::nextafter(x, 1e9F)}) {
        expect_conversion(y);
        expect_conversion(-y);
      }
    }
  }
}

TEST(Fp16CompilerTest, RandomBinary32CodesConvertAsTheCompilerDoes) {
  std::mt19937 random(7);
  for (int i = 0; i < 1 << 18; ++i) expect_conversion(std::bit_cast<float>(static_cast<std::uint32_t>(random())));
}

TEST(Fp16CompilerTest, SumsAndProductsOfStructuredPairs) {
  // Every exponent with the significand fields around its ends and middle, both signs.
  std::vector<std::uint32_t> codes;
  for (std::uint32_t exponent = 0; exponent < 32; ++exponent) {
    for (const std::uint32_t field : {0x000u, 0x001u, 0x155u, 0x1FFu, 0x200u, 0x201u, 0x3FEu, 0x3FFu}) {
      codes.push_back(exponent << 10 | field);
      codes.push_back(0x8000 | exponent << 10 | field);
    }
  }
  const FloatSpec spec{.format = kFp16};
  for (const std::uint32_t a : codes) {
    for (const std::uint32_t b : codes) {
      ASSERT_EQ(arith::add(a, b, kFp16, spec).code, code_of(half_of(a) + half_of(b))) << std::hex << a << " + " << b;
      ASSERT_EQ(arith::multiply(a, b, kFp16, spec).code, code_of(half_of(a) * half_of(b)))
          << std::hex << a << " * " << b;
    }
  }
}

}  // namespace
}  // namespace guardbit::tests
