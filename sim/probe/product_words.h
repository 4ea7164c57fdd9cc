#pragma once
/// What a user says of a single product, in words.
#include <span>
#include <string>

#include "models/numerics/events.h"
#include "sim/config/accelerator.h"

namespace guardbit::sim {

/// "all", "none", or names joined by commas; UserError kUsage "--events: ..." otherwise.
[[nodiscard]] numerics::EventSet parse_event_set(const std::string& text);

/// [array] and [accumulator] of a file or, if `file` is empty, their defaults, then the overrides
/// ("section.key=value"); rules between keys of other sections are not checked. Without a file, sums that flow down a
/// column (dataflow ws, is) get the buffer that they need, in fp32. Throws as load_accelerator().
[[nodiscard]] LoadedAccelerator load_product_hardware(const std::string& file, std::span<const std::string> overrides);

}  // namespace guardbit::sim
