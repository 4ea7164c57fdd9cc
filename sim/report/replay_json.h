#pragma once
/// The JSON objects that the json and jsonl reports share.
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "sim/stats/result.h"

namespace guardbit::sim {

/// Of the json report; a change of meaning of any key makes it another one.
inline constexpr std::string_view kReplaySchema = "guardbit-replay/1";

/// Keeps the order of insertion.
using Json = nlohmann::ordered_json;

/// `value` with six significant digits, or null if it is not finite.
[[nodiscard]] Json json_real(double value);

/// A variant with its own keys (reports.h); `plain`, the variant "none" or null, is what its overheads are told
/// against.
[[nodiscard]] Json to_json(const VariantResult& variant, const VariantResult* plain);

/// JSON text; bytes that are not UTF-8 (file names) become U+FFFD.
[[nodiscard]] std::string dump(const Json& json, int indent);

}  // namespace guardbit::sim
