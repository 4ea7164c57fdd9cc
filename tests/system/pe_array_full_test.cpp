// The long tier of pe_array_test.cpp.
#include "tests/support/pe_comparison.h"

namespace guardbit::tests {
namespace {

TEST(PeArrayFullTest, EqualsTileFidelityOnManyRandomDesigns) { compare_random_cases(/*seed=*/2026, /*count=*/4000); }

}  // namespace
}  // namespace guardbit::tests
