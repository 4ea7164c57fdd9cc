#pragma once
/// The results of `guardbit bathtub` as text.
#include <string>
#include <string_view>

#include "sim/stats/bathtub_result.h"

namespace guardbit::sim {

/// Of bathtub_json(); a change of meaning of any key makes it another one.
inline constexpr std::string_view kBathtubSchema = "guardbit-bathtub/1";

/// A table per norm, one row per scale.
[[nodiscard]] std::string bathtub_table(const BathtubResult& result);

/// RFC 4180, one line per norm and scale:
///     trace,accelerator,op,layer,log2_scale,error,nonfinite,overflow,overflow_tokens,underflow,underflow_tokens,
///     swamped,swamped_tokens,marks,output_sha256
/// error is empty if an output is not finite; marks: methods whose scale is nearest to this one, joined by +.
[[nodiscard]] std::string bathtub_csv(const BathtubResult& result);

/// {"schema": "guardbit-bathtub/1", "provenance", "trace": {"name", "windows", "tokens", "residual_gain",
/// "channel_gain", "channels"}, "accelerator": {"name", "keys"}, "norms": [{"name", "layer", "tokens", "norm":
/// {"count", "min", "median", "max"}, "marks": [{"method", "scale", "log2_scale"}], "same_bits": null or {"from",
/// "to"}, "points": [{"log2_scale", "error", "nonfinite", "events": {event: {"tokens", "events", "worst"}},
/// "output_sha256"}]}]}
[[nodiscard]] std::string bathtub_json(const BathtubResult& result);

}  // namespace guardbit::sim
