#include "sim/conform/conform.h"

#include <fmt/format.h>

#include "sim/base/error.h"
#include "sim/base/signal_guard.h"
#include "sim/conform/check_line.h"
#include "sim/conform/gemm_blocks.h"

namespace guardbit::sim {
namespace {

void check_lines(VectorReader& reader, const VectorMeaning& meaning, ConformFileResult& result) {
  while (const auto line = reader.next()) {
    throw_if_interrupted();
    const LineOutcome outcome = check_line(*line, meaning);
    if (outcome.skipped) {
      ++result.num_skipped;
      continue;
    }
    ++result.num_checked;
    if (!outcome.difference) continue;
    ++result.num_mismatches;
    if (result.first_mismatch) continue;
    result.first_mismatch = VectorMismatch{line->number(), line->text(), outcome.difference->column,
                                           outcome.difference->got, outcome.difference->expected};
  }
}

void check_blocks(VectorReader& reader, ConformFileResult& result) {
  GemmBlockChecker checker(result);
  while (const auto line = reader.next()) {
    throw_if_interrupted();
    checker.check(*line);
  }
  checker.finish(reader.path());
}

ConformFileResult check_file(const std::filesystem::path& file, const VectorMeaning& meaning) {
  ConformFileResult result;
  result.file = file.string();
  result.operation = meaning.text();
  VectorReader reader(file);
  if (meaning.layout == VectorLayout::kGemmBlocks) {
    check_blocks(reader, result);
  } else {
    check_lines(reader, meaning, result);
  }
  if (result.num_checked + result.num_skipped == 0) {
    throw UserError(ExitCode::kMalformedInput, fmt::format("{}: no vectors; expected at least one", file.string()));
  }
  return result;
}

}  // namespace

ConformResult conform(std::span<const std::filesystem::path> files, const ConformOptions& options,
                      const std::function<void(std::size_t, std::size_t)>& progress) {
  std::vector<VectorMeaning> meanings;
  for (const std::filesystem::path& file : files) meanings.push_back(vector_meaning(file, options));
  ConformResult result;
  for (std::size_t i = 0; i < files.size(); ++i) {
    if (progress) progress(i, files.size());
    result.files.push_back(check_file(files[i], meanings[i]));
  }
  if (progress) progress(files.size(), files.size());
  return result;
}

}  // namespace guardbit::sim
