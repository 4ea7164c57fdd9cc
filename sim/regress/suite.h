#pragma once
/// Suites: which replays and products a regression runs. docs/regression.md describes the file.
#include <filesystem>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "sim/probe/gemm_probe.h"
#include "sim/regress/gate_expression.h"
#include "sim/regress/golden.h"
#include "sim/replay/replay.h"

namespace guardbit::sim {

inline constexpr std::string_view kSuiteSchema = "guardbit-suite/1";

/// One golden file: a trace on an accelerator with all its variants, or one product.
struct SuiteCase {
  struct Replay {
    std::filesystem::path trace;
    ReplayOptions options;
    std::vector<GateExpression> gates;
  };
  struct Gemm {
    GemmOptions options;
    std::string a;  ///< as written
    std::string b;
    std::vector<GateExpression> gates;
  };
  std::string name;                   ///< a file name without its suffix
  std::string place;                  ///< "suite.toml:12"
  std::filesystem::path accelerator;  ///< empty: every key's default (products only)
  std::vector<std::string> overrides;
  std::variant<Replay, Gemm> work;
};

struct Suite {
  GoldenLimits limits;
  std::vector<SuiteCase> cases;
};

/// Reads a suite; paths in it are relative to its directory. UserError: kConfiguration with one line for each problem
/// of the file (unknown keys, types, ranges, gates, two cases of one name), kMissingInput, kMalformedInput.
[[nodiscard]] Suite read_suite(const std::filesystem::path& file);

/// What can be known of a case before it runs: its accelerator, trace, variants, and the names in its gates.
/// UserError of whatever is wrong, with the case's place.
void check_case(const SuiteCase& suite_case);

}  // namespace guardbit::sim
