#include "sim/report/report_registry.h"

#include <algorithm>
#include <array>

#include "sim/report/reports/reports.h"

namespace guardbit::sim {
namespace {

constexpr std::array kReports = {
    Report{"csv", "one line per variant, op and stage that raised an event, with its ten counters", write_csv},
    Report{"details",
           "for reading: every op's cycles, bytes, energy and block, its values, all stalls, operations, area",
           write_details},
    Report{"json", "everything, as one object (schema guardbit-replay/1)", write_json},
    Report{"jsonl", "one object per variant and line (schema guardbit-replay-variant/1)", write_jsonl},
    Report{"ops.csv", "one line per variant and op: start, end, cycles by unit, bytes, energy, block", write_ops_csv},
    Report{"table", "for reading: quality, events, worst places, cycles, stalls, overheads, energy, norms",
           write_table},
    Report{"values.csv", "one line per variant and op: errors, exponents, quantizers, norms, outliers, group scales",
           write_values_csv},
};

}  // namespace

std::span<const Report> reports() { return kReports; }

const Report* find_report(std::string_view name) {
  const auto found =
      std::find_if(kReports.begin(), kReports.end(), [&](const Report& row) { return row.name == name; });
  return found == kReports.end() ? nullptr : &*found;
}

}  // namespace guardbit::sim
