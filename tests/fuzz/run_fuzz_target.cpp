#include <stdexcept>
#include <string>

#include "sim/base/error.h"
#include "tests/fuzz/fuzz_targets.h"

namespace guardbit::tests {

void run_fuzz_target(FuzzTarget run, std::string_view bytes) {
  try {
    run(bytes);
  } catch (const sim::UserError& error) {
    const sim::ExitCode code = error.code();
    const bool is_of_bad_input = code == sim::ExitCode::kMalformedInput || code == sim::ExitCode::kMissingInput ||
                                 code == sim::ExitCode::kConfiguration || code == sim::ExitCode::kRefused ||
                                 code == sim::ExitCode::kUsage;
    if (is_of_bad_input && !sim::printable(error.what()).empty()) return;
    throw std::logic_error("exit code " + std::to_string(static_cast<int>(code)) + ": " + error.what());
  }
}

}  // namespace guardbit::tests

/// libsystemc asks for this entry point; no target simulates.
extern "C" int sc_main(int /*argc*/, char** /*argv*/) { return 0; }
