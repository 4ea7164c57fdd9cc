#include "sim/base/input_policy.h"

#include <fmt/format.h>

#include <system_error>

#include "sim/base/error.h"

namespace guardbit::sim {
namespace {

InputPolicy& policy() {
  static InputPolicy instance;
  return instance;
}

}  // namespace

void set_input_policy(const InputPolicy& changed) { policy() = changed; }
const InputPolicy& input_policy() { return policy(); }

void check_hard_links(const std::filesystem::path& file) {
  std::error_code error;
  const std::uintmax_t num_names = std::filesystem::hard_link_count(file, error);
  if (error || num_names <= 1 || std::filesystem::is_directory(file, error)) return;
  const std::string found = fmt::format("{}: got a file with {} names (hard links)", file.string(), num_names);
  if (policy().refuses_hard_links) {
    throw UserError(ExitCode::kMalformedInput, found + "; expected one of its own, as --strict wants it");
  }
  if (policy().warn != nullptr) policy().warn(found + "; whoever holds another name can change it");
}

}  // namespace guardbit::sim
