#pragma once
/// The result of `guardbit conform` as text.
#include <map>
#include <string>

#include "sim/stats/conform_result.h"

namespace guardbit::sim {

/// One row per file and the first mismatch of each file that has one.
[[nodiscard]] std::string conform_table(const ConformResult& result);

/// {"schema": "guardbit-conform/1", "provenance", "files": [{"file", "operation", "checked", "skipped", "mismatches",
/// "first_mismatch": null or {"line", "vector", "column", "got", "expected"}}], "checked", "mismatches"}
[[nodiscard]] std::string conform_json(const ConformResult& result,
                                       const std::map<std::string, std::string>& provenance);

}  // namespace guardbit::sim
