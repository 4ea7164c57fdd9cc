#pragma once
/// Seeded samples of a product of dimensions, as a pure function of seed and sizes: the same points on every machine.
/// Random numbers: Philox4x32-10, key = seed, counter = (index, index >> 32, dimension, use).
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace guardbit::sim {

/// One index per dimension.
using Coordinates = std::vector<std::uint32_t>;

/// Up to `num_points` different coordinates for which keep() holds, each drawn uniformly, in the order of drawing;
/// fewer if kMaxDrawsPerPoint draws a point do not find them.
[[nodiscard]] std::vector<Coordinates> random_sample(std::span<const std::size_t> sizes, std::uint64_t num_points,
                                                     std::uint64_t seed,
                                                     const std::function<bool(const Coordinates&)>& keep);
inline constexpr std::uint64_t kMaxDrawsPerPoint = 1000;

/// Latin hypercube of `num_points` strata: in every dimension of L values, each value occurs floor(n/L) or ceil(n/L)
/// times, in an order of its own (McKay, Beckman and Conover 1979, for discrete variables). Coordinates may occur
/// twice; keep() that fails leaves a gap: both are left out, so fewer points may come back.
[[nodiscard]] std::vector<Coordinates> latin_hypercube(std::span<const std::size_t> sizes, std::uint64_t num_points,
                                                       std::uint64_t seed,
                                                       const std::function<bool(const Coordinates&)>& keep);

}  // namespace guardbit::sim
