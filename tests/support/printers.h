#pragma once
/// gtest printers: without them the parameters of tests appear as byte dumps in names and failures.
#include <ostream>

#include "models/numerics/float_format.h"

namespace guardbit::numerics {

inline void PrintTo(const NamedFloatFormat& row, std::ostream* out) { *out << row.name; }

}  // namespace guardbit::numerics
