#pragma once
/// The sections of the page, each as HTML that is complete without scripts. A section whose data the result does not
/// have is empty and is left out.
#include <string>

#include "sim/stats/result.h"

namespace guardbit::sim::html {

[[nodiscard]] std::string variants_section(const ReplayResult& result);
[[nodiscard]] std::string worst_section(const ReplayResult& result);
[[nodiscard]] std::string events_section(const ReplayResult& result);
[[nodiscard]] std::string exponents_section(const ReplayResult& result);
[[nodiscard]] std::string outliers_section(const ReplayResult& result);
[[nodiscard]] std::string error_section(const ReplayResult& result);
[[nodiscard]] std::string cycles_section(const ReplayResult& result);
[[nodiscard]] std::string ops_section(const ReplayResult& result);
[[nodiscard]] std::string provenance_section(const ReplayResult& result);

}  // namespace guardbit::sim::html
