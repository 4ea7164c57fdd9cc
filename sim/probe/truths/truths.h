#pragma once
/// The measurements behind known_truths.cpp's rows, one file per subject.
#include <vector>

#include "sim/stats/truth_result.h"

namespace guardbit::sim {

// format_truths.cpp
std::vector<TruthRow> measure_format_limits();
std::vector<TruthRow> measure_double_rounding();
// accumulator_truths.cpp
std::vector<TruthRow> measure_topology();
std::vector<TruthRow> measure_stall();
std::vector<TruthRow> measure_stochastic();
std::vector<TruthRow> measure_tensor_core();
std::vector<TruthRow> measure_integer_groups();
// norm_truths.cpp
std::vector<TruthRow> measure_scale_invariance();
std::vector<TruthRow> measure_norm_overflow();
std::vector<TruthRow> measure_wrong_scale();
std::vector<TruthRow> measure_target_norm();
std::vector<TruthRow> measure_cancellation();
// smoothing_truths.cpp
std::vector<TruthRow> measure_smoothing_orders();
std::vector<TruthRow> measure_group_order();

}  // namespace guardbit::sim
