// What libFuzzer calls; compiled once for each target, whose function is GUARDBIT_FUZZ_TARGET.
#include <cstddef>
#include <cstdint>

#include "sim/base/fp_environment.h"
#include "tests/fuzz/fuzz_targets.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t num_bytes) {
  const guardbit::sim::FpEnvironment environment;
  guardbit::tests::run_fuzz_target(guardbit::tests::GUARDBIT_FUZZ_TARGET,
                                   {reinterpret_cast<const char*>(data), num_bytes});
  return 0;
}
