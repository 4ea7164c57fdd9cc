// Successive halving finds the front that the whole grid has, for a part of its work.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>

#include "tests/support/small_sweep.h"

namespace guardbit::tests {
namespace {

using nlohmann::json;

TEST(SweepSearchTest, FindsNineTenthsOfTheFrontOfAllPoints) {
  const TemporaryDirectory directory;
  capture_small_model(directory, 48);
  std::filesystem::copy_file(shipped_accelerator("edge"), directory / "edge.toml");
  const std::string axes =
      "[axes]\narray.rows = [4, 8, 16, 32, 64]\nnorm.accumulator.format = [\"fp16\", \"bf16\", \"e5m13\", \"e6m9\", "
      "\"fp32\"]\n"
      "accumulator.buffer.format = [\"fp16\", \"bf16\", \"e5m13\", \"e6m9\", \"fp32\"]\n"
      "storage.kv_cache = [\"fp16\", \"fp8_e5m2\"]\nvariant = [\"none\", \"rs\"]\n";
  const std::string head = "accelerator = \"edge.toml\"\ntrace = \"trace\"\n";
  const auto sweep = directory.write("sweep.toml", head + axes).string();
  const auto grid = directory.write("grid.toml", head + "[replay]\ntokens = 48\n" + axes).string();
  const auto path = [&](const char* name) { return (directory / name).string(); };

  const CommandResult searched =
      run_guardbit("sweep search " + sweep + " -o " + path("search") + " --x cycles --y sqnr_db --tokens 12,48 -q");
  ASSERT_EQ(searched.status, 0) << searched.err;
  ASSERT_EQ(run_guardbit("sweep plan " + grid + " -o " + path("grid")).status, 0);
  ASSERT_EQ(run_guardbit("sweep run " + path("grid") + " -q").status, 0);
  const auto front = [&](const std::string& store) {
    EXPECT_EQ(run_guardbit("sweep gather " + store + " -o " + store + ".db").status, 0);
    EXPECT_EQ(run_guardbit("pareto " + store + ".db --x cycles --y sqnr_db --name f").status, 0);
    const CommandResult keys =
        run_guardbit("query " + store + ".db \"SELECT key FROM points JOIN front_points ON point = id\" --format json");
    std::set<std::string> result;
    for (const json& row : json::parse(keys.out)) result.insert(row.at("key").get<std::string>());
    return result;
  };
  const std::set<std::string> all = front(path("grid"));
  const std::set<std::string> found = front(path("search") + "/tokens-48");
  std::size_t hits = 0;
  for (const std::string& key : all) hits += found.contains(key) ? 1 : 0;
  EXPECT_GE(static_cast<double>(hits), 0.9 * static_cast<double>(all.size())) << hits << " of " << all.size();
  const CommandResult again =
      run_guardbit("sweep search " + sweep + " -o " + path("search") + " --x cycles --y sqnr_db --tokens 12,48 -q");
  EXPECT_EQ(again.out.find("tokens"), 0u);
  EXPECT_NE(again.out.find("500         0     500"), std::string::npos) << "it resumes: " << again.out;
}

}  // namespace
}  // namespace guardbit::tests
