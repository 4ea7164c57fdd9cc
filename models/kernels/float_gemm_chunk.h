#pragma once
/// Which blocks of a chunk run on a fast kernel and which on the general one. Target independent.
#include <functional>

#include "models/kernels/float_gemm_plan.h"

namespace guardbit::kernels {

/// Runs a range of k on the general kernel, all events included.
using RunExact = std::function<void(KBlock range)>;

/// A sequential chunk; `acc` (kTileRows, kTileCols) holds the accumulators, +0 at first.
void run_sequential_chunk(const TileJob& job, const KChunk& chunk, const RunExact& run_exact, float* acc);

}  // namespace guardbit::kernels
