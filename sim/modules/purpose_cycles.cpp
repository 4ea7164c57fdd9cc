#include "sim/modules/purpose_cycles.h"

#include <algorithm>

#include "models/numerics/check.h"
#include "sim/modules/timing.h"

namespace guardbit::sim {
namespace {

/// Chunks shorter than a column may be quicker where few operands stream (a fold fills and drains fewer rows); then
/// what asks for them costs nothing.
void split_matrix(MatrixWork work, const units::ArrayConfig& array, PurposeShares& shares) {
  std::uint64_t rest = matrix_timing(work, array).cycles;
  const auto split = [&](std::uint64_t chunk, Purpose purpose) {
    work.chunk = chunk;
    const std::uint64_t without = std::min(rest, matrix_timing(work, array).cycles);
    shares.add(purpose, rest - without);
    rest = without;
  };
  if (work.chunk_without_groups) split(*work.chunk_without_groups, Purpose::kGroupScaling);
  if (work.chunk != 0) split(0, Purpose::kPromotion);
}

void split_norm(NormWork work, const units::NormConfig& norm, PurposeShares& shares) {
  std::uint64_t rest = norm_cycles(work, norm);
  const auto split = [&](bool& option, Purpose purpose) {
    option = false;
    const std::uint64_t without = norm_cycles(work, norm);
    shares.add(purpose, rest - without);
    rest = without;
  };
  if (work.dynamic_scale) split(work.dynamic_scale, Purpose::kDynamicScale);
  if (work.scale_multiply) split(work.scale_multiply, Purpose::kSlancScale);
}

void split_vector(VectorWork work, const units::VectorConfig& vector, PurposeShares& shares) {
  if (work.sort_elements == 0) return;
  const std::uint64_t whole = vector_cycles(work, vector);
  work.sort_elements = 0;
  shares.add(Purpose::kSort, whole - vector_cycles(work, vector));
}

}  // namespace

PurposeShares purpose_shares(const Command& command, std::uint64_t busy_cycles,
                             const units::AcceleratorConfig& config) {
  PurposeShares shares;
  if (const auto* matrix = std::get_if<MatrixWork>(&command.work)) {
    if (matrix->chunk != 0) split_matrix(*matrix, config.array, shares);
  } else if (const auto* norm = std::get_if<NormWork>(&command.work)) {
    split_norm(*norm, config.norm, shares);
  } else if (const auto* vector = std::get_if<VectorWork>(&command.work)) {
    split_vector(*vector, config.vector, shares);
  }
  std::uint64_t options = 0;
  for (const PurposeShare& share : std::span<const PurposeShare>(shares)) options += share.cycles;
  GUARDBIT_CHECK(options <= busy_cycles, "options of a command take a part of its cycles");
  shares.add(command.purpose, busy_cycles - options);
  return shares;
}

}  // namespace guardbit::sim
