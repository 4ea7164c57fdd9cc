// The grammar of variants: the canonical text of what is accepted is accepted, and is its own canonical text.
#include <stdexcept>
#include <string>

#include "models/calibration/variant.h"
#include "tests/fuzz/fuzz_targets.h"

namespace guardbit::tests {

void fuzz_variant(std::string_view bytes) {
  std::vector<std::string> canonical;
  for (const std::string& text : calibration::split_variants(bytes)) {
    try {
      canonical.push_back(calibration::parse_variant(text).canonical_text());
    } catch (const std::invalid_argument& error) {
      if (std::string_view(error.what()).empty()) throw std::runtime_error("an error that says nothing");
    }
  }
  for (const std::string& text : canonical) {
    std::string again;
    try {
      again = calibration::parse_variant(text).canonical_text();
    } catch (const std::invalid_argument& error) {
      throw std::logic_error(std::string("a canonical text is refused: ") + error.what());
    }
    if (again != text) throw std::logic_error("canonical texts '" + text + "' and '" + again + "'");
  }
}

}  // namespace guardbit::tests
