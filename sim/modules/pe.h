#pragma once
/// One processing element, a clocked process. docs/timing.md, "PE fidelity", says what each register is.
///
///   left  ── a ──> [a] ──> right             os                       ws, is
///                   |                        b        operand         operand that stays in a PE below
///   above ── b ──> [b] ──> below             sum      shadow register  partial sum
///                   |
///          multiplier, reduction tree (pipeline)
///                   |
///          adder (latency) <── accumulators (os), sum from above (ws, is)
#include <algorithm>
#include <systemc>
#include <vector>

#include "sim/modules/pe_registers.h"
#include "sim/modules/pe_run.h"

namespace guardbit::sim {

/// Where a PE is and what it is wired to.
struct PeWiring {
  std::uint32_t row = 0;
  std::uint32_t col = 0;
  const Operand* left = nullptr;
  const Operand* above = nullptr;
  const Sum* sum_above = nullptr;  ///< null: the first row
  const PeRegisters* now = nullptr;
  PeRegisters* next = nullptr;
  const ColumnRegisters* column = nullptr;
  ColumnRegisters* column_next = nullptr;
};

class Pe : public sc_core::sc_module {
 public:
  SC_HAS_PROCESS(Pe);
  Pe(const sc_core::sc_module_name& name, PeRun& run, const PeWiring& wiring, sc_core::sc_event& clock_edge);

  /// Sizes the delay lines for the run's PE and empties every register that only the PE sees. A PE that is elaborated
  /// but not part of the run's array has no clock.
  void begin_run();
  const arith::AccumulationEvents& events() const { return events_; }

  /// For waveforms: an addition is in the adder; the sum that left it last; ws, is: the operand in use.
  bool is_adding() const {
    return std::any_of(adder_.begin(), adder_.end(), [](const Result& result) { return result.sum.fold != nullptr; });
  }
  units::SumBits last_sum() const { return last_sum_; }
  const Operand& held() const { return stationary_; }

 private:
  /// Both operands of a step between its start and its addition.
  struct Pair {
    Operand a;
    Operand b;
  };
  /// An addition in the adder.
  struct Result {
    Sum sum;
    std::uint32_t accumulator = 0;  ///< os
    bool finished = false;          ///< os: the chunk's sum
  };
  struct Accumulator {
    units::SumBits word = 0;
    std::uint64_t ready_cycle = 0;  ///< from which on the adder may read it
  };
  /// os, interleave > 1: the additions of a chunk's other accumulators to its first one.
  struct Merges {
    const PeFold* fold = nullptr;
    std::uint32_t step = 0;  ///< the chunk's last
    std::uint32_t next = 0;  ///< accumulator
    std::uint64_t due_cycle = 0;
  };

  void run();
  Pair start_step(const Operand& b);
  void retire();

  units::SumBits multiply_add(units::SumBits sum, const Pair& pair, std::uint32_t count);
  bool at_origin() const { return wiring_.row == 0 && wiring_.col == 0; }

  void step_output_stationary();
  void move_sums();
  void accumulate(const Pair& pair);
  void merge();
  void load_shadow_register(const Sum& sum);
  bool leaves(const Sum& sum) const { return sum.fold != nullptr && (sum.moving || wiring_.column->release); }

  void step_flowing_down();
  void take_stationary(const Operand& activation);
  void add_to_sum_above(const Pair& pair);

  std::uint32_t accumulator_set(const PeFold& fold, std::uint32_t chunk) const;
  units::PePlace place(const PeFold& fold, std::uint32_t index) const;

  PeRun& run_;
  sc_core::sc_process_handle process_;
  const PeWiring wiring_;
  arith::AccumulationEvents events_;
  std::uint64_t multiplier_free_cycle_ = 0;
  DelayLine<Pair> products_;
  std::vector<Result> adder_;  // (latency)
  bool adder_taken_ = false;   ///< in this cycle
  units::SumBits last_sum_ = 0;
  std::vector<Accumulator> accumulators_;  // (interleave, or twice that)
  Merges merges_;
  Operand stationary_;          ///< ws, is: in use
  Operand waiting_;             ///< ws, is: of the next fold
  DelayLine<Operand> passing_;  ///< ws, is: operands for PEs below
};

}  // namespace guardbit::sim
