// The store keeps what it was given: every flipped or missing byte is noticed, the first result stays, a second one
// that differs is kept beside it, leftovers of dead processes go.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sim/base/error.h"
#include "sim/base/sha256.h"
#include "sim/sweep/durable_file.h"
#include "sim/sweep/store.h"
#include "sim/sweep/stored_result.h"
#include "sim/sweep/sweep_status.h"
#include "tests/support/expect_error.h"
#include "tests/support/temporary_directory.h"

namespace guardbit::sim {
namespace {

using testing::HasSubstr;
using tests::refuses;

const std::string kPoint = R"({"accelerator":{},"variant":"none"})";
const std::string kKey = sha256_hex(kPoint);
const std::string kResult = R"({"cycles":12,"perplexity":3.5})";
const std::string kProvenance = R"({"host":"a","seconds":"0.5"})";

std::string text_of(const std::string& result, const std::string& provenance = kProvenance) {
  return point_text(kKey, kPoint, result, provenance);
}

Plan plan_of_one() {
  Plan plan;
  plan.space.axes = {{"accelerator", {"edge.toml"}}, {"trace", {"trace"}}, {"variant", {"none"}}};
  plan.points = {{kKey, {0, 0, 0}}};
  return plan;
}

class StoreTest : public testing::Test {
 protected:
  StoreTest() {
    Store::create(path_, plan_of_one(), false);
    store_.emplace(path_);
    store_->prepare_writing();
  }
  Store::State state() {
    PointFile file;
    problem_.clear();
    return store_->read(kKey, file, problem_);
  }
  void put(const std::string& text) { directory_.write("store/" + kKey.substr(0, 2) + "/" + kKey + ".json", text); }
  std::size_t count(const std::string& name) const {
    const std::filesystem::path directory = path_ / name;
    if (!std::filesystem::exists(directory)) return 0;
    const std::filesystem::directory_iterator entries(directory);
    return static_cast<std::size_t>(std::distance(begin(entries), end(entries)));
  }

  tests::TemporaryDirectory directory_;
  std::filesystem::path path_ = directory_ / "store";
  std::optional<Store> store_;
  std::string problem_;
};

TEST(PointFileTest, RoundTripsAsOneJsonObject) {
  PointFile file;
  ASSERT_EQ(read_point(text_of(kResult), kKey, file), "");
  EXPECT_EQ(file.point, kPoint);
  EXPECT_EQ(file.result, kResult);
  EXPECT_EQ(file.provenance, kProvenance);
  EXPECT_EQ(file.result_sha256, sha256_hex(kResult));
}

TEST(PointFileTest, EveryBitAndEveryLengthCounts) {
  const std::string text = text_of(kResult);
  PointFile file;
  for (std::size_t at = 0; at < text.size(); ++at) {
    EXPECT_NE(read_point(text.substr(0, at), kKey, file), "") << "cut at " << at;
    for (int bit = 0; bit < 8; ++bit) {
      std::string flipped = text;
      flipped[at] = static_cast<char>(flipped[at] ^ (1 << bit));
      EXPECT_NE(read_point(flipped, kKey, file), "") << "byte " << at << " bit " << bit;
    }
  }
  EXPECT_NE(read_point(text + "\n", kKey, file), "");
  EXPECT_NE(read_point(text, sha256_hex("another"), file), "");
}

TEST(PointFileTest, AnotherVersionIsNamed) {
  std::string text = text_of(kResult);
  text.replace(text.find("point/2"), 7, "point/1");
  PointFile file;
  EXPECT_THAT(read_point(text, kKey, file),
              HasSubstr("got schema \"guardbit-point/1\"; expected \"guardbit-point/2\""));
}

TEST(StoredResultTest, HoldsWhatGatherTakes) {
  StoredResult result;
  const std::string json =
      R"({"mode":"x","cycles":12,"sqnr_db":null,"energy_pj":1.5,"events":{"overflow":3},"units":{"load":[1,2],)"
      R"("ops":{"name":["no"]}},"ops":{"name":["a","b"],"cycles":[4,5],"short":[1]},)"
      R"("op_events":{"overflow":{"sum":[0,2,1,1],"square":[1,7]}}})";
  for (int again = 0; again < 2; ++again) {
    result.read(json);
    EXPECT_EQ(result.text(result.member("mode")), "x");
    EXPECT_EQ(result.member("cycles").integer, 12);
    EXPECT_EQ(result.member("sqnr_db").kind, StoredValue::Kind::kNull);
    EXPECT_EQ(result.member("energy_pj").real, 1.5);
    EXPECT_EQ(result.event("overflow").integer, 3);
    ASSERT_EQ(result.op_list("name").size(), 2u);
    EXPECT_EQ(result.text(result.op_list("name")[1]), "b");
    EXPECT_EQ(result.op_list("cycles")[1].integer, 5);
    ASSERT_EQ(result.op_events().size(), 2u);
    EXPECT_EQ(result.op_events()[0].stage, "sum");
    EXPECT_THAT(result.numbers_of(result.op_events()[0]), testing::ElementsAre(0, 2, 1, 1));
    EXPECT_THAT(result.numbers_of(result.op_events()[1]), testing::ElementsAre(1, 7));
  }
  EXPECT_TRUE(refuses([&] { (void)result.member("name"); }, ExitCode::kMalformedInput, "has no name"));
  EXPECT_TRUE(refuses([&] { (void)result.event("cycles"); }, ExitCode::kMalformedInput, "has no cycles"));
  EXPECT_TRUE(refuses([&] { (void)result.op_list("macs"); }, ExitCode::kMalformedInput, "/ops has no macs"));
  EXPECT_TRUE(refuses([&] { (void)result.op_list("short"); }, ExitCode::kMalformedInput,
                      "/ops/short: got 1 values; expected 2, one an op"));
}

TEST(StoredResultTest, RefusesWhatIsNoResult) {
  StoredResult result;
  const auto refused = [&](const std::string& json, const char* message) {
    return refuses([&] { result.read(json); }, ExitCode::kMalformedInput, message);
  };
  EXPECT_TRUE(refused("{\"cycles\":", "parse error"));
  EXPECT_TRUE(refused(R"({"op_events":{"overflow":{"sum":[0]}}})", "/op_events/overflow/sum: expected pairs"));
  EXPECT_TRUE(refused(R"({"op_events":{"overflow":{"sum":[0,"1"]}}})", "/op_events/overflow/sum: expected integers"));
}

TEST_F(StoreTest, FirstWriterWinsAndAnEqualResultIsFine) {
  EXPECT_EQ(state(), Store::State::kMissing);
  EXPECT_EQ(store_->publish(kKey, text_of(kResult)), Store::Published::kNew);
  EXPECT_EQ(store_->publish(kKey, text_of(kResult, R"({"host":"b"})")), Store::Published::kEqual);
  EXPECT_EQ(tests::content_of(store_->path_of(kKey)), text_of(kResult)) << "provenance of the first one";
  EXPECT_EQ(state(), Store::State::kDone);
  EXPECT_EQ(count("tmp"), 0u);
}

TEST_F(StoreTest, ADifferentSecondResultIsAViolationAndBothAreKept) {
  (void)store_->publish(kKey, text_of(kResult));
  const std::string other = text_of(R"({"cycles":13,"perplexity":3.5})");
  EXPECT_THROW((void)store_->publish(kKey, other), DeterminismViolation);
  EXPECT_EQ(tests::content_of(store_->path_of(kKey)), text_of(kResult));
  ASSERT_EQ(store_->num_conflicts(), 1u);
  EXPECT_EQ(tests::content_of(std::filesystem::directory_iterator(path_ / "conflicts")->path()), other);
  EXPECT_THROW((void)store_->publish(kKey, other), DeterminismViolation) << "again";
  EXPECT_EQ(store_->num_conflicts(), 1u);
}

TEST_F(StoreTest, ADamagedFileIsNamedSetAsideAndReplaced) {
  for (const std::string& damaged : {std::string(), text_of(kResult).substr(0, 300), std::string("{}\n")}) {
    put(damaged);
    EXPECT_EQ(state(), Store::State::kDamaged);
    EXPECT_FALSE(problem_.empty());
  }
  const SweepStatus status = read_store(*store_, plan_of_one(), true);
  EXPECT_EQ(status.done, 0u);
  EXPECT_EQ(status.missing, 1u);
  ASSERT_EQ(status.messages.size(), 1u);
  EXPECT_THAT(status.messages[0], HasSubstr(kKey + ".json: "));
  EXPECT_EQ(store_->publish(kKey, text_of(kResult)), Store::Published::kNew);
  EXPECT_EQ(state(), Store::State::kDone);
  EXPECT_EQ(count("damaged"), 1u);
}

TEST_F(StoreTest, DeepStatusNamesFilesOfNoPoint) {
  directory_.write("store/ab/" + std::string(64, 'a') + ".json", "x");
  EXPECT_TRUE(read_store(*store_, plan_of_one(), false).messages.empty());
  EXPECT_THAT(read_store(*store_, plan_of_one(), true).messages.at(0), HasSubstr("belongs to no point"));
}

TEST_F(StoreTest, DigestIsThatOfSortedResults) {
  (void)store_->publish(kKey, text_of(kResult));
  EXPECT_EQ(read_store(*store_, plan_of_one(), false).digest, sha256_hex(kKey + " " + sha256_hex(kResult) + "\n"));
}

TEST_F(StoreTest, FailuresAreRecordedAndForgotten) {
  EXPECT_FALSE(store_->failure(kKey));
  store_->record_failure(kKey, {.exit_code = 65, .signal = 0, .timed_out = false, .attempts = 2, .error = "bad \xff"});
  const auto failure = store_->failure(kKey);
  ASSERT_TRUE(failure);
  EXPECT_EQ(failure->exit_code, 65);
  EXPECT_EQ(failure->attempts, 2);
  EXPECT_EQ(read_store(*store_, plan_of_one(), false).failed, 1u);
  store_->forget_failure(kKey);
  EXPECT_FALSE(store_->failure(kKey));
  directory_.write("store/failed/" + kKey + ".json", "{\"schema\"");
  EXPECT_FALSE(store_->failure(kKey)) << "a damaged record says nothing";
}

TEST_F(StoreTest, LeftoversOfTheDeadGoThoseOfTheLivingStay) {
  const auto old_file = [&](const std::string& name) {
    const auto file = directory_.write("store/tmp/" + name, "half");
    const timespec past[2] = {{1000, 0}, {1000, 0}};
    utimensat(AT_FDCWD, file.c_str(), past, 0);
    return file;
  };
  const auto dead = old_file("dead");
  const auto locked = old_file("locked");
  const auto young = directory_.write("store/tmp/young", "half");
  const int descriptor = open(locked.c_str(), O_RDWR);
  ASSERT_EQ(flock(descriptor, LOCK_EX), 0);
  store_->prepare_writing();
  EXPECT_FALSE(std::filesystem::exists(dead));
  EXPECT_TRUE(std::filesystem::exists(locked));
  EXPECT_TRUE(std::filesystem::exists(young));
  close(descriptor);
}

TEST_F(StoreTest, PlansAreNotReplacedByAccident) {
  Store::create(path_, plan_of_one(), false);  // the same one
  Plan other = plan_of_one();
  other.name = "other";
  EXPECT_TRUE(refuses([&] { Store::create(path_, other, false); }, ExitCode::kCannotCreate, "holds another plan"));
  (void)store_->publish(kKey, text_of(kResult));
  Store::create(path_, other, true);
  EXPECT_EQ(store_->read_plan().name, "other");
  EXPECT_EQ(state(), Store::State::kDone) << "results stay";
  directory_.write("stranger/file", "x");
  EXPECT_TRUE(
      refuses([&] { Store::create(directory_ / "stranger", other, true); }, ExitCode::kCannotCreate, "is no store"));
  EXPECT_TRUE(refuses([&] { Store{directory_ / "stranger"}; }, ExitCode::kMissingInput, "has no plan.jsonl"));
}

TEST_F(StoreTest, AnUnwritableStoreIsAnError) {
  std::filesystem::remove_all(path_ / "tmp");
  directory_.write("store/tmp", "a file where the directory belongs");
  EXPECT_TRUE(refuses(
      [&] {
        store_->prepare_writing();
        (void)store_->publish(kKey, text_of(kResult));
      },
      ExitCode::kCannotCreate, "tmp"));
}

TEST_F(StoreTest, AFullDiskIsAnErrorThatLeavesNothingUnderTheName) {
  const std::filesystem::path small = directory_ / "small";
  std::filesystem::create_directory(small);
  if (mount("tmpfs", small.c_str(), "tmpfs", 0, "size=64k") != 0) GTEST_SKIP() << "needs the right to mount a tmpfs";
  {
    Store::create(small / "store", plan_of_one(), false);
    const Store store(small / "store");
    store.prepare_writing();
    const std::string large = text_of("{\"text\":\"" + std::string(100'000, 'x') + "\"}");
    EXPECT_TRUE(refuses([&] { (void)store.publish(kKey, large); }, ExitCode::kIo, "No space left"));
    EXPECT_FALSE(store.exists(kKey));
    EXPECT_TRUE(std::filesystem::is_empty(small / "store/tmp"));
    EXPECT_EQ(store.publish(kKey, text_of(kResult)), Store::Published::kNew);
  }
  umount(small.c_str());
}

}  // namespace
}  // namespace guardbit::sim
