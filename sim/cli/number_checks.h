#pragma once
/// Checks of numbers on the command line. CLI11's own conversions read a negative number into an unsigned one as if it
/// were large, take a number beyond the type for its end and let NaN through a range; its messages name neither what
/// was found nor what is expected in the words of every other error. Test: tests/terminal/terminal_test.py.
#include <CLI/CLI.hpp>
#include <charconv>
#include <cstdint>
#include <limits>
#include <string>
#include <system_error>

#include "sim/base/error.h"

namespace guardbit::sim::cli {

/// Whether all of the text is a number in min .. max. NaN is in no range.
template <class Number>
bool is_number_in(const std::string& text, Number min, Number max) {
  Number value = 0;
  const char* const last = text.data() + text.size();
  const auto [end, error] = std::from_chars(text.data(), last, value);
  return error == std::errc{} && end == last && value >= min && value <= max;
}

/// Decimal digits of a number in min .. max. The help text shows the range if it has an end.
inline CLI::Validator whole_number(std::int64_t min, std::int64_t max = std::numeric_limits<std::int64_t>::max()) {
  const bool has_end = max < std::numeric_limits<std::int64_t>::max();
  const std::string range = has_end ? std::to_string(min) + ".." + std::to_string(max) : "";
  const std::string expected = has_end ? range : "a whole number from " + std::to_string(min) + " on";
  const auto check = [=](const std::string& text) {
    return is_number_in(text, min, max) ? "" : "got " + printable(text) + "; expected " + expected;
  };
  return CLI::Validator(check, range);
}
inline CLI::Validator check_seed() { return whole_number(0); }

/// A real number in min .. max, which `range` says in words; neither infinite nor NaN.
inline CLI::Validator number_in(double min, double max, const std::string& range) {
  const auto check = [=](const std::string& text) {
    return is_number_in(text, min, max) ? "" : "got " + printable(text) + "; expected a number in " + range;
  };
  return CLI::Validator(check, range);
}
inline CLI::Validator check_gain() { return number_in(1e-6, 1e6, "1e-6..1e6"); }

}  // namespace guardbit::sim::cli
