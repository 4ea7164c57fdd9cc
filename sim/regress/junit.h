#pragma once
/// JUnit XML, as CI systems read it: suites of tests that passed or failed.
#include <string>
#include <string_view>
#include <vector>

#include "sim/regress/check_report.h"

namespace guardbit::sim {

struct JunitTest {
  std::string name;
  std::string failure;  ///< "" : passed; its first line becomes the message
};

struct JunitSuite {
  std::string name;
  double seconds = 0;
  std::vector<JunitTest> tests;
};

[[nodiscard]] std::string junit_xml(const std::vector<JunitSuite>& suites);

/// A suite a case: its inputs, a test a variant, a test a gate.
[[nodiscard]] std::vector<JunitSuite> junit_suites(const std::vector<CheckedCase>& cases);
[[nodiscard]] std::vector<JunitTest> junit_tests(const std::vector<GateOutcome>& gates);

/// `text` for XML 1.0 content and attribute values: markup as references, what XML cannot hold as \xNN.
[[nodiscard]] std::string xml_escaped(std::string_view text);

}  // namespace guardbit::sim
