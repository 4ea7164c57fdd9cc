#pragma once
/// What a test expects of a refusal: the exit code and the essential part of the message.
#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "sim/base/error.h"

namespace guardbit::tests {

/// Passes if `action` throws UserError with that code whose message contains `text`.
template <class Action>
testing::AssertionResult refuses(const Action& action, sim::ExitCode code, std::string_view text) {
  try {
    action();
  } catch (const sim::UserError& error) {
    const std::string message = error.what();
    if (error.code() != code) {
      return testing::AssertionFailure() << "exit code " << static_cast<int>(error.code()) << " instead of "
                                         << static_cast<int>(code) << ": " << sim::printable(message);
    }
    if (message.find(text) == std::string::npos) {
      return testing::AssertionFailure() << "message lacks '" << text << "': " << sim::printable(message);
    }
    return testing::AssertionSuccess();
  }
  return testing::AssertionFailure() << "accepted; expected an error with '" << text << "'";
}

}  // namespace guardbit::tests
