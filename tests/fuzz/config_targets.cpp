// Accelerator files and overrides: what is accepted is printed, read back, and must be the same.
#include <stdexcept>
#include <string>
#include <vector>

#include "sim/config/accelerator.h"
#include "sim/config/describe.h"
#include "tests/fuzz/fuzz_targets.h"
#include "tests/support/temporary_directory.h"

namespace guardbit::tests {

void fuzz_accelerator(std::string_view bytes) {
  static const TemporaryDirectory directory;
  const sim::LoadedAccelerator loaded = sim::load_accelerator(directory.write("x.toml", bytes));
  const sim::LoadedAccelerator again = sim::load_accelerator(directory.write("again.toml", sim::show(loaded)));
  if (again.sha256 != loaded.sha256) throw std::logic_error("config show gives another accelerator");
}

void fuzz_overrides(std::string_view bytes) {
  std::vector<std::string> overrides;
  for (std::size_t begin = 0; begin < bytes.size();) {
    const std::size_t end = std::min(bytes.find('\n', begin), bytes.size());
    overrides.emplace_back(bytes.substr(begin, end - begin));
    begin = end + 1;
  }
  (void)sim::default_accelerator(overrides);
}

}  // namespace guardbit::tests
