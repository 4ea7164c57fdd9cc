#pragma once
/// The meaning of a sweep file: which keys there are, what they accept, which accelerators and traces they name.
#include <vector>

#include "sim/config/sweep_file.h"
#include "sim/sweep/design_space.h"

namespace guardbit::sim {

/// The space of the file's axes, in its order of dimensions, then the settings that every space has and the file does
/// not mention. Problems and warnings are added to the file's. Complete only if there are none.
[[nodiscard]] DesignSpace read_space(SweepFile& file);

}  // namespace guardbit::sim
