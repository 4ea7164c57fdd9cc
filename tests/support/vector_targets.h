#pragma once
/// Runs a test once on every instruction set of the host that a Highway kernel may be compiled for.
#include <gtest/gtest.h>

#include <cstdint>

#include "hwy/highway.h"

namespace guardbit::test {

/// Calls body() with the kernels limited to each target in turn, slowest first, and lifts the limit afterwards.
template <class Body>
void on_every_vector_target(const Body& body) {
  const std::int64_t supported = hwy::SupportedTargets();
  for (int bit = 62; bit >= 0; --bit) {  // better targets have lower bits
    const std::int64_t target = std::int64_t{1} << bit;
    if ((supported & target) == 0) continue;
    SCOPED_TRACE(hwy::TargetName(target));
    hwy::SetSupportedTargetsForTest(supported & ~(target - 1));
    body();
  }
  hwy::SetSupportedTargetsForTest(0);
}

}  // namespace guardbit::test
