#pragma once
/// What `guardbit config` prints: the reference of all keys, and a resolved accelerator with the origin of every value.
#include <string>

#include "sim/config/accelerator.h"

namespace guardbit::sim {

/// Markdown: one table per section with key, accepted values, default, unit and sentence. configs/README.md is this
/// text (ConfigReferenceTest.ReadmeIsUpToDate).
[[nodiscard]] std::string key_reference();

/// A TOML file that sets every key to its resolved value; with `origins` each has a comment that says where it came
/// from. Loading it gives the same configuration and hash.
[[nodiscard]] std::string show(const LoadedAccelerator& accelerator, bool origins);

}  // namespace guardbit::sim
