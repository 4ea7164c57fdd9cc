// A sweep as a user runs it: plan, run, status, gather, pareto, query, and what each says to wrong input.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "tests/support/small_sweep.h"

namespace guardbit::tests {
namespace {

using nlohmann::json;
using testing::HasSubstr;

class SweepTest : public testing::Test {
 protected:
  SweepTest() { plan_small_sweep(directory_); }
  std::string path(const std::string& name) const { return (directory_ / name).string(); }
  CommandResult run(const std::string& options = "") {
    return run_guardbit("sweep run " + path("store") + " -q --jobs 2 " + options);
  }
  /// Runs and gathers into directory/db.
  void gather() {
    ASSERT_EQ(run().status, 0);
    const CommandResult gathered = run_guardbit("sweep gather " + path("store") + " -o " + path("db"));
    ASSERT_EQ(gathered.status, 0) << gathered.err;
  }
  json rows(const std::string& sql) const {
    const CommandResult result = run_guardbit("query " + path("db") + " \"" + sql + "\" --format json");
    EXPECT_EQ(result.status, 0) << result.err;
    return json::parse(result.out);
  }
  std::vector<std::string> result_files() const {
    std::vector<std::string> files;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(directory_ / "store")) {
      if (entry.path().extension() == ".json") files.push_back(entry.path().string());
    }
    return files;
  }

  TemporaryDirectory directory_;
};

TEST_F(SweepTest, EveryPointIsTheReplayOfItsConfiguration) {
  gather();
  const json points = rows("SELECT * FROM points WHERE id % 5 = 1");
  ASSERT_EQ(points.size(), 5u);
  for (const json& point : points) {
    const CommandResult replayed =
        run_guardbit("replay " + path("trace") + " -a " + path("edge.toml") + " -q --format json --variants " +
                     point.at("variant").get<std::string>() + " --set array.rows=" + point.at("array_rows").dump() +
                     " --set norm.accumulator.format=" + point.at("norm_accumulator_format").get<std::string>() +
                     " --set dram.latency_cycles=" + point.at("dram_latency_cycles").dump());
    ASSERT_EQ(replayed.status, 0) << replayed.err;
    const json variant = json::parse(replayed.out).at("variants").at(0);
    for (const char* name : {"digest", "cycles", "macs", "perplexity", "sqnr_db", "utilization"}) {
      EXPECT_EQ(point.at(name), variant.at(name)) << name;
    }
    EXPECT_EQ(point.at("underflow"), variant.at("events").at("underflow"));
    EXPECT_EQ(point.at("energy_pj"), variant.at("energy").at("total_pj"));
    const json ops = rows("SELECT name, cycles, output_sha256 FROM ops WHERE point = " + point.at("id").dump());
    ASSERT_EQ(ops.size(), variant.at("ops").size());
    EXPECT_EQ(ops[3].at("output_sha256"), variant.at("ops")[3].at("output_sha256"));
    std::uint64_t stages = 0;
    for (const json& op : variant.at("ops")) {
      for (const auto& [stage, events] : op.at("stages").items()) stages += events.value("underflow", std::uint64_t{0});
    }
    EXPECT_EQ(
        rows("SELECT total(count) AS n FROM events WHERE event = 'underflow' AND point = " + point.at("id").dump())
            .at(0)
            .at("n"),
        static_cast<double>(stages));
  }
}

TEST_F(SweepTest, JobsAndShardsDoNotChangeTheDigest) {
  ASSERT_EQ(run_guardbit("sweep run " + path("store") + " -q --jobs 1").status, 0);
  const std::string digest = digest_in(run_guardbit("sweep status " + path("store")).out);
  EXPECT_EQ(digest.size(), 64u);
  std::filesystem::remove_all(directory_ / "store");
  ASSERT_EQ(run_guardbit("sweep plan " + path("small.toml") + " -o " + path("store")).status, 0);
  std::size_t points = 0;
  for (int shard = 0; shard < 3; ++shard) {
    const CommandResult part = run("--shard " + std::to_string(shard) + "/3");
    ASSERT_EQ(part.status, 0) << part.err;
    points += std::stoul(part.out.substr(part.out.find(' ')));
    EXPECT_EQ(run_guardbit("sweep status " + path("store")).status, shard < 2 ? 75 : 0);
  }
  EXPECT_EQ(points, 24u);
  EXPECT_EQ(digest_in(run_guardbit("sweep status " + path("store")).out), digest);
  EXPECT_THAT(run().out, HasSubstr("points 24, computed 0, reused 24, failed 0"));
}

TEST_F(SweepTest, DamagedFilesAreNamedAndComputedAgain) {
  gather();
  const std::string digest = digest_in(run_guardbit("sweep status " + path("store")).out);
  const std::vector<std::string> files = result_files();
  ASSERT_EQ(files.size(), 24u);
  std::filesystem::resize_file(files[0], 100);
  std::string text = content_of(files[1]);
  text[text.find("\"cycles\":") + 9] ^= 1;
  std::ofstream(files[1], std::ios::binary) << text;
  const CommandResult status = run_guardbit("sweep status " + path("store"));
  EXPECT_EQ(status.status, 75);
  EXPECT_THAT(status.out, HasSubstr("done 22, failed 0, missing 2"));
  EXPECT_THAT(status.err, HasSubstr(files[0] + ": got a truncated file"));
  EXPECT_THAT(status.err, HasSubstr(files[1] + ": the checksum does not hold"));
  const CommandResult again = run();
  EXPECT_EQ(again.status, 0) << again.err;
  EXPECT_THAT(again.out, HasSubstr("computed 2, reused 22"));
  EXPECT_EQ(digest_in(run_guardbit("sweep status " + path("store")).out), digest);
}

TEST_F(SweepTest, APlantedOtherResultIsADeterminismViolation) {
  ASSERT_EQ(run().status, 0);
  // A result with valid checksums and another number of cycles, as a broken machine would have left it.
  const std::string file = result_files()[0];
  std::istringstream lines(content_of(file));
  std::string header, point, result, provenance;
  std::getline(lines, header);
  std::getline(lines, point);
  std::getline(lines, result);
  std::getline(lines, provenance);
  const std::string key = std::filesystem::path(file).stem().string();
  result = result.substr(9, result.size() - 10);
  result[result.find("\"cycles\":") + 9] ^= 1;
  provenance = provenance.substr(13, provenance.size() - 14);
  directory_.write("result", result);
  directory_.write("checked", key + "\n" + result + "\n" + provenance + "\n");
  const auto sha256 = [&](const std::string& name) {
    FILE* pipe = popen(("sha256sum " + path(name)).c_str(), "r");
    char digits[65] = {};
    EXPECT_EQ(fread(digits, 1, 64, pipe), 64u);
    pclose(pipe);
    return std::string(digits);
  };
  std::ofstream(file, std::ios::binary) << "{\"schema\":\"guardbit-point/2\",\"key\":\"" << key
                                        << "\",\"result_sha256\":\"" << sha256("result") << "\",\"checksum\":\""
                                        << sha256("checked") << "\",\n"
                                        << point << "\n\"result\":" << result << ",\n\"provenance\":" << provenance
                                        << "}\n";
  EXPECT_THAT(run_guardbit("sweep status " + path("store")).out, HasSubstr("done 24"));
  EXPECT_THAT(run().out, HasSubstr("reused 24")) << "the first result stands";
  const CommandResult checked = run("--recheck");
  EXPECT_EQ(checked.status, 70);
  EXPECT_THAT(checked.err, HasSubstr("determinism violation"));
  EXPECT_THAT(checked.out, HasSubstr("points 24, computed 23"));
  ASSERT_TRUE(std::filesystem::exists(directory_ / "store/conflicts"));
  const CommandResult status = run_guardbit("sweep status " + path("store"));
  EXPECT_EQ(status.status, 70);
  EXPECT_THAT(status.err, HasSubstr("store/conflicts: second results that differ from the first: 1"));
  const CommandResult gathered = run_guardbit("sweep gather " + path("store") + " -o " + path("conflict.db"));
  EXPECT_EQ(gathered.status, 70);
  EXPECT_THAT(gathered.out, HasSubstr("gathered 24 of 24 points"));
  EXPECT_EQ(gathered.err, status.err);
  std::filesystem::remove(file);
  std::filesystem::remove_all(directory_ / "store/conflicts");
  EXPECT_EQ(run().status, 0);
  EXPECT_EQ(run("--recheck").status, 0);
}

TEST_F(SweepTest, FailedPointsAreRecordedAndRetried) {
  directory_.write("bad.toml",
                   "accelerator = \"edge.toml\"\ntrace = \"trace\"\n[axes]\nreplay.channels = [0, 5000]\n"
                   "replay.channel_gain = [2.0]\n");
  ASSERT_EQ(run_guardbit("sweep plan " + path("bad.toml") + " -o " + path("bad")).status, 0);
  const CommandResult first = run_guardbit("sweep run " + path("bad") + " -q");
  EXPECT_EQ(first.status, 75);
  EXPECT_THAT(first.out, HasSubstr("computed 1, reused 0, failed 1"));
  EXPECT_THAT(first.err, HasSubstr("--channels: got 5000"));
  EXPECT_EQ(run_guardbit("sweep status " + path("bad")).status, 75);
  EXPECT_THAT(run_guardbit("sweep run " + path("bad") + " -q").out, HasSubstr("computed 0, reused 1, failed 1"));
  EXPECT_EQ(run_guardbit("sweep run " + path("bad") + " -q --retry-failed").status, 75);
  const auto record = std::filesystem::directory_iterator(directory_ / "bad/failed")->path();
  const json failure = json::parse(content_of(record));
  EXPECT_EQ(failure.at("attempts"), 2);
  EXPECT_EQ(failure.at("exit_code"), 2);
  EXPECT_EQ(run_guardbit("sweep gather " + path("bad") + " -o " + path("db")).status, 75);
  EXPECT_THAT(rows("SELECT status, error FROM points WHERE status <> 'done'").at(0).at("error"),
              HasSubstr("--channels: got 5000"));
}

TEST_F(SweepTest, APointThatTakesTooLongHasFailed) {
  directory_.write("slow.toml", "accelerator = \"edge.toml\"\ntrace = \"" + included_trace() + "\"\n");  // seconds
  ASSERT_EQ(run_guardbit("sweep plan " + path("slow.toml") + " -o " + path("slow")).status, 0);
  const CommandResult result = run_guardbit("sweep run " + path("slow") + " -q --timeout 0.1");
  EXPECT_EQ(result.status, 75);
  EXPECT_THAT(result.err, HasSubstr("failed (signal 9): took longer than 0.1 s"));
  const json failure = json::parse(content_of(std::filesystem::directory_iterator(directory_ / "slow/failed")->path()));
  EXPECT_EQ(failure.at("timed_out"), true);
}

TEST_F(SweepTest, ParetoFrontIsThatOfAllPairsAndIsStored) {
  gather();
  const CommandResult front = run_guardbit("pareto " + path("db") + " --x cycles --y sqnr --also area --format json");
  ASSERT_EQ(front.status, 0) << front.err;
  std::set<std::int64_t> found;
  for (const json& row : json::parse(front.out)) found.insert(row.at("id").get<std::int64_t>());
  std::set<std::int64_t> expected;
  const json all = rows("SELECT id, cycles, sqnr_db, area_um2 FROM points");
  for (const json& a : all) {
    bool beaten = false;
    for (const json& b : all) {
      const bool no_worse = b.at("cycles") <= a.at("cycles") && b.at("sqnr_db") >= a.at("sqnr_db") &&
                            b.at("area_um2") <= a.at("area_um2");
      const bool same = b.at("cycles") == a.at("cycles") && b.at("sqnr_db") == a.at("sqnr_db") &&
                        b.at("area_um2") == a.at("area_um2");
      beaten = beaten || (no_worse && !same);
    }
    if (!beaten) expected.insert(a.at("id").get<std::int64_t>());
  }
  EXPECT_EQ(found, expected);
  EXPECT_LT(found.size(), 24u);
  EXPECT_EQ(rows("SELECT count(*) AS n FROM front_points WHERE front = 'cycles,sqnr_db,area_um2'").at(0).at("n"),
            found.size());
  const CommandResult some =
      run_guardbit("pareto " + path("db") + " --x cycles --y perplexity --where \"array_rows < 9\"");
  EXPECT_EQ(some.status, 0);
  EXPECT_THAT(some.err, HasSubstr("of 16 points"));
}

TEST_F(SweepTest, QueriesReadAndNothingElse) {
  gather();
  const std::string before = content_of(directory_ / "db");
  for (const char* sql :
       {"DELETE FROM points", "UPDATE points SET cycles = 0", "DROP TABLE ops", "ATTACH 'x' AS x",
        "PRAGMA user_version = 7", "CREATE TEMP TABLE t(a)", "VACUUM", "SELECT load_extension('x')"}) {
    const CommandResult refused = run_guardbit("query " + path("db") + " \"" + sql + "\"");
    EXPECT_EQ(refused.status, 2) << sql << refused.out;
    EXPECT_FALSE(refused.err.empty()) << sql;
  }
  for (const char* sql : {"DELETE FROM points", "CREATE TABLE t(a)"}) {
    EXPECT_THAT(run_guardbit("query " + path("db") + " \"" + sql + "\"").err, HasSubstr("expected a SELECT"));
  }
  EXPECT_THAT(run_guardbit("query " + path("db") + " \"SELECT 1; DELETE FROM points\"").err,
              HasSubstr("several statements"));
  EXPECT_THAT(
      run_guardbit("pareto " + path("db") + " --x cycles --y sqnr_db --where \"1); DELETE FROM points; --\"").err,
      HasSubstr("expected one"));
  EXPECT_THAT(run_guardbit("query " + path("db") + " \"SELECT absent FROM points\"").err, HasSubstr("no such column"));
  EXPECT_EQ(content_of(directory_ / "db"), before);
  const CommandResult csv = run_guardbit("query " + path("db") + " \"SELECT 'a,b' AS x, 2 AS y\" --format csv");
  EXPECT_EQ(csv.out, "x,y\n\"a,b\",2\n");
}

TEST_F(SweepTest, OtherFilesAreNotTakenForDatabasesOrStores) {
  directory_.write("text", "no database at all, only some text that is long enough to be read");
  EXPECT_EQ(run_guardbit("query " + path("text") + " 'SELECT 1'").status, 65);
  EXPECT_EQ(run_guardbit("query " + path("absent") + " 'SELECT 1'").status, 66);
  EXPECT_EQ(run_guardbit("sweep run " + path("absent")).status, 66);
  EXPECT_EQ(run_guardbit("sweep gather " + path("store") + " -o " + path("text")).status, 73);
  EXPECT_EQ(content_of(directory_ / "text").substr(0, 11), "no database");
  EXPECT_EQ(run("--shard 3/3").status, 2);
  EXPECT_EQ(run("--shard 1").status, 2);
}

TEST_F(SweepTest, AnotherBuildOrVersionRefusesThePlan) {
  const std::string plan = content_of(directory_ / "store/plan.jsonl");
  const auto rewrite = [&](const std::string& from, const std::string& to) {
    // The checksum in the last line is part of the file: edit, then sum up again with another program.
    std::string text = plan.substr(0, plan.rfind("{\"end\""));
    text.replace(text.find(from), from.size(), to);
    directory_.write("body", text);
    std::system(("sha256sum " + path("body") + " | cut -c1-64 | tr -d '\\n' > " + path("sum")).c_str());
    directory_.write("store/plan.jsonl",
                     text + "{\"end\":true,\"sha256\":\"" + content_of(directory_ / "sum") + "\"}\n");
  };
  const std::size_t at = plan.find("\"tool_sha256\":\"") + 15;
  rewrite(plan.substr(at, 64), std::string(64, '0'));
  EXPECT_EQ(run().status, 78);
  EXPECT_THAT(run().err, HasSubstr("another build"));
  EXPECT_EQ(run("--allow-mixed").status, 0);
  rewrite("\"numerics\":\"", "\"numerics\":\"old");
  EXPECT_EQ(run("--allow-mixed").status, 78);
  rewrite("guardbit-plan/1", "guardbit-plan/9");
  EXPECT_EQ(run().status, 65);
  EXPECT_THAT(run().err, HasSubstr("plan.jsonl:1: got another schema; expected guardbit-plan/1"));
}

TEST(ShippedSweepsTest, AllPlan) {
  const TemporaryDirectory directory;
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(std::string(GUARDBIT_SOURCE_DIR) + "/configs/sweeps")) {
    const CommandResult planned = run_guardbit("sweep plan " + entry.path().string() + " -o " +
                                               (directory / entry.path().stem().string()).string());
    EXPECT_EQ(planned.status, 0) << planned.err;
    ++count;
  }
  EXPECT_GE(count, 1u);
}

}  // namespace
}  // namespace guardbit::tests
