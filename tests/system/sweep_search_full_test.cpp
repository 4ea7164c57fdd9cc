// Successive halving on 500 points of the included trace against the full grid (docs/sweeps.md).
#include <gtest/gtest.h>

#include "tests/support/search_recall.h"

namespace guardbit::tests {
namespace {

TEST(SearchFullTest, FindsNineTenthsOfTheFrontOf500Points) {
  const TemporaryDirectory directory;
  const auto path = [&](const std::string& name) { return (directory / name).string(); };
  const std::string root = GUARDBIT_SOURCE_DIR;
  directory.write("space.toml", "accelerator = \"" + root + "/configs/accelerators/edge.toml\"\ntrace = \"" + root +
                                    "/traces/kjv-gpt2\"\n"
                                    "[replay]\nwindows = 1\ntokens = 64\n[axes]\n"
                                    "norm.accumulator.format = [\"fp16\", \"bf16\", \"e5m13\", \"e6m9\", \"fp32\"]\n"
                                    "accumulator.buffer.format = [\"fp16\", \"bf16\", \"e5m13\", \"e6m9\", \"fp32\"]\n"
                                    "storage.kv_cache = [\"fp16\", \"e4m3\"]\nvariant = [\"none\", \"slanc+rrs\"]\n"
                                    "[[zip]]\narray.rows = [8, 16, 24, 32, 64]\narray.cols = [8, 16, 24, 32, 64]\n");
  must_run("sweep plan " + path("space.toml") + " -o " + path("grid"));
  must_run("sweep run " + path("grid") + " -q");
  must_run("sweep gather " + path("grid") + " -o " + path("grid.db"));
  for (const std::string y : {"sqnr_db", "perplexity"}) {
    must_run("sweep search " + path("space.toml") + " -o " + path("search") + " -q --x cycles --y " + y +
             " --tokens 8,64 --keep 5");
    const Recall recall = recall_of(front_keys(path("grid.db"), "cycles", y), directory / "search/tokens-64");
    EXPECT_GE(recall.front, 5u) << y;
    EXPECT_GE(static_cast<double>(recall.found), 0.9 * static_cast<double>(recall.front)) << y;
    EXPECT_LE(recall.replayed, 110u) << y;
  }
}

}  // namespace
}  // namespace guardbit::tests
