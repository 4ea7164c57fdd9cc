#pragma once
/// Random delays of one channel, for the test mode that proves values independent of timing.
#include <cstdint>
#include <optional>

namespace guardbit::sim {

class ChannelNoise {
 public:
  /// Every (seed, channel_index) has its own sequence; without a seed there are no delays.
  ChannelNoise(std::optional<std::uint64_t> seed, std::uint64_t channel_index)
      : enabled_(seed.has_value()), start_(seed.value_or(0) * 0xD1342543DE82EF95u + channel_index), state_(start_) {}

  void restart() { state_ = start_; }

  /// Cycles to delay the next transfer: 0 in three of four cases, else 1 .. 16.
  std::uint64_t next_cycles() {
    if (!enabled_) return 0;
    const std::uint64_t bits = next_bits();
    return (bits & 3) != 0 ? 0 : 1 + ((bits >> 2) & 15);
  }

 private:
  std::uint64_t next_bits() {  // splitmix64 (Steele, Lea, Flood 2014)
    std::uint64_t z = (state_ += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
  }

  bool enabled_;
  std::uint64_t start_;
  std::uint64_t state_;
};

}  // namespace guardbit::sim
