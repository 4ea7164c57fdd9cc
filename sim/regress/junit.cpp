#include "sim/regress/junit.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "sim/base/error.h"

namespace guardbit::sim {
namespace {

constexpr std::size_t kShownCounts = 100;

std::string test_xml(const JunitSuite& suite, const JunitTest& test) {
  std::string text = fmt::format(R"(    <testcase classname="{}" name="{}")", xml_escaped("guardbit." + suite.name),
                                 xml_escaped(test.name));
  if (test.failure.empty()) return text + "/>\n";
  const std::string first_line = test.failure.substr(0, test.failure.find('\n'));
  return text + fmt::format(">\n      <failure message=\"{}\">{}</failure>\n    </testcase>\n", xml_escaped(first_line),
                            xml_escaped(test.failure));
}

std::size_t num_failures(const JunitSuite& suite) {
  return static_cast<std::size_t>(std::count_if(suite.tests.begin(), suite.tests.end(),
                                                [](const JunitTest& test) { return !test.failure.empty(); }));
}

}  // namespace

/// printable() leaves U+FFFE and U+FFFF, which are no XML characters; line ends and tabs are references, or an
/// attribute's would become blanks.
std::string xml_escaped(std::string_view text) {
  std::string escaped;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find_first_of("\n\t", begin), text.size());
    for (const char c : printable(text.substr(begin, end - begin))) {
      switch (c) {
        case '&': escaped += "&amp;"; break;
        case '<': escaped += "&lt;"; break;
        case '>': escaped += "&gt;"; break;
        case '"': escaped += "&quot;"; break;
        case '\'': escaped += "&apos;"; break;
        default: escaped += c;
      }
    }
    if (end < text.size()) escaped += text[end] == '\n' ? "&#10;" : "&#9;";
    begin = end + 1;
  }
  for (const auto& [character, shown] :
       {std::pair("\xEF\xBF\xBE", "\\xEF\\xBF\\xBE"), std::pair("\xEF\xBF\xBF", "\\xEF\\xBF\\xBF")}) {
    for (std::size_t at = 0; (at = escaped.find(character, at)) != std::string::npos;) escaped.replace(at, 3, shown);
  }
  return escaped;
}

std::string junit_xml(const std::vector<JunitSuite>& suites) {
  std::size_t tests = 0;
  std::size_t failures = 0;
  std::string body;
  for (const JunitSuite& suite : suites) {
    tests += suite.tests.size();
    failures += num_failures(suite);
    body += fmt::format("  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"0\" time=\"{:.3f}\">\n",
                        xml_escaped(suite.name), suite.tests.size(), num_failures(suite), suite.seconds);
    for (const JunitTest& test : suite.tests) body += test_xml(suite, test);
    body += "  </testsuite>\n";
  }
  return fmt::format(
             "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
             "<testsuites name=\"guardbit\" tests=\"{}\" failures=\"{}\" errors=\"0\">\n",
             tests, failures) +
         body + "</testsuites>\n";
}

std::vector<JunitTest> junit_tests(const std::vector<GateOutcome>& gates) {
  std::vector<JunitTest> tests;
  for (const GateOutcome& gate : gates) {
    tests.push_back({fmt::format("gate {} on {}", gate.gate, gate.variant), gate.failed ? gate_text(gate) : ""});
  }
  return tests;
}

std::vector<JunitSuite> junit_suites(const std::vector<CheckedCase>& cases) {
  std::vector<JunitSuite> suites;
  for (const CheckedCase& checked : cases) {
    JunitSuite suite{.name = checked.difference.name, .seconds = checked.seconds, .tests = {}};
    std::string inputs;
    for (const std::string& input : checked.difference.inputs) inputs += input + "\n";
    suite.tests.push_back({"inputs", inputs});
    for (const VariantDifference& variant : checked.difference.variants) {
      suite.tests.push_back({variant.variant, difference_text(variant, "", kShownCounts)});
    }
    for (JunitTest& test : junit_tests(checked.gates)) suite.tests.push_back(std::move(test));
    suites.push_back(std::move(suite));
  }
  return suites;
}

}  // namespace guardbit::sim
