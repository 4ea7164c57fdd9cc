#include "sim/modules/purpose_cycles.h"

#include "models/numerics/check.h"
#include "sim/modules/timing.h"

namespace guardbit::sim {
namespace {

void split_matrix(MatrixWork work, const units::ArrayConfig& array, PurposeShares& shares) {
  const std::uint64_t whole = matrix_timing(work, array).cycles;
  work.outer_updates -= work.group_updates;
  const std::uint64_t without_groups = work.group_updates == 0 ? whole : matrix_timing(work, array).cycles;
  shares.add(Purpose::kGroupScaling, whole - without_groups);
  work.outer_updates = 0;
  shares.add(Purpose::kPromotion, without_groups - matrix_timing(work, array).cycles);
}

void split_norm(NormWork work, const units::NormConfig& norm, PurposeShares& shares) {
  if (!work.scale_multiply) return;
  const std::uint64_t whole = norm_cycles(work, norm);
  work.scale_multiply = false;
  shares.add(Purpose::kSlancScale, whole - norm_cycles(work, norm));
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
    if (matrix->outer_updates != 0) split_matrix(*matrix, config.array, shares);
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
