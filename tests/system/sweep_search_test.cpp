// Successive halving on a small model: the front of the full grid from a part of its replays.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/search_recall.h"
#include "tests/support/small_sweep.h"

namespace guardbit::tests {
namespace {

class SearchTest : public testing::Test {
 protected:
  SearchTest() { plan_small_sweep(directory_); }
  std::string path(const std::string& name) const { return (directory_ / name).string(); }
  CommandResult search(const std::string& options) const {
    return run_guardbit("sweep search " + path("small.toml") + " -o " + path("search") + " -q --jobs 2 " + options);
  }
  void gather(const std::string& store, const std::string& database) const {
    must_run("sweep run " + path(store) + " -q --jobs 2");
    must_run("sweep gather " + path(store) + " -o " + path(database));
  }
  std::string rows(const std::string& database, const std::string& columns) const {
    return run_guardbit("query " + path(database) + " \"SELECT " + columns + " FROM points\" --format csv").out;
  }
  TemporaryDirectory directory_;
};

TEST_F(SearchTest, FindsTheFrontOfTheGridAndResumes) {
  gather("store", "grid.db");
  const CommandResult searched = search("--x cycles --y sqnr_db --tokens 6,0 --keep 3");
  ASSERT_EQ(searched.status, 0) << searched.err;
  const Recall recall = recall_of(front_keys(path("grid.db"), "cycles", "sqnr_db"), directory_ / "search/tokens-0");
  EXPECT_GE(recall.front, 1u);
  EXPECT_EQ(recall.found, recall.front);
  EXPECT_GE(recall.replayed, 8u);
  EXPECT_LE(recall.replayed, 14u) << "a third of 24, and those that tie with the last";
  std::filesystem::remove_all(directory_ / "search/tokens-0");
  ASSERT_EQ(search("--x cycles --y sqnr_db --tokens 6,0 --keep 3").status, 0);
  EXPECT_EQ(recall_of(front_keys(path("grid.db"), "cycles", "sqnr_db"), directory_ / "search/tokens-0").replayed,
            recall.replayed);
}

TEST_F(SearchTest, NearEqualPointsGoOnTogether) {
  directory_.write("small.toml",
                   "accelerator = \"edge.toml\"\ntrace = \"trace\"\n[replay]\ntokens = 12\n[axes]\n"
                   "norm.accumulator.format = [\"e5m9\", \"fp16\", \"e5m11\"]\n"
                   "accumulator.buffer.format = [\"e5m9\", \"fp16\", \"e5m11\"]\n"
                   "storage.kv_cache = [\"fp16\", \"e5m8\", \"e5m9\"]\n");
  must_run("sweep plan " + path("small.toml") + " -o " + path("near"));
  gather("near", "near.db");
  const auto recall = [&](const std::string& options) {
    const CommandResult searched = search("--x area_um2 --y sqnr_db --tokens 4,12 --keep 9 " + options);
    EXPECT_EQ(searched.status, 0) << searched.err;
    return recall_of(front_keys(path("near.db"), "area_um2", "sqnr_db"), directory_ / "search/tokens-12");
  };
  const Recall with_slack = recall("");
  const Recall without = recall("--slack 0");
  EXPECT_GE(with_slack.front, 2u);
  EXPECT_EQ(with_slack.found, with_slack.front);
  EXPECT_LT(with_slack.replayed, 27u);
  EXPECT_LT(without.replayed, with_slack.replayed);
}

TEST_F(SearchTest, CostsAreThoseOfTheWholeReplay) {
  gather("store", "grid.db");
  ASSERT_EQ(search("--x cycles --y energy_pj --also perplexity --tokens 4,0 --keep 24").status, 0);
  gather("search/costs", "costs.db");
  const std::string costs =
      "cycles, macs, utilization, dram_bytes, energy_pj, area_um2, scratchpad_peak_bytes, accumulator_peak_bytes";
  EXPECT_EQ(rows("costs.db", costs), rows("grid.db", costs));
  EXPECT_NE(rows("costs.db", "perplexity"), rows("grid.db", "perplexity"));
}

TEST_F(SearchTest, StaysWithinABudget) {
  // 24 points with 6, 9 and all 12 tokens: the first rung is nearly half of the grid's work.
  const auto share = [](const std::string& text) {
    const std::size_t end = text.find(" % of the multiply-accumulates");
    return end == std::string::npos ? -1 : std::stod(text.substr(text.rfind('\n', end) + 1));
  };
  const auto search_loudly = [&](const std::string& name, const std::string& options) {
    return run_guardbit("sweep search " + path("small.toml") + " -o " + path(name) +
                        " --x cycles --y sqnr_db --tokens 6,9,0 --jobs 2 --slack 100 " + options);
  };
  const CommandResult unlimited = search_loudly("unlimited", "");
  const CommandResult limited = search_loudly("limited", "--budget 0.7");
  ASSERT_EQ(limited.status, 0) << limited.err;
  EXPECT_GT(share(unlimited.err), 80) << unlimited.err;
  EXPECT_LE(share(limited.err), 70) << limited.err;
  EXPECT_GT(share(limited.err), 60) << "nearly all of it is used\n" << limited.err;
  const CommandResult refused = search("--x cycles --y sqnr_db --tokens 6,9,0 --budget 0.3");
  EXPECT_EQ(refused.status, 2);
  EXPECT_THAT(refused.err, testing::ContainsRegex("--budget: got 0.3; expected 0\\.[0-9]+ or more of the grid's work"));
  EXPECT_FALSE(std::filesystem::exists(directory_ / "search"));
}

TEST_F(SearchTest, SaysWhatIsWrong) {
  const CommandResult objective = search("--x cycles --y accuracy --tokens 4,0");
  EXPECT_EQ(objective.status, 2);
  EXPECT_THAT(objective.err, testing::HasSubstr("accuracy: got no number of a point's result"));
  const CommandResult rungs = search("--x cycles --y sqnr_db --tokens 0,4");
  EXPECT_EQ(rungs.status, 2);
  EXPECT_THAT(rungs.err, testing::HasSubstr("--tokens: got numbers that do not grow"));
  std::filesystem::create_directory(directory_ / "search");
  std::filesystem::copy_file(directory_ / "store/plan.jsonl", directory_ / "search/plan.jsonl");
  const CommandResult store = search("--x cycles --y sqnr_db --tokens 4,0");
  EXPECT_EQ(store.status, 73);
  EXPECT_THAT(store.err, testing::HasSubstr("search: is the store of a sweep; expected a new name or the directory"));
  std::filesystem::remove_all(directory_ / "search");
  directory_.write("small.toml", "accelerator = \"edge.toml\"\ntrace = \"trace\"\n[axes]\nreplay.tokens = [2, 4]\n");
  const CommandResult axis = search("--x cycles --y sqnr_db --tokens 4,0");
  EXPECT_EQ(axis.status, 2);
  EXPECT_THAT(axis.err, testing::HasSubstr("replay.tokens: got an axis; expected it fixed"));
}

}  // namespace
}  // namespace guardbit::tests
