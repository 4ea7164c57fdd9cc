#pragma once
/// The version of everything that decides a replay's result: arithmetic, kernels, units, calibration, schedule and
/// timing. It is part of the key under which sweeps keep results, so that results of different arithmetic are never
/// taken for one another. To be raised with every change after which an unchanged configuration gives other bits,
/// counts or cycles.
#include <string_view>

namespace guardbit::numerics {

inline constexpr std::string_view kNumericsVersion = "1";

}  // namespace guardbit::numerics
