// PE fidelity against tile fidelity: the array stepped cycle by cycle against the fast kernels and the closed forms,
// and against the reference arithmetic. Bits, every event counter of every stage, folds and cycles are equal.
#include "tests/support/pe_comparison.h"

namespace guardbit::tests {
namespace {

TEST(PeArrayTest, EqualsTileFidelityOnRandomDesigns) { compare_random_cases(/*seed=*/1, /*count=*/200); }

}  // namespace
}  // namespace guardbit::tests
