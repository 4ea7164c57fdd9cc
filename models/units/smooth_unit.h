#pragma once
/// Runtime smoothing (RRS, arXiv 2409.20361): channel maxima over the tokens present, sorting, group scales, division.
#include <cstdint>
#include <vector>

#include "models/numerics/rounding.h"
#include "models/units/accelerator_config.h"
#include "models/units/row_blocks.h"

namespace guardbit::units {

/// Order and scales of the channels of one tile of tokens.
struct SmoothPlan {
  std::vector<std::uint32_t> permutation;  ///< (K): position -> channel
  std::vector<float> group_scales;         ///< (ceil(K / group)): fp32, position p belongs to group p / group
};

/// c_j = max_t |x_tj|, at least 1e-5 (NaNs ignored); channels by c descending, ties by channel ([smooth] sort = false:
/// as they are); groups of [smooth] group consecutive positions, s_g = the group's largest c (scale = "pow2": the next
/// power of two at or above it). order = "ascending" reverses the order of the groups, not the order inside one; where
/// group does not divide K the partial group stays last, and so holds the largest channels. An infinite c_j counts as
/// the largest finite fp32 (pow2: 2^127).
/// x (T, K) any strides. Test: tests/unit/smooth_unit_test.cpp.
SmoothPlan smooth_plan(MatrixView<const float> x, const SmoothConfig& config);

/// y(t, p) = storage(x(t, permutation[p]) / s_(p / group)), one rounding, events at stage smooth. y must not be x.
void smooth(MatrixView<const float> x, const SmoothPlan& plan, std::size_t group, const numerics::FloatSpec& storage,
            MatrixView<float> y, EventLedger& ledger, const ParallelFor& parallel_for = {});

/// result(r, p) = w(r, permutation[p]): a weight (N, K) for smoothed inputs.
Matrix<float> gather_columns(MatrixView<const float> w, const std::vector<std::uint32_t>& permutation);

}  // namespace guardbit::units
