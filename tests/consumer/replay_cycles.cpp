// Cycles of a trace on an accelerator, without values: replay TRACE ACCELERATOR.toml
#include <cstdio>
#include <exception>

#include "sim/replay/replay.h"

extern "C" int sc_main(int argc, char** argv) {
  namespace gb = guardbit::sim;
  if (argc != 3) return 2;
  try {
    gb::ReplayOptions options;
    options.variants = {"none"};
    options.values = false;
    options.max_windows = 1;
    const gb::ReplayResult result =
        gb::replay(gb::load_trace_description(argv[1]), gb::load_accelerator(argv[2]), options, {}, {});
    std::printf("%llu cycles\n", static_cast<unsigned long long>(result.variants.at(0).cycles.total));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}
