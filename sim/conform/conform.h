#pragma once
/// Files of arithmetic test vectors against the reference: what `guardbit conform` does.
#include <cstddef>
#include <filesystem>
#include <functional>
#include <span>

#include "sim/conform/vector_meaning.h"
#include "sim/stats/conform_result.h"

namespace guardbit::sim {

/// Checks every line of every file. UserError: kUsage if name and options do not tell the operation of a file (before
/// anything is read), kMissingInput, kMalformedInput for a line that does not have the layout (file:line, found,
/// expected) and for a file without a vector. Interrupted between lines.
/// Test: tests/golden/conform_test.cpp.
/// `progress`, if any, is told how many files are done, of how many.
[[nodiscard]] ConformResult conform(std::span<const std::filesystem::path> files, const ConformOptions& options,
                                    const std::function<void(std::size_t done, std::size_t total)>& progress = {});

}  // namespace guardbit::sim
