#include "sim/sweep/sampling.h"

#include <numeric>
#include <set>
#include <utility>

#include "models/numerics/random_bits.h"

namespace guardbit::sim {
namespace {

enum class Use : std::uint32_t { kDraw, kShuffle };

/// Uniform in [0, limit): the high word of a 64-bit random number times the limit; off by less than limit / 2^64.
std::uint64_t random_below(std::uint64_t limit, std::uint64_t seed, std::uint64_t index, std::uint32_t dimension,
                           Use use) {
  const auto words = numerics::philox4x32({static_cast<std::uint32_t>(index), static_cast<std::uint32_t>(index >> 32),
                                           dimension, static_cast<std::uint32_t>(use)},
                                          {static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)});
  const std::uint64_t random = static_cast<std::uint64_t>(words[0]) << 32 | words[1];
  __extension__ using Wide = unsigned __int128;
  return static_cast<std::uint64_t>(static_cast<Wide>(random) * limit >> 64);
}

}  // namespace

std::vector<Coordinates> random_sample(std::span<const std::size_t> sizes, std::uint64_t num_points, std::uint64_t seed,
                                       const std::function<bool(const Coordinates&)>& keep) {
  std::vector<Coordinates> sample;
  std::set<Coordinates> seen;
  Coordinates point(sizes.size());
  for (std::uint64_t draw = 0; sample.size() < num_points && draw / kMaxDrawsPerPoint < num_points; ++draw) {
    for (std::size_t dimension = 0; dimension < sizes.size(); ++dimension) {
      point[dimension] = static_cast<std::uint32_t>(
          random_below(sizes[dimension], seed, draw, static_cast<std::uint32_t>(dimension), Use::kDraw));
    }
    if (seen.insert(point).second && keep(point)) sample.push_back(point);
  }
  return sample;
}

std::vector<Coordinates> latin_hypercube(std::span<const std::size_t> sizes, std::uint64_t num_points,
                                         std::uint64_t seed, const std::function<bool(const Coordinates&)>& keep) {
  std::vector<Coordinates> points(num_points, Coordinates(sizes.size()));
  std::vector<std::uint64_t> order(num_points);
  for (std::size_t dimension = 0; dimension < sizes.size(); ++dimension) {
    std::iota(order.begin(), order.end(), std::uint64_t{0});
    for (std::uint64_t last = num_points; last > 1; --last) {  // Fisher and Yates
      const std::uint64_t other = random_below(last, seed, last, static_cast<std::uint32_t>(dimension), Use::kShuffle);
      std::swap(order[last - 1], order[other]);
    }
    for (std::uint64_t index = 0; index < num_points; ++index) {
      points[index][dimension] = static_cast<std::uint32_t>(order[index] * sizes[dimension] / num_points);
    }
  }
  std::vector<Coordinates> sample;
  std::set<Coordinates> seen;
  for (Coordinates& point : points) {
    if (seen.insert(point).second && keep(point)) sample.push_back(std::move(point));
  }
  return sample;
}

}  // namespace guardbit::sim
