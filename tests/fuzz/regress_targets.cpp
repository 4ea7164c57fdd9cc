// Goldens, results that are compared, suites and gates.
#include <string>

#include "sim/base/error.h"
#include "sim/base/sha256.h"
#include "sim/regress/gate_expression.h"
#include "sim/regress/golden_file.h"
#include "sim/regress/result_compare.h"
#include "sim/regress/suite.h"
#include "sim/report/report_registry.h"
#include "tests/fuzz/fuzz_targets.h"
#include "tests/support/synthetic_result.h"
#include "tests/support/temporary_directory.h"

namespace guardbit::tests {
namespace {

/// A golden whose last line states the hash of what is before it.
std::string sealed(std::string_view bytes) {
  const std::size_t seal = bytes.rfind("\"sha256\":\"");
  const std::string content(bytes.substr(0, seal));
  return content + "\"sha256\":\"" + sim::sha256_hex(content) + "\"}\n";
}

}  // namespace

void fuzz_golden(std::string_view bytes) {
  for (const std::string& text : {std::string(bytes), sealed(bytes)}) {
    try {
      (void)sim::golden_text(sim::parse_golden(text, "x.golden.json"));
    } catch (const sim::UserError& error) {
      if (error.code() != sim::ExitCode::kMalformedInput) throw;
    }
  }
}

void fuzz_compare(std::string_view bytes) {
  static const TemporaryDirectory directory;
  static const std::filesystem::path good =
      directory.write("good.json", sim::find_report("json")->write(synthetic_result()));
  const std::filesystem::path file = directory.write("result.json", bytes);
  for (const auto& [a, b] : {std::pair{file, good}, std::pair{file, file}}) {
    const sim::ResultComparison comparison = sim::compare_results(a, b);
    (void)sim::comparison_text(comparison, 10);
    (void)sim::comparison_json(comparison);
  }
}

void fuzz_suite(std::string_view bytes) {
  static const TemporaryDirectory directory;
  (void)sim::read_suite(directory.write("suite.toml", bytes));
}

void fuzz_gate(std::string_view bytes) { (void)sim::parse_gate(bytes, "--fail-on: "); }

}  // namespace guardbit::tests
