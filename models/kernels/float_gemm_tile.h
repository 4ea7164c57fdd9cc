#pragma once
/// The target-dependent half of the float GEMM behind dynamic dispatch: packing and tiles. Driven by float_gemm.cpp.
#include "models/kernels/float_gemm_plan.h"

namespace guardbit::kernels {

/// Computes one tile into job.result and adds its events to *job.events.
void run_tile(const TileJob& job);

/// The general kernel of adder trees for one chunk; `acc` (kTileRows, kTileCols) holds the accumulators.
void run_exact_tree(const TileJob& job, std::size_t chunk_index, float* acc);

/// Packs the rows of `source` (at most `width`) k-major into values (K, width), padded with +0, and summarises blocks.
void pack_panel(numerics::MatrixView<const float> source, std::size_t width, const GemmPlan& plan, PackedPanel& panel);

}  // namespace guardbit::kernels
