#include <fmt/format.h>

#include <memory>

#include "models/calibration/method.h"
#include "models/numerics/codec.h"
#include "models/transformer/family.h"
#include "sim/cli/verbs.h"
#include "sim/report/report_registry.h"

namespace guardbit::sim::cli {
namespace {

std::string list_formats() {
  std::string text = fmt::format("{:<14}{:>5}{:>15}{:>15}{:>15}  {}\n", "format", "bits", "max", "min normal",
                                 "min subnormal", "source");
  for (const numerics::NamedFloatFormat& row : numerics::kFloatFormats) {
    text += fmt::format("{:<14}{:>5}{:>15.8g}{:>15.8g}{:>15.8g}  {}\n", row.name, row.format.storage_bits(),
                        numerics::max_finite(row.format), numerics::min_normal(row.format),
                        numerics::to_carrier(1, row.format), row.standard);
  }
  return text +
         "eXmY: any IEEE-style format with 2 <= X <= 8 exponent and 1 <= Y <= 23 trailing significand bits\n"
         "int2 .. int32: two's complement\n";
}

template <class Entries>
std::string list_entries(const Entries& entries) {
  std::string text;
  for (const auto& entry : entries) text += fmt::format("{:<16}{}\n", entry.name, entry.summary);
  return text;
}

}  // namespace

void add_list(CLI::App& app, Action& action) {
  CLI::App* list = app.add_subcommand("list", "List what this build knows");
  list->require_subcommand(1);
  const auto add = [list, &action](const std::string& name, const std::string& summary, std::string (*text)()) {
    list->add_subcommand(name, summary)->final_callback([text, &action] {
      action = [text] {
        print(text());
        return 0;
      };
    });
  };
  add("formats", "Number formats with their ranges and sources", list_formats);
  add("methods", "Calibration methods, the parts of a variant", [] { return list_entries(calibration::methods()); });
  add("families", "Model families", [] { return list_entries(transformer::families()); });
  add("reports", "Reports for --format", [] { return list_entries(reports()); });
  list->footer("Example: guardbit list formats");
}

}  // namespace guardbit::sim::cli
