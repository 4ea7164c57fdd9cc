// Results that come back to be reported.
#include <string>

#include "sim/report/bathtub_reader.h"
#include "sim/report/html/html_report.h"
#include "sim/report/html/sweep_page.h"
#include "sim/report/replay_reader.h"
#include "sim/report/report_registry.h"
#include "tests/fuzz/fuzz_targets.h"
#include "tests/support/synthetic_result.h"

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

}  // namespace guardbit::tests
