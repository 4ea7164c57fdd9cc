#pragma once
/// One product on the described array: bits, events, error and cycles. What `guardbit gemm` does.
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "models/numerics/float_format.h"
#include "models/numerics/matrix.h"
#include "sim/config/accelerator.h"
#include "sim/modules/wave_options.h"
#include "sim/probe/operand_source.h"
#include "sim/stats/probe_result.h"

namespace guardbit::sim {

struct GemmOptions {
  std::uint64_t m = 0;  ///< 1 .. kMaxGemmSize each
  std::uint64_t n = 0;
  std::uint64_t k = 0;
  OperandSource a;           ///< (M, K): activations
  OperandSource b;           ///< (K, N): weights
  bool transpose_b = false;  ///< b's file holds (N, K)
  std::uint64_t seed = 0;    ///< of generated operands and of stochastic rounding
  numerics::EventSet wanted = numerics::EventSet::all();
  std::optional<WaveOptions> wave{};  ///< of the machine while it does the product
  bool stepped = false;               ///< PE fidelity: values and cycles of the array stepped PE by PE
  std::string preset;                 ///< published accumulator (product_mode.h); empty: as configured
  bool values = true;                 ///< false: cycles alone
  bool error = true;                  ///< compare with the exact sums
  bool reference = false;             ///< run models/arith as well and compare bits and events
  std::filesystem::path output;       ///< .npy for C (M, N) in binary32; empty: none
  numerics::ParallelFor parallel_for;
  /// Makes of parallel_for the loops of a phase, so that somebody can count them; none: nobody does.
  std::function<numerics::ParallelFor(const numerics::ParallelFor& loops, const std::string& phase)> counted;
  /// Told C and the format of its elements; none: nobody listens.
  std::function<void(const numerics::FloatFormat&, const numerics::Matrix<float>&)> on_output;
};

inline constexpr std::uint64_t kMaxGemmSize = 1 << 20;

/// C = A B with the operands, accumulator and array of `accelerator` ([array], [accumulator]).
///
/// Operands are brought into the operand formats first (stages operand or quantizer). C is what leaves the accumulator:
/// the scales of integer and dynamically scaled operands are not applied, so that errors are in units of the scaled
/// operands and are the accumulation's alone. Exact sums are over the operands as held.
/// With options.stepped or options.wave the array is elaborated, which SystemC allows once per process.
/// UserError: kUsage for a size out of range, kRefused if it does not fit in memory, errors of operand files, of the
/// output and of the waveforms (wave_recorder.h).
[[nodiscard]] GemmResult gemm_probe(const LoadedAccelerator& accelerator, const GemmOptions& options);

}  // namespace guardbit::sim
