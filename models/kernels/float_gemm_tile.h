#pragma once
/// The target-dependent half of the float GEMM behind dynamic dispatch: packing and tiles. Driven by float_gemm.cpp.
#include "models/kernels/float_gemm_plan.h"

namespace guardbit::kernels {

/// Computes one tile into job.result and adds its events to *job.events.
void run_tile(const TileJob& job);

/// The general kernel of adder trees for one chunk; `acc` (kTileRows, kTileCols) holds the accumulators.
void run_exact_tree(const TileJob& job, const KChunk& chunk, float* acc);

/// Packs the rows of `source` (at most `width`) k-major into values (K, width) in the plan's order, padded with +0, and
/// summarises blocks.
void pack_panel(numerics::MatrixView<const float> source, std::size_t width, const GemmPlan& plan, PackedPanel& panel);

/// Random words of the rows or columns [first_index, first_index + width) for steps [0, num_steps): (num_steps, width).
/// The same as RandomStream's, masked and then shifted left.
struct RandomWords {
  numerics::RandomStream stream;
  std::uint32_t first_index = 0;
  std::size_t width = kTileRows;
  bool is_row = true;
  std::uint32_t mask = 0xFFFFFFFF;
  int shift = 0;
};
void random_words(const RandomWords& which, std::size_t num_steps, std::uint32_t* words);

}  // namespace guardbit::kernels
