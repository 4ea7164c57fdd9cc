#pragma once
/// Two result.json of `guardbit replay`, number by number: what `guardbit compare` shows.
#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

namespace guardbit::sim {

/// A number or text that is not the same in both.
struct ResultDifference {
  std::string place;  ///< "perplexity", "units.matrix.busy", "ops.layers.0.attn.q.stages.storage.inexact"
  std::string a;      ///< as written; where only the other has it "-", or "0" of counts, whose zeros reports leave out
  std::string b;
};

struct ResultComparison {
  /// Of trace, mode, accelerator and its keys: what explains differences. Two results may be equal all the same.
  std::vector<ResultDifference> inputs;
  struct Variant {
    std::string name;
    std::vector<ResultDifference> differences;
  };
  std::vector<Variant> variants;    ///< those of both, in the order of A
  std::vector<std::string> only_a;  ///< variants
  std::vector<std::string> only_b;

  /// Whether both have the same variants with the same numbers; inputs and provenance do not matter.
  bool equal() const;
};

/// Each a result.json or a directory that holds one. UserError: kMissingInput, kMalformedInput (also for a result of
/// another schema).
[[nodiscard]] ResultComparison compare_results(const std::filesystem::path& a, const std::filesystem::path& b);

/// Aligned tables by subject; of each at most `max_rows` rows (0: all).
[[nodiscard]] std::string comparison_text(const ResultComparison& comparison, std::size_t max_rows);
[[nodiscard]] std::string comparison_json(const ResultComparison& comparison);

}  // namespace guardbit::sim
