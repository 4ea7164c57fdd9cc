#pragma once
/// Cycles of every kind of work except DMA transfers, as closed forms of the described hardware. Plain C++ without
/// SystemC: the units spend what these functions say. Derivations: docs/timing.md; tests/system/timing_test.cpp
/// compares them with machines stepped cycle by cycle.
#include <cstdint>
#include <string_view>

#include "models/units/accelerator_config.h"
#include "sim/modules/command.h"

namespace guardbit::sim {

/// Cycles of one addition or fused multiply-add in a format: integers 1, 8-bit floats and narrower 2, up to 16 bits 3,
/// wider 4. `format_name` is a registered float format, eXmY or intN.
std::uint32_t default_latency_cycles(std::string_view format_name);

/// What one step (dot_width products) of a PE costs, from the sections that describe it.
struct PeTiming {
  std::uint32_t cycles_per_mac = 1;
  std::uint32_t latency_cycles = 1;  ///< until the next step may use the sum
  std::uint32_t interleave = 1;
  std::uint32_t pipeline_cycles = 0;  ///< in front of the accumulator and behind it: not between two steps
};
/// By reduce, with dot_width W and the latency L of an addition in the accumulator's format; docs/timing.md:
///   sequential  a chain of W additions between two steps
///   tree        L log2 W cycles in front; one addition between two steps
///   aligned     log2 W in front (the largest exponent), one addition of W + 1 terms between two steps; without
///               align_accumulator 2 log2 W + 1 in front (exponents, shift, sum)
///   fixed       a chain of W additions of one cycle between two steps; behind the last, L to round the sum
PeTiming pe_timing(const units::ArrayConfig& array, const units::OperandConfig& operands,
                   const units::AccumulatorConfig& accumulator);

/// A GEMM on the array. `cycles` is what the command is charged; the rest says what it is made of.
struct MatrixTiming {
  std::uint64_t cycles = 0;
  std::uint64_t folds = 0;
  std::uint64_t cycles_per_fold =
      0;                       ///< serial: of the first (largest) fold, cycles = folds * cycles_per_fold unless
                               ///< edge = used makes ragged folds cheaper; overlap: of a full fold behind another
  std::uint64_t stream = 0;    ///< steps of the first fold with their initiation interval and promotions
  std::uint64_t pipeline = 0;  ///< part of a fold that only a deeper PE pipeline adds (0 if a MAC takes 1 cycle)
};
MatrixTiming matrix_timing(const MatrixWork& work, const units::ArrayConfig& array);

std::uint64_t norm_cycles(const NormWork& work, const units::NormConfig& norm);
std::uint64_t vector_cycles(const VectorWork& work, const units::VectorConfig& vector);
/// Of a Hadamard transform's size: the factor done as a dense product; the rest is butterflies. Matrices of an order
/// with an odd factor q have order 4q at least: two levels go into the dense factor.
std::uint64_t hadamard_dense_factor(std::uint64_t size);
std::uint64_t rotate_cycles(const RotateWork& work, const units::RotateConfig& rotate);

/// Cycles of `work` on the unit that does it; DMA work is not a closed form and yields 0.
std::uint64_t work_cycles(const Work& work, const units::AcceleratorConfig& config);

}  // namespace guardbit::sim
