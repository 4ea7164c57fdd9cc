#pragma once
/// Where two recordings of a case differ, down to the first element.
#include <optional>
#include <string>
#include <vector>

#include "sim/regress/golden.h"

namespace guardbit::sim {

/// A number that has changed. `place`: "attn.q inner_accumulator.overflow", "matrix.busy".
struct CountDifference {
  std::string place;
  std::uint64_t golden = 0;
  std::uint64_t now = 0;
};

/// An element, or the rows among which it is.
struct ElementDifference {
  std::uint64_t window = 0;
  std::uint64_t row = 0;
  std::uint64_t last_row = 0;  ///< = row, unless digests of several rows are all there is
  /// The element itself; none: it lies behind the rows whose codes are kept.
  struct Bits {
    std::uint64_t col = 0;
    std::string golden;  ///< "0x3c01 (fp16) = 1.0009766": code in hexadecimal digits of the format's width, and value
    std::string now;
  };
  std::optional<Bits> bits;
};

struct OpDifference {
  std::string op;
  std::string kind;
  std::string shapes;                        ///< "" or "got ..., golden ...": then no element is named
  std::optional<ElementDifference> element;  ///< none: no kept code and no digest of rows differs
};

struct VariantDifference {
  std::string variant;
  std::string structure;  ///< "" or what makes the two incomparable: other ops, a missing variant
  std::size_t num_ops = 0;
  std::size_t num_differing_ops = 0;    ///< by their outputs
  std::optional<OpDifference> first;    ///< in op order
  std::vector<CountDifference> events;  ///< in op order
  std::vector<CountDifference> cycles;  ///< of the run, then of ops
  std::string golden_digest;
  std::string now_digest;
  std::string golden_perplexity;
  std::string now_perplexity;

  bool any() const {
    return !structure.empty() || first || !events.empty() || !cycles.empty() || golden_digest != now_digest;
  }
};

struct CaseDifference {
  std::string name;
  std::vector<std::string> inputs;  ///< "accelerator.norm.rounding: golden \"rne\", now \"rtz\""
  std::vector<VariantDifference> variants;

  bool any() const;
};

/// Both recorded with the same limits.
[[nodiscard]] CaseDifference compare_goldens(const CaseGolden& golden, const CaseGolden& now);

}  // namespace guardbit::sim
