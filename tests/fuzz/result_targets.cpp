// Results that come back: report and compare.
#include <string>

#include "sim/regress/result_compare.h"
#include "sim/report/bathtub_reader.h"
#include "sim/report/html/html_report.h"
#include "sim/report/html/sweep_page.h"
#include "sim/report/replay_reader.h"
#include "sim/report/report_registry.h"
#include "tests/fuzz/fuzz_targets.h"
#include "tests/support/synthetic_result.h"
#include "tests/support/temporary_directory.h"

namespace guardbit::tests {

void fuzz_result(std::string_view bytes) {
  const sim::ReplayResult result = sim::read_replay_json(bytes, "result.json");
  for (const sim::Report& report : sim::reports()) (void)report.write(result);
  (void)sim::write_html(result);
}

void fuzz_bathtub(std::string_view bytes) {
  static const sim::ReplayResult result = synthetic_result();
  if (bytes.starts_with('[')) {
    (void)sim::write_sweep_html(bytes, "points.json");
  } else {
    const sim::BathtubResult bathtub = sim::read_bathtub_json(bytes, "bathtub.json");
    (void)sim::write_html(result, &bathtub);
  }
}

void fuzz_compare(std::string_view bytes) {
  static const TemporaryDirectory directory;
  static const std::filesystem::path good =
      directory.write("good.json", sim::find_report("json")->write(synthetic_result()));
  const std::filesystem::path file = directory.write("result.json", bytes);
  for (const auto& [a, b] : {std::pair{good, file}, std::pair{file, good}, std::pair{file, file}}) {
    const sim::ResultComparison comparison = sim::compare_results(a, b);
    (void)sim::comparison_text(comparison, 10);
    (void)sim::comparison_json(comparison);
  }
}

}  // namespace guardbit::tests
