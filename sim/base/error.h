#pragma once
/// Errors that a user can cause or must act on, with the exit code of the command line. Bugs of ours are
/// guardbit::InternalError (exit 70).
#include <stdexcept>
#include <string>
#include <string_view>

namespace guardbit::sim {

/// Documented exit codes of `guardbit` (README).
enum class ExitCode : int {
  kOk = 0,
  kGateFailed = 1,  ///< a gate or comparison failed
  kUsage = 2,       ///< command line
  kMalformedInput = 65,
  kMissingInput = 66,
  kRefused = 69,  ///< refused for resources before allocating
  kInternal = 70,
  kCannotCreate = 73,  ///< output cannot be created
  kIo = 74,            ///< I/O error, disk full
  kPartial = 75,       ///< partial, resumable
  kConfiguration = 78,
};

/// One clear message: file, place, what was found, what is expected; several lines if one run finds several problems.
/// what() may hold bytes from files (NULs as \x00, for it is a C string); `printable()` escapes control characters
/// before anything reaches a terminal.
class UserError : public std::runtime_error {
 public:
  UserError(ExitCode code, const std::string& message);
  ExitCode code() const { return code_; }

 private:
  ExitCode code_;
};

/// `text` with control characters and invalid UTF-8 as \xNN.
std::string printable(std::string_view text);

}  // namespace guardbit::sim
