// Every single bit of every file of a small trace.
#include "tests/support/trace_bit_flips.h"

namespace guardbit::sim {
namespace {

TEST(TraceBitFlipTest, Gen10EveryBitFlipIsRefusedOrHarmless) {
  tests::flip_bits_of_small_trace([](std::size_t) { return true; });
}

}  // namespace
}  // namespace guardbit::sim
