// Whatever ends a sweep early, running it again ends with the digest of a run that nobody disturbed.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <random>
#include <vector>

#include "tests/support/small_sweep.h"

extern char** environ;

namespace guardbit::tests {
namespace {

using testing::HasSubstr;

/// A guardbit process of its own group, as a shell would start it.
class Process {
 public:
  explicit Process(const std::vector<std::string>& arguments) {
    std::vector<char*> words = {const_cast<char*>(GUARDBIT_BINARY)};
    for (const std::string& argument : arguments) words.push_back(const_cast<char*>(argument.c_str()));
    words.push_back(nullptr);
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&files, 2, "/dev/null", O_WRONLY, 0);
    if (posix_spawn(&pid_, GUARDBIT_BINARY, &files, &attributes, words.data(), environ) != 0) pid_ = -1;
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
  }
  void send(int signal) const { kill(pid_, signal); }
  void send_group(int signal) const { kill(-pid_, signal); }
  /// Exit code, or 128 + signal.
  int wait() const {
    int status = 0;
    waitpid(pid_, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

 private:
  pid_t pid_ = -1;
};

class SweepCrashTest : public testing::Test {
 protected:
  SweepCrashTest() {
    plan_small_sweep(directory_);
    reference_ = make_reference();
  }
  std::string store() const { return (directory_ / "store").string(); }
  std::vector<std::string> run_words(const std::string& store) const {
    return {"sweep", "run", store, "-q", "--jobs", "2"};
  }
  std::string make_reference() {
    const std::string undisturbed = (directory_ / "reference").string();
    const auto planned = run_guardbit("sweep plan " + (directory_ / "small.toml").string() + " -o " + undisturbed);
    const auto run = run_guardbit("sweep run " + undisturbed + " -q --jobs 1");
    if (planned.status != 0 || run.status != 0) throw std::runtime_error(planned.err + run.err);
    return digest_in(run_guardbit("sweep status " + undisturbed).out);
  }
  void expect_reference(const std::string& of) {
    const CommandResult status = run_guardbit("sweep status --deep " + of);
    EXPECT_EQ(status.status, 0) << status.out << status.err;
    EXPECT_EQ(status.err, "");
    EXPECT_EQ(digest_in(status.out), reference_);
  }

  TemporaryDirectory directory_;
  std::string reference_;
};

TEST_F(SweepCrashTest, KillAtAnyMoment) {
  std::mt19937 random(6);
  int killed = 0;
  for (int attempt = 0; attempt < 60; ++attempt) {
    const Process process(run_words(store()));
    usleep(static_cast<useconds_t>(random() % 120'000));
    // Every other time the children live on for a moment and publish what they have.
    if (attempt % 2 == 0) process.send_group(SIGKILL);
    process.send(SIGKILL);
    if (process.wait() == 128 + SIGKILL) ++killed;
    const CommandResult status = run_guardbit("sweep status " + store());
    EXPECT_EQ(status.err, "") << "nothing is ever damaged";
    if (status.status == 0) break;
  }
  EXPECT_GE(killed, 1);
  EXPECT_EQ(run_guardbit("sweep run " + store() + " -q").status, 0);
  expect_reference(store());
}

TEST_F(SweepCrashTest, TwoRunsOnOneStoreBothSucceed) {
  const Process first(run_words(store()));
  const Process second(run_words(store()));
  EXPECT_EQ(first.wait(), 0);
  EXPECT_EQ(second.wait(), 0);
  expect_reference(store());
}

TEST_F(SweepCrashTest, SignalsStopTheSweepWithTheirStatusAndLeaveNothingBehind) {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    const Process process(run_words(store()));
    usleep(60'000);
    if (signal == SIGINT) process.send_group(signal);  // as a terminal does
    process.send(signal);
    const int status = process.wait();
    EXPECT_TRUE(status == 128 + signal || status == 0) << status;
    EXPECT_EQ(kill(0, 0), 0);
  }
  EXPECT_EQ(run_guardbit("sweep run " + store() + " -q").status, 0);
  expect_reference(store());
  EXPECT_FALSE(std::filesystem::exists(directory_ / "store/failed")) << "an interrupted point has not failed";
}

TEST_F(SweepCrashTest, FullDisk) {
  const std::filesystem::path small = directory_ / "small";
  std::filesystem::create_directory(small);
  if (mount("tmpfs", small.c_str(), "tmpfs", 0, "size=200k") != 0) GTEST_SKIP() << "needs the right to mount a tmpfs";
  const std::string store = (small / "store").string();
  ASSERT_EQ(run_guardbit("sweep plan " + (directory_ / "small.toml").string() + " -o " + store).status, 0);
  const CommandResult full = run_guardbit("sweep run " + store + " -q --jobs 2");
  EXPECT_EQ(full.status, 74) << full.out;
  EXPECT_THAT(full.err, HasSubstr("No space left on device"));
  const CommandResult half_way = run_guardbit("sweep status " + store);
  EXPECT_EQ(half_way.status, 75);
  EXPECT_EQ(half_way.err, "");
  ASSERT_EQ(mount("tmpfs", small.c_str(), "tmpfs", MS_REMOUNT, "size=8m"), 0);
  const CommandResult resumed = run_guardbit("sweep run " + store + " -q");
  EXPECT_EQ(resumed.status, 0) << resumed.err;
  EXPECT_THAT(resumed.out, testing::Not(HasSubstr("reused 0,"))) << resumed.out;
  expect_reference(store);
  umount(small.c_str());
}

TEST_F(SweepCrashTest, AStoreThatCannotBeWritten) {
  std::filesystem::create_directories(directory_ / "store");
  directory_.write("store/tmp", "a file where a directory belongs");
  const CommandResult refused = run_guardbit("sweep run " + store() + " -q");
  EXPECT_EQ(refused.status, 73) << refused.err;
  EXPECT_THAT(refused.err, HasSubstr("store"));
}

}  // namespace
}  // namespace guardbit::tests
