#pragma once
/// Text tables of what a replay says of values: layers, norms, quantizers, outliers, group scales (docs/result.md).
#include <string>

#include "sim/stats/result.h"

namespace guardbit::sim {

/// A variant's tables, an empty line before each; "" without values.
[[nodiscard]] std::string value_tables(const VariantResult& variant);

/// "2,048 tokens in windows of 256, stride 256"; "" for an encoder.
[[nodiscard]] std::string perplexity_basis(const PerplexityBasis& basis);

}  // namespace guardbit::sim
