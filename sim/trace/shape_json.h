#pragma once
/// transformer::ModelShape as the "model" object of trace.json (traces/README.md).
#include <nlohmann/json_fwd.hpp>

#include "models/transformer/model.h"
#include "sim/trace/strict_json.h"

namespace guardbit::sim {

/// Reports every problem into the cursor's problems; the result is usable only if there was none.
[[nodiscard]] transformer::ModelShape read_shape(const JsonCursor& cursor);

/// What read_shape() reads back. Optional keys are written only where they differ from their default.
[[nodiscard]] nlohmann::ordered_json shape_json(const transformer::ModelShape& shape);

}  // namespace guardbit::sim
