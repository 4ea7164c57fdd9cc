// Successive halving on 500 points of the included trace against the full grid (docs/sweeps.md).
#include <gtest/gtest.h>

#include "tests/support/search_recall.h"

namespace guardbit::tests {
namespace {

class SearchFullTest : public testing::Test {
 protected:
  std::string path(const std::string& name) const { return (directory_ / name).string(); }

  /// Writes the sweep file and computes its grid.
  void plan(const std::string& accelerator, const std::string& rest) const {
    const std::string root = GUARDBIT_SOURCE_DIR;
    directory_.write("space.toml", "accelerator = \"" + root + "/configs/accelerators/" + accelerator +
                                       ".toml\"\ntrace = \"" + root + "/traces/kjv-gpt2\"\n" + rest);
    must_run("sweep plan " + path("space.toml") + " -o " + path("grid"));
    must_run("sweep run " + path("grid") + " -q");
    must_run("sweep gather " + path("grid") + " -o " + path("grid.db"));
  }
  /// What the search finds of the grid's front, tokens.back() being those of the grid.
  Recall search(const std::string& x, const std::string& y, const std::string& options,
                const std::string& last_rung) const {
    must_run("sweep search " + path("space.toml") + " -o " + path("search") + " -q --x " + x + " --y " + y + " " +
             options);
    const Recall recall = recall_of(front_keys(path("grid.db"), x, y), directory_ / ("search/" + last_rung));
    printf("%s, %s: %zu of %zu points of the front, %zu replayed\n", x.c_str(), y.c_str(), recall.found, recall.front,
           recall.replayed);
    return recall;
  }
  /// Of the fronts of each cost with either quality together, which have `least_front` points at least.
  void expect_nine_tenths(const std::vector<std::string>& costs, std::size_t most_replayed,
                          std::size_t least_front) const {
    std::size_t front = 0;
    std::size_t found = 0;
    for (const std::string& x : costs) {
      for (const std::string y : {"sqnr_db", "perplexity"}) {
        const Recall recall = search(x, y, "--tokens 8,32 --keep 10", "tokens-32");
        front += recall.front;
        found += recall.found;
        EXPECT_LE(recall.replayed, most_replayed) << x << " " << y;
      }
    }
    EXPECT_GE(front, least_front);
    EXPECT_GE(static_cast<double>(found), 0.9 * static_cast<double>(front));
  }

  TemporaryDirectory directory_;
};

TEST_F(SearchFullTest, FindsNineTenthsOfTheFrontOf500Points) {
  plan("edge",
       "[replay]\nwindows = 1\ntokens = 64\n[axes]\n"
       "norm.accumulator.format = [\"fp16\", \"bf16\", \"e5m13\", \"e6m9\", \"fp32\"]\n"
       "accumulator.buffer.format = [\"fp16\", \"bf16\", \"e5m13\", \"e6m9\", \"fp32\"]\n"
       "storage.kv_cache = [\"fp16\", \"e4m3\"]\nvariant = [\"none\", \"slanc+rrs\"]\n"
       "[[zip]]\narray.rows = [8, 16, 24, 32, 64]\narray.cols = [8, 16, 24, 32, 64]\n");
  for (const std::string y : {"sqnr_db", "perplexity"}) {
    const Recall recall = search("cycles", y, "--tokens 8,64 --keep 5", "tokens-64");
    EXPECT_GE(recall.front, 5u) << y;
    EXPECT_GE(static_cast<double>(recall.found), 0.9 * static_cast<double>(recall.front)) << y;
    EXPECT_LE(recall.replayed, 110u) << y;
  }
}

/// Other formats on another accelerator: every point is a format of its own, most of them nearly as good as the next,
/// and the tokens of a short replay are not those of the long one.
TEST_F(SearchFullTest, FindsNineTenthsOfTheFrontOf500NearEqualPoints) {
  plan("fp8",
       "[replay]\nwindows = 2\ntokens = 32\n[axes]\n"
       "accumulator.format = [\"fp16\", \"e5m8\", \"e6m9\", \"e5m12\", \"bf16\"]\n"
       "norm.accumulator.format = [\"e5m4\", \"e5m6\", \"bf16\", \"e6m9\", \"fp16\"]\n"
       "head.accumulator.format = [\"fp16\", \"e5m8\", \"e6m9\", \"bf16\", \"e5m6\"]\n"
       "storage.residual = [\"bf16\", \"fp16\", \"e8m9\", \"e8m8\"]\n");
  expect_nine_tenths({"energy_pj", "area_um2"}, 420u, 20u);
}

/// Formats that nothing of the search was chosen on (docs/sweeps.md).
TEST_F(SearchFullTest, FindsNineTenthsOfTheFrontsOfAHeldOutSpace) {
  plan("edge",
       "variant = \"slanc+rrs\"\n[set]\narray.cols = 16\n[replay]\nwindows = 2\ntokens = 32\n[axes]\n"
       "accumulator.buffer.format = [\"fp16\", \"e5m8\", \"e6m11\", \"e8m10\", \"e6m7\"]\n"
       "norm.accumulator.format = [\"fp16\", \"e6m8\", \"e7m10\", \"fp32\", \"e5m8\"]\n"
       "attention.accumulator.format = [\"fp16\", \"e5m8\"]\narray.rows = [8, 32]\n");
  expect_nine_tenths({"cycles", "energy_pj", "area_um2"}, 50u, 15u);
}

}  // namespace
}  // namespace guardbit::tests
