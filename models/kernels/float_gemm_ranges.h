#pragma once
/// What the drivers of the fast kernels share: the operands of a range of steps, and the events that steps count.
#include "models/kernels/float_gemm_chunk.h"
#include "models/kernels/float_gemm_plan.h"

namespace guardbit::kernels {

/// The steps of `range`, on packed operands; `acc` (kTileRows, kTileCols) holds the accumulators.
StepRange step_range(const TileJob& job, KBlock range, float* acc);

/// What the wanted events ask of single steps; overflow is not among them.
StepCounting wanted_counting(numerics::EventSet wanted);

/// Adds the events of steps to those of a stage, if any are wanted.
void add_events(const TileJob& job, const StepCounts& counts, numerics::EventCounts& events);

/// Steps of p <= 11 bits in binary32 lanes (FastKernel::kNarrow), as run_sequential_chunk.
void run_narrow_chunk(const TileJob& job, const KChunk& chunk, const RunExact& run_exact, float* acc);

}  // namespace guardbit::kernels
