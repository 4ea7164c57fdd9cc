#pragma once
/// What the sequencer sends to the units. A command says what is to be done (its shape) and carries the function that
/// does it; the unit decides how many cycles that takes and spends them.
#include <cstdint>
#include <functional>
#include <optional>
#include <variant>
#include <vector>

#include "sim/stats/result.h"

namespace guardbit::sim {

/// Dependency tokens are numbered by their producer: a token is available once the command that signals it is done.
/// Numbers are dense (0, 1, 2, ... in program order is best): the machine keeps 12 bytes for every number up to the
/// largest. A token that no command signals is never available.
using TokenId = std::uint32_t;

/// DRAM <-> scratchpad transfer.
struct DmaWork {
  std::uint64_t address = 0;
  std::uint64_t bytes = 0;
};

/// c (M, N) += a (M, K) b (K, N) on the array.
struct MatrixWork {
  std::uint64_t m = 0;
  std::uint64_t n = 0;
  std::uint64_t k = 0;
  std::uint32_t cycles_per_mac = 1;
  std::uint32_t latency_cycles = 1;  ///< of the PE's accumulator
  std::uint32_t interleave = 1;
  std::uint32_t pipeline_cycles = 0;  ///< stages in front of the PE's accumulator: levels of a reduction tree x latency
  std::uint64_t chunk = 0;  ///< products per sum that leaves a PE (os) or a column; 0: all of K (os), the column
  /// What `chunk` would be without the scales of smoothing groups, if these make more chunks.
  std::optional<std::uint64_t> chunk_without_groups = std::nullopt;
  bool first_of_op = true;  ///< pays the array's fill (overlap policy)
  bool last_of_op = true;   ///< pays the array's drain (overlap policy)

  /// Sums per result that go to the outer accumulator; 0: there is none.
  std::uint64_t outer_updates() const { return chunk == 0 ? 0 : (k + chunk - 1) / chunk; }
};

/// Rows of a norm.
struct NormWork {
  std::uint64_t rows = 0;
  std::uint64_t hidden_size = 0;
  bool layer_norm = true;       ///< false: RMSNorm
  bool scale_multiply = false;  ///< a static scale that is not a power of two: one more pipeline stage
  bool dynamic_scale = false;   ///< a row's largest magnitude is found first and divides it
  std::uint32_t rsqrt_newton_steps = 0;
};

/// Element-wise and reduction work in the vector unit; passes are over `elements` elements.
struct VectorWork {
  std::uint64_t elements = 0;
  std::uint32_t passes = 1;         ///< reads of the elements at `lanes` per cycle
  std::uint32_t cache_passes = 0;   ///< of the passes: those that dequantize keys and values of an integer cache
  std::uint32_t exp_passes = 0;     ///< passes that evaluate an exponential (initiation interval exp_cycles)
  std::uint64_t exponentials = 0;   ///< beyond the passes: each one with a multiplication, in any lane
  std::uint32_t lanes = 0;          ///< 0: [vector] lanes; smoothing passes use [smooth] lanes
  std::uint64_t sort_elements = 0;  ///< channel maxima to sort (bitonic network), 0: none
};

/// Hadamard transform of `rows` vectors: blocks of `size` elements.
struct RotateWork {
  std::uint64_t rows = 0;
  std::uint64_t width = 0;  ///< elements per row
  std::uint64_t size = 0;   ///< transform length: its power-of-two part is butterflies, the rest a dense product
};

using Work = std::variant<DmaWork, MatrixWork, NormWork, VectorWork, RotateWork>;

struct Command {
  UnitKind unit = UnitKind::kLoad;
  std::uint32_t op_index = 0;         ///< for the account by op
  Purpose purpose = Purpose::kOther;  ///< for the account by purpose and the reasons of those who wait for it
  Work work;
  std::vector<TokenId> waits;                    ///< all must be available before the command starts
  TokenId signals = 0;                           ///< unique per run
  std::uint64_t allocate_bytes = 0;              ///< scratchpad space taken before the command starts
  std::vector<std::uint64_t> frees;              ///< scratchpad bytes given back when it is done
  std::uint64_t allocate_accumulator_bytes = 0;  ///< accumulator buffer space taken before the command starts
  std::uint64_t free_accumulator_bytes = 0;      ///< accumulator buffer space given back when it is done
  std::function<void()> compute;  ///< the values: one call into models/units, no simulated time; may be empty
};

/// Where the sequencer takes its commands from, in program order, one at a time: long programs need not be in memory at
/// once. Space is reserved in program order and queues are in order, so a program that can run command by command in
/// this order (every wait names an earlier command, space suffices) can never deadlock.
class CommandSource {
 public:
  virtual ~CommandSource() = default;
  /// Fills `command`, which arrives empty (but may have capacity to reuse); false at the end of the program. Called
  /// when the sequencer can issue, that is up to the units' queues ahead of execution. Exceptions end the run.
  virtual bool next(Command& command) = 0;
};

}  // namespace guardbit::sim
