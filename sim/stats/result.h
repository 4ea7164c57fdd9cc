#pragma once
/// What a replay yields, in plain data; reports print it, nothing here computes.
#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "models/numerics/events.h"

namespace guardbit::sim {

/// The hardware units, in report order.
enum class UnitKind : std::uint8_t { kLoad, kMatrix, kNorm, kVector, kRotate, kStore };
inline constexpr std::size_t kNumUnits = 6;
inline constexpr std::array<std::string_view, kNumUnits> kUnitNames = {"load",   "matrix", "norm",
                                                                       "vector", "rotate", "store"};

/// Where the cycles of one unit went; the five sum to the run's total.
struct UnitCycles {
  std::uint64_t busy = 0;
  std::uint64_t input_stall = 0;   ///< waiting for data that a load DMA brings
  std::uint64_t output_stall = 0;  ///< waiting for scratchpad space
  std::uint64_t token_wait = 0;    ///< waiting for another unit's result
  std::uint64_t idle = 0;          ///< no command
  std::uint64_t total() const { return busy + input_stall + output_stall + token_wait + idle; }
  friend bool operator==(const UnitCycles&, const UnitCycles&) = default;
};

/// Cycle account of one run (one variant over all windows) of the machine.
struct CycleReport {
  struct OpCycles {
    std::uint64_t start = 0;  ///< of its first command, relative to the run
    std::uint64_t end = 0;    ///< of its last command
    std::array<std::uint64_t, kNumUnits> busy{};
    std::uint64_t dram_bytes = 0;
  };
  std::uint64_t total = 0;
  std::array<UnitCycles, kNumUnits> units{};
  std::vector<OpCycles> ops;  ///< by op index; with several windows: busy and bytes add up
  std::uint64_t scratchpad_peak_bytes = 0;
};

struct OpResult {
  std::string name;
  std::string kind;
  numerics::EventLedger events;
  std::uint64_t cycles = 0;  ///< busy cycles of all units for this op, summed
  std::array<std::uint64_t, kNumUnits> unit_cycles{};
  std::uint64_t macs = 0;
  std::uint64_t dram_bytes = 0;
  double sqnr_db = 0;  ///< 10 log10(sum ref^2 / sum (ref - simulated)^2) over all windows; +inf if equal
  double max_abs = 0;  ///< largest finite magnitude of the simulated output
  double reference_max_abs = 0;
  std::optional<double> norm_scale;  ///< static scale s of a norm, if one is applied
  std::string output_sha256;  ///< over the op's output carriers of all windows (binary32, little endian, row major)
};

/// What the passes of one phase (prefill, decode) cost, over all windows; passes run one after the other.
struct PhaseResult {
  std::string name;
  std::uint64_t passes = 0;
  std::uint64_t tokens = 0;
  std::uint64_t cycles = 0;
  std::uint64_t macs = 0;
  std::uint64_t dram_bytes = 0;
  std::array<std::uint64_t, kNumUnits> busy{};
};

struct VariantResult {
  std::string name;
  double perplexity = 0;      ///< NaN if logits are not finite
  double sqnr_db = 0;         ///< of the logits
  double top1_agreement = 0;  ///< fraction of positions whose largest logit is the reference's
  numerics::EventCounts events;
  std::uint64_t macs = 0;
  double utilization = 0;  ///< MACs / (matrix PEs * dot_width * total cycles)
  CycleReport cycles;
  std::vector<PhaseResult> phases;  ///< prefill and decode, if tokens were decoded; else empty
  std::vector<OpResult> ops;
  std::string digest;  ///< SHA-256 over all ops' output_sha256, events by stage, cycles by unit, and total cycles
};

/// One replay of a trace on an accelerator.
struct ReplayResult {
  std::map<std::string, std::string>
      provenance;  ///< version, commit, compiler, vector target, config hash, input hashes, seed
  std::string trace_name;
  std::uint64_t num_windows = 0;
  std::uint64_t num_tokens = 0;
  std::string mode;  ///< "closed_loop" | "open_loop"
  double residual_gain = 1;
  double channel_gain = 1;
  std::int64_t channels = 0;
  std::string accelerator_name;
  std::map<std::string, std::string> accelerator_keys;  ///< resolved configuration, full key -> value text
  double clock_mhz = 0;
  double reference_perplexity = 0;  ///< of the fp32 forward
  std::vector<VariantResult> variants;
};

}  // namespace guardbit::sim
