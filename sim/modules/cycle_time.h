#pragma once
/// One cycle is one nanosecond of simulated time; nothing else in the machine knows that.
#include <cmath>
#include <cstdint>
#include <systemc>

namespace guardbit::sim {

inline sc_core::sc_time::value_type cycle_value() {
  static const sc_core::sc_time::value_type value = sc_core::sc_time(1, sc_core::SC_NS).value();
  return value;
}
inline sc_core::sc_time time_of_cycles(std::uint64_t cycles) {
  return sc_core::sc_time::from_value(cycles * cycle_value());
}
/// The cycle in which `time` lies.
inline std::uint64_t cycle_of(const sc_core::sc_time& time) { return time.value() / cycle_value(); }
inline std::uint64_t now_cycle() { return cycle_of(sc_core::sc_time_stamp()); }

/// Occupancy of buses and ports is kept in 2^-20 of a cycle, so that a bandwidth need not divide a burst.
inline constexpr int kTickBits = 20;
inline constexpr std::uint64_t ticks_of_cycles(std::uint64_t cycles) { return cycles << kTickBits; }
inline constexpr std::uint64_t cycles_of_ticks_up(std::uint64_t ticks) {
  return (ticks + (std::uint64_t{1} << kTickBits) - 1) >> kTickBits;
}
/// Ticks that `bytes` occupy a channel, rounded up: a transfer is never faster than its bandwidth.
inline std::uint64_t ticks_of_bytes(std::uint64_t bytes, double bytes_per_cycle) {
  return static_cast<std::uint64_t>(
      std::ceil(static_cast<double>(bytes) * static_cast<double>(std::uint64_t{1} << kTickBits) / bytes_per_cycle));
}

}  // namespace guardbit::sim
