#pragma once
/// GUARDBIT_CHECK: internal invariants, active in every build. Bad user input is reported by exceptions of the layer
/// that reads it (UserError), never by this macro.
#include <stdexcept>
#include <string>

namespace guardbit {

/// An invariant of this program does not hold: a bug of ours, exit code 70.
class InternalError : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

[[noreturn]] inline void fail_check(const char* file, int line, const char* condition, const std::string& reason) {
  throw InternalError(std::string(file) + ":" + std::to_string(line) + ": " + condition + " is false: " + reason);
}

}  // namespace guardbit

#define GUARDBIT_CHECK(condition, reason) \
  ((condition) ? static_cast<void>(0) : ::guardbit::fail_check(__FILE__, __LINE__, #condition, (reason)))
