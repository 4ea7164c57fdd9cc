// Traces in traces/: each loads, has the stated hashes, and its recorded results agree with fp64 results that were
// computed by other software (source/reference_fp64.json).
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <regex>
#include <span>

#include "models/transformer/reference.h"
#include "sim/base/sha256.h"
#include "sim/trace/model_import.h"
#include "tests/support/expect_error.h"
#include "tests/support/shared_data.h"
#include "tests/support/temporary_directory.h"

namespace guardbit::sim {
namespace {

namespace fs = std::filesystem;
using tests::content_of;

const fs::path kTraces = fs::path(GUARDBIT_SOURCE_DIR) / "traces";

std::vector<fs::path> trace_directories() {
  std::vector<fs::path> directories;
  for (const fs::directory_entry& entry : fs::directory_iterator(kTraces)) {
    const bool is_exporter = entry.path().filename() == "capture";
    if (entry.is_directory() && !is_exporter) directories.push_back(entry.path());
  }
  return directories;
}

TEST(IncludedTraceTest, EveryTraceLoadsAndVerifies) {
  ASSERT_FALSE(trace_directories().empty());
  for (const fs::path& directory : trace_directories()) {
    const Trace trace = load_trace(directory);
    EXPECT_EQ(trace.name, directory.filename());
    EXPECT_NO_THROW(verify_trace(trace, load_model(trace)));
  }
}

TEST(IncludedTraceTest, ReadmeListsEveryFileWithItsHash) {
  const std::string readme = content_of(kTraces / "README.md");
  const std::regex row("([0-9a-f]{64})  (\\S+)");
  std::map<std::string, std::string> listed;
  for (std::sregex_iterator match(readme.begin(), readme.end(), row), end; match != end; ++match) {
    listed[(*match)[2]] = (*match)[1];
  }
  std::map<std::string, std::string> found;
  for (const fs::path& directory : trace_directories()) {
    for (const fs::directory_entry& entry : fs::recursive_directory_iterator(directory)) {
      if (entry.is_regular_file()) found[fs::relative(entry.path(), kTraces).string()] = sha256_of_file(entry.path());
    }
  }
  EXPECT_EQ(listed, found);
}

TEST(IncludedTraceTest, KjvLikelihoodsAgreeWithTheFp64Reference) {
  const Trace trace = load_trace(kTraces / "kjv-gpt2");
  const auto reference = nlohmann::json::parse(content_of(kTraces / "kjv-gpt2" / "source" / "reference_fp64.json"));
  ASSERT_EQ(trace.windows.size(), reference.at("windows").size());
  for (std::size_t i = 0; i < trace.windows.size(); ++i) {
    const auto& expected = reference.at("windows")[i];
    EXPECT_EQ(trace.windows[i].tokens, expected.at("tokens").get<std::vector<int>>()) << i;
    const double nll = expected.at("nll_sum");
    EXPECT_NEAR(trace.windows[i].reference_nll, nll, 1e-4 * nll) << i;
  }
}

/// Recaptured from its own parts: same weights, tokens and records, so the trace is what capture() makes.
TEST(IncludedTraceTest, KjvIsReproducible) {
  const fs::path included = kTraces / "kjv-gpt2";
  const tests::TemporaryDirectory directory;
  directory.write("kjv-gpt2/config.json", content_of(included / "source" / "config.json"));
  directory.write("kjv-gpt2/model.safetensors", content_of(included / "weights.safetensors"));
  const Trace trace = load_trace(included);
  CaptureOptions options;
  options.origin = trace.origin;
  capture(directory / "kjv-gpt2", included / "source" / "reference_fp64.json", directory / "out", options);
  const Trace again = load_trace(directory / "out");
  EXPECT_EQ(again.name, trace.name);
  EXPECT_EQ(again.shape, trace.shape);
  EXPECT_EQ(again.weights_sha256, trace.weights_sha256);
  ASSERT_EQ(again.windows.size(), trace.windows.size());
  for (std::size_t i = 0; i < trace.windows.size(); ++i) {
    EXPECT_EQ(again.windows[i].tokens, trace.windows[i].tokens);
    // The reference uses the C library's exp and tanh and sums in vector lanes: other hosts differ in the last bits.
    EXPECT_NEAR(again.windows[i].reference_nll, trace.windows[i].reference_nll, 1e-6 * trace.windows[i].reference_nll);
  }
  EXPECT_EQ(fs::file_size(*again.activations), fs::file_size(*trace.activations));
}

struct ReferenceCase {
  const char* model;
  const char* folder;
  const char* list;
  std::size_t num_unused;  ///< last tokens that are targets only where the last position's logits were taken
};
void PrintTo(const ReferenceCase& value, std::ostream* stream) { *stream << value.folder; }

class ImportedModelTest : public testing::TestWithParam<ReferenceCase> {};

/// Likelihoods, last position's top-1 and first eight logits of a real model through import, capture, load and
/// reference.
TEST_P(ImportedModelTest, AgreesWithTheFp64Reference) {
  const std::string folder = std::string("models/") + GetParam().folder;
  GUARDBIT_REQUIRE_SHARED(folder);
  const fs::path reference_file = tests::shared_path(folder) / "reference_fp64.json";
  const tests::TemporaryDirectory directory;
  capture(tests::shared_path(folder) / GetParam().model, reference_file, directory / "out");
  const Trace trace = load_trace(directory / "out");
  const transformer::Model<float> model = load_model(trace);
  EXPECT_NO_THROW(verify_trace(trace, model));

  const auto reference = nlohmann::json::parse(content_of(reference_file));
  double sum = 0;
  std::size_t num_targets = 0;
  ASSERT_EQ(trace.windows.size(), reference.at(GetParam().list).size());
  for (std::size_t i = 0; i < trace.windows.size(); ++i) {
    const auto& expected = reference.at(GetParam().list)[i];
    const double nll = expected.at("nll_sum");
    EXPECT_NEAR(trace.windows[i].reference_nll, nll, 1e-4 * nll) << i;
    sum += trace.windows[i].reference_nll;
    num_targets += trace.windows[i].tokens.size() - 1;

    const std::span<const int> tokens(trace.windows[i].tokens);
    const auto logits =
        transformer::run_reference(model, tokens.first(tokens.size() - GetParam().num_unused)).at("head");
    const float* last = logits.row(logits.rows() - 1);
    EXPECT_EQ(std::max_element(last, last + logits.cols()) - last, expected.at("top1_last").get<std::ptrdiff_t>()) << i;
    for (std::size_t c = 0; c < 8; ++c) {
      const double logit = expected.at("logits_last_first8")[c];
      EXPECT_NEAR(last[c], logit, 1e-4 * std::fabs(logit)) << i << ", logit " << c;
    }
  }
  const double perplexity = reference.at("perplexity");
  EXPECT_NEAR(std::exp(sum / static_cast<double>(num_targets)), perplexity, 1e-5 * perplexity);
}
INSTANTIATE_TEST_SUITE_P(Shared, ImportedModelTest,
                         testing::Values(ReferenceCase{".", "kjv-gpt2", "windows", 1},
                                         ReferenceCase{"stories260K.bin", "stories260k", "documents", 0}),
                         [](const auto& row) { return row.param.list; });

}  // namespace
}  // namespace guardbit::sim
