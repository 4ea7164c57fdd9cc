#pragma once
/// What this binary is, for the provenance of results.
#include <map>
#include <string>

namespace guardbit::sim {

/// version, commit ("unknown" outside a git checkout, "+changes" with uncommitted changes), compiler, build_type.
std::map<std::string, std::string> build_provenance();

}  // namespace guardbit::sim
