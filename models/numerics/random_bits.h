#pragma once
/// Random bits for stochastic rounding, as a pure function of where they are used, so that no result depends on
/// threads, order or vector width.
///
/// An array of PEs shares one generator per row and one per column, as hardware would, and a PE combines them:
///     bits(row, column, step) = row_word(row, step) XOR column_word(column, step)
/// Each word comes from Philox4x32-10 (Salmon et al., SC 2011, "Parallel random numbers: as easy as 1, 2, 3") with
/// key = (seed), counter = (index, step, unit, 0 for rows / 1 for columns), first output word. Every PE's bits are
/// uniform and independent over steps; the four corners of a rectangle of PEs XOR to zero within one step.
/// Test: tests/unit/random_bits_test.cpp (Random123 known answers).
#include <array>
#include <cstdint>

namespace guardbit::numerics {

/// Philox4x32 with 10 rounds: four words from a 128-bit counter and a 64-bit key.
std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter, std::array<std::uint32_t, 2> key);

/// One generator of the simulated hardware.
struct RandomStream {
  std::uint64_t seed = 0;
  std::uint32_t unit = 0;  ///< distinguishes units and stages

  std::uint32_t row_word(std::uint32_t row, std::uint32_t step) const;
  std::uint32_t column_word(std::uint32_t column, std::uint32_t step) const;
  /// 32 bits, of which a rounding uses the low FloatSpec::random_bits.
  std::uint32_t operator()(std::uint32_t row, std::uint32_t column, std::uint32_t step) const {
    return row_word(row, step) ^ column_word(column, step);
  }
};

}  // namespace guardbit::numerics
