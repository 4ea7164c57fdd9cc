#pragma once
/// What a terminal gets and a file or a pipe does not: colour, and lines that are drawn over.
#include <string>
#include <string_view>

namespace guardbit::sim::cli {

/// `descriptor` is a terminal that understands control sequences (TERM is neither missing, empty nor "dumb").
[[nodiscard]] bool is_terminal(int descriptor);

/// It is one, and the user has not set NO_COLOR to anything (no-color.org).
[[nodiscard]] bool has_colour(int descriptor);

/// A report's tables with their title lines bold; in the columns overflow, invalid, failed and mismatches numbers other
/// than 0 red, in saturated yellow; the cells NO and FAILED red. Taking the colour away gives `text` back.
/// Test: tests/terminal/terminal_test.py.
[[nodiscard]] std::string coloured(std::string_view text);

/// print() of a report in a --format: those for reading, table and details, are coloured where stdout has_colour().
void print_report(std::string_view text, std::string_view format);

}  // namespace guardbit::sim::cli
