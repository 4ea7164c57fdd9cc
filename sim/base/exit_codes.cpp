#include "sim/base/exit_codes.h"

#include <array>

#include "sim/base/error.h"

namespace guardbit::sim {
namespace {

constexpr ExitCodeRow row(ExitCode code, std::string_view name, std::string_view meaning) {
  return {static_cast<int>(code), name, meaning};
}

constexpr std::array kExitCodes = {
    row(ExitCode::kOk, "done", "everything that was asked for is done"),
    row(ExitCode::kGateFailed, "gate failed", "a gate, a comparison or a check came out wrong; the report says where"),
    row(ExitCode::kUsage, "usage", "the command line is wrong: unknown word, missing or impossible option"),
    row(ExitCode::kMalformedInput, "malformed input", "an input file is not what it should be"),
    row(ExitCode::kMissingInput, "missing input", "an input file does not exist or cannot be read"),
    row(ExitCode::kRefused, "refused",
        "would need more memory, points or changes than there may be; nothing was begun"),
    row(ExitCode::kInternal, "internal error", "a bug of Guardbit, or a second result that differs from the first"),
    row(ExitCode::kCannotCreate, "cannot create", "the output cannot be created or holds files of somebody else"),
    row(ExitCode::kIo, "I/O error", "reading or writing failed, such as on a full disk; the output does not exist"),
    row(ExitCode::kPartial, "partial", "some of a sweep's points are missing or failed; run it again to go on"),
    row(ExitCode::kConfiguration, "configuration",
        "an accelerator, sweep or suite file or --set has a wrong key or value"),
};

}  // namespace

std::span<const ExitCodeRow> exit_codes() { return kExitCodes; }

}  // namespace guardbit::sim
