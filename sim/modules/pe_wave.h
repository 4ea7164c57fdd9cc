#pragma once
/// Waveforms of the stepped array. A product is stepped within one moment of simulated time; what its registers held is
/// kept, edge by edge, and shown while the matrix unit spends the counted cycles. Shown are exactly these: not the
/// cycles before the first operand is in PE (0, 0), nor those in which sums leave the array behind the count
/// (docs/timing.md, "Waveforms").
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <systemc>
#include <utility>
#include <vector>

#include "sim/modules/pe_array.h"
#include "sim/modules/wave_recorder.h"

namespace guardbit::sim {

class PeWave : public sc_core::sc_module {
 public:
  SC_HAS_PROCESS(PeWave);
  /// Records the array's selected signals; both outlive it. Before simulation starts.
  PeWave(const sc_core::sc_module_name& name, PeArray& array, WaveRecorder& recorder);

  /// A product that will take `cycles` from now is about to be stepped.
  void begin(std::uint64_t cycles);
  /// At every edge of the array's clock.
  void sample();
  /// The product has been stepped: its cycles are shown from now on. UserError kRefused if more has changed than memory
  /// should hold.
  void end();

 private:
  enum class What : std::uint8_t {
    kFold,
    kAValid,
    kA,
    kBValid,
    kB,
    kSumValid,
    kSum,
    kHeldValid,
    kHeld,
    kAdding,
    kAccumulator
  };
  struct Signal {
    What what = What::kFold;
    std::uint32_t pe = 0;
    std::uint64_t sampled = 0;  ///< at the last edge
    std::uint64_t shown = 0;    ///< traced
  };
  using Changes = std::vector<std::pair<std::uint32_t, std::uint64_t>>;  ///< signal, value
  struct Edge {
    std::uint64_t interval = 0;  ///< cycles counted before the interval that this edge belongs to
    std::uint64_t offset = 0;    ///< in the interval
    bool counted = false;        ///< an interval has begun
    Changes changes{};
  };

  void add(WaveRecorder& recorder, const std::string& name, What what, std::uint32_t pe, int width_bits);
  std::uint64_t value_of(const Signal& signal) const;
  static std::uint64_t idle_value(What what) { return what == What::kFold ? kNoFold : 0; }
  void show();

  static constexpr std::uint64_t kNoFold = 0xFFFFFFFF;

  PeArray& array_;
  const WaveOptions options_;
  std::deque<Signal> signals_;  // selected; addresses stay
  bool sampling_ = false;
  std::size_t num_changes_ = 0;
  std::vector<Edge> edges_;                   ///< of the product that is being stepped
  std::map<std::uint64_t, Changes> to_show_;  ///< by cycle
  std::uint64_t start_cycle_ = 0;
  sc_core::sc_event show_;
};

}  // namespace guardbit::sim
