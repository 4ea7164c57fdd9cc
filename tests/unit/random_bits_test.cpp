#include "models/numerics/random_bits.h"

#include <gtest/gtest.h>

#include <bit>

namespace guardbit::numerics {
namespace {

using Words = std::array<std::uint32_t, 4>;

/// Random123 1.14.0, tests/kat_vectors, the rows "philox4x32 10".
TEST(PhiloxTest, KnownAnswersOfRandom123) {
  EXPECT_EQ(philox4x32({0, 0, 0, 0}, {0, 0}), (Words{0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8}));
  EXPECT_EQ(philox4x32({0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF}, {0xFFFFFFFF, 0xFFFFFFFF}),
            (Words{0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD}));
  EXPECT_EQ(philox4x32({0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344}, {0xA4093822, 0x299F31D0}),
            (Words{0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1}));
}

TEST(RandomStreamTest, WordsAreThePhiloxOutputsThatTheHeaderNames) {
  const RandomStream stream{.seed = 0x299F31D0A4093822, .unit = 7};
  EXPECT_EQ(stream.row_word(3, 11), philox4x32({3, 11, 7, 0}, {0xA4093822, 0x299F31D0})[0]);
  EXPECT_EQ(stream.column_word(3, 11), philox4x32({3, 11, 7, 1}, {0xA4093822, 0x299F31D0})[0]);
  EXPECT_EQ(stream(3, 5, 11), stream.row_word(3, 11) ^ stream.column_word(5, 11));
}

TEST(RandomStreamTest, EveryCoordinateChangesTheBits) {
  const RandomStream stream{.seed = 1, .unit = 2};
  const std::uint32_t bits = stream(3, 4, 5);
  EXPECT_NE(bits, stream(4, 4, 5));
  EXPECT_NE(bits, stream(3, 5, 5));
  EXPECT_NE(bits, stream(3, 4, 6));
  EXPECT_NE(bits, (RandomStream{.seed = 2, .unit = 2}(3, 4, 5)));
  EXPECT_NE(bits, (RandomStream{.seed = std::uint64_t{1} << 32 | 1, .unit = 2}(3, 4, 5)));
  EXPECT_NE(bits, (RandomStream{.seed = 1, .unit = 3}(3, 4, 5)));
}

/// A tolerance from the binomial distribution: 32 * 65536 fair bits have a standard deviation of 724; six of them.
TEST(RandomStreamTest, OnesAreHalfOfTheBits) {
  const RandomStream stream{.seed = 42, .unit = 0};
  constexpr int kNumWords = 65536;
  int num_ones = 0;
  for (std::uint32_t step = 0; step < kNumWords; ++step) num_ones += std::popcount(stream(step % 16, step % 7, step));
  EXPECT_NEAR(num_ones, 16 * kNumWords, 6 * 724);
}

}  // namespace
}  // namespace guardbit::numerics
