// Files and result directories appear whole or not at all, whatever ends the writing.
#include "sim/base/atomic_file.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sim/base/signal_guard.h"
#include "tests/support/expect_error.h"
#include "tests/support/temporary_directory.h"

namespace guardbit::sim {
namespace {

namespace fs = std::filesystem;
using tests::content_of;
using tests::refuses;

TEST(AtomicFileTest, AppearsOnlyAtCommitAndReplacesTheOldOne) {
  const tests::TemporaryDirectory directory;
  const fs::path target = directory.write("result.json", "old");
  {
    AtomicFile file(target);
    file.write("new ");
    file.write("content");
    EXPECT_EQ(content_of(target), "old");
    file.commit();
    EXPECT_EQ(content_of(target), "new content");
  }
  EXPECT_EQ(content_of(target), "new content");
  EXPECT_EQ(directory.num_entries(), 1u);
}

TEST(AtomicFileTest, WithoutCommitNothingIsLeft) {
  const tests::TemporaryDirectory directory;
  {
    AtomicFile file(directory / "result.json");
    file.write("half");
    EXPECT_EQ(directory.num_entries(), 1u);
  }
  EXPECT_EQ(directory.num_entries(), 0u);
}

TEST(AtomicFileTest, RefusesToReplaceWhereAsked) {
  const tests::TemporaryDirectory directory;
  const fs::path target = directory.write("a", "old");
  EXPECT_TRUE(refuses([&] { AtomicFile(target, Existing::kRefuse); }, ExitCode::kCannotCreate,
                      "a: cannot create: File exists"));
  AtomicFile late(directory / "b", Existing::kRefuse);
  directory.write("b", "someone else's");
  EXPECT_TRUE(refuses([&] { late.commit(); }, ExitCode::kCannotCreate, "b: cannot create: File exists"));
  EXPECT_EQ(content_of(directory / "b"), "someone else's");
}

TEST(AtomicFileTest, DevicesDirectoriesAndLinksAreNotReplaced) {
  const tests::TemporaryDirectory directory;
  fs::create_symlink(directory.write("file", "x"), directory / "link");
  for (const fs::path& target : {fs::path("/dev/full"), directory.path(), directory / "link"}) {
    EXPECT_TRUE(refuses([&] { AtomicFile{target}; }, ExitCode::kCannotCreate, "is not a regular file")) << target;
  }
  EXPECT_TRUE(fs::is_symlink(directory / "link"));
}

TEST(AtomicFileTest, MissingDirectoryCannotBeCreatedIn) {
  const tests::TemporaryDirectory directory;
  EXPECT_TRUE(refuses([&] { AtomicFile(directory / "none" / "a"); }, ExitCode::kCannotCreate,
                      "none/a: cannot create: No such file or directory"));
}

/// The file size limit makes write() fail half-way, as a full disk does, without needing one.
TEST(AtomicFileTest, FailingWriteIsAnIoErrorThatLeavesNothing) {
  const tests::TemporaryDirectory directory;
  const fs::path target = directory.write("result", "old");
  rlimit previous{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &previous), 0);
  signal(SIGXFSZ, SIG_IGN);
  const rlimit small{10'000, previous.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  const bool is_refused = refuses([&] { write_file(target, std::string(20'000, 'x')); }, ExitCode::kIo,
                                  "result: cannot write 10000 bytes: File too large");
  setrlimit(RLIMIT_FSIZE, &previous);
  EXPECT_TRUE(is_refused);
  EXPECT_EQ(content_of(target), "old");
  EXPECT_EQ(directory.num_entries(), 1u);
}

/// Child of the next test: in a mount namespace of its own, on a file system of 64 KiB. Returns the child's exit code.
int write_to_full_disk(const fs::path& mount_point) {
  constexpr int kCannotMount = 77;
  if (unshare(CLONE_NEWNS) != 0 || mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
      mount("tmpfs", mount_point.c_str(), "tmpfs", 0, "size=64k") != 0) {
    return kCannotMount;
  }
  write_file(mount_point / "small", "fits");
  const bool is_refused = refuses([&] { write_file(mount_point / "small", std::string(200'000, 'x')); }, ExitCode::kIo,
                                  "small: cannot write");
  const bool names_reason = refuses([&] { write_file(mount_point / "small", std::string(200'000, 'x')); },
                                    ExitCode::kIo, "No space left on device");
  const fs::directory_iterator entries(mount_point);
  const bool is_alone = std::distance(begin(entries), end(entries)) == 1;
  return is_refused && names_reason && is_alone && content_of(mount_point / "small") == "fits" ? 0 : 1;
}

TEST(AtomicFileTest, FullDiskIsAnIoErrorThatLeavesNothing) {
  const tests::TemporaryDirectory directory;
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) _exit(write_to_full_disk(directory.path()));
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  if (WEXITSTATUS(status) == 77) GTEST_SKIP() << "mounting a tmpfs needs privileges this process lacks";
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST(AtomicFileTest, InterruptedWritingLeavesNothing) {
  const tests::TemporaryDirectory directory;
  const SignalGuard guard;
  EXPECT_THROW(
      {
        AtomicFile file(directory / "result");
        file.write("half");
        raise(SIGTERM);
        file.write("rest");
      },
      Interrupted);
  EXPECT_EQ(interrupting_signal(), SIGTERM);
  EXPECT_EQ(directory.num_entries(), 0u);
}

const std::vector<std::string> kNames = {"result.json", "report.html"};

TEST(OutputDirectoryTest, AppearsAtCommit) {
  const tests::TemporaryDirectory directory;
  {
    OutputDirectory output(directory / "out/", kNames);
    write_file(output.path() / "result.json", "{}");
    EXPECT_FALSE(fs::exists(directory / "out"));
    output.commit();
  }
  EXPECT_EQ(content_of(directory / "out" / "result.json"), "{}");
  EXPECT_EQ(directory.num_entries(), 1u);
}

TEST(OutputDirectoryTest, WithoutCommitNothingIsLeft) {
  const tests::TemporaryDirectory directory;
  {
    const OutputDirectory output(directory / "out", kNames);
    write_file(output.path() / "result.json", "{}");
  }
  EXPECT_EQ(directory.num_entries(), 0u);
}

TEST(OutputDirectoryTest, ReplacesAnEmptyDirectoryAndAPreviousResultAsAWhole) {
  const tests::TemporaryDirectory directory;
  fs::create_directory(directory / "out");
  for (const char* content : {"first", "second"}) {
    OutputDirectory output(directory / "out", kNames);
    write_file(output.path() / "result.json", content);
    if (std::string(content) == "first") write_file(output.path() / "report.html", "");
    output.commit();
    EXPECT_EQ(content_of(directory / "out" / "result.json"), content);
  }
  EXPECT_FALSE(fs::exists(directory / "out" / "report.html")) << "of the first result";
  EXPECT_EQ(directory.num_entries(), 1u);
}

TEST(OutputDirectoryTest, ForeignContentIsNeverReplaced) {
  const tests::TemporaryDirectory directory;
  const auto open = [&] { OutputDirectory(directory / "out", kNames); };
  directory.write("out", "a file");
  EXPECT_TRUE(refuses(open, ExitCode::kCannotCreate, "out: is there and is not a directory"));
  fs::remove(directory / "out");
  fs::create_directory(directory / "out");
  directory.write("out/report.html", "");
  EXPECT_TRUE(refuses(open, ExitCode::kCannotCreate, "out: has no result.json"));
  directory.write("out/result.json", "");
  EXPECT_NO_THROW(open());
  directory.write("out/notes.txt", "mine");
  EXPECT_TRUE(refuses(open, ExitCode::kCannotCreate,
                      "out: holds 'notes.txt'; expected a new name, an empty directory or a previous result (nothing "
                      "but result.json, report.html)"));
  EXPECT_EQ(content_of(directory / "out" / "notes.txt"), "mine");
}

TEST(OutputDirectoryTest, ContentThatAppearsMeanwhileIsNotReplaced) {
  const tests::TemporaryDirectory directory;
  {
    OutputDirectory output(directory / "out", kNames);
    fs::create_directory(directory / "out");
    directory.write("out/notes.txt", "mine");
    EXPECT_TRUE(refuses([&] { output.commit(); }, ExitCode::kCannotCreate, "holds 'notes.txt'"));
  }
  EXPECT_EQ(content_of(directory / "out" / "notes.txt"), "mine");
  EXPECT_EQ(directory.num_entries(), 1u);
}

TEST(OutputDirectoryTest, MissingParentsAreCreatedAndGoAgainWithoutACommit) {
  const tests::TemporaryDirectory directory;
  {
    const OutputDirectory discarded(directory / "a/b/out", kNames);
    EXPECT_TRUE(fs::is_directory(directory / "a/b"));
  }
  EXPECT_FALSE(fs::exists(directory / "a"));
  OutputDirectory kept(directory / "a/b/out", kNames);
  kept.commit();
  EXPECT_TRUE(fs::is_directory(directory / "a/b/out"));
}

TEST(OutputDirectoryTest, ParentThatIsAFileIsAnError) {
  const tests::TemporaryDirectory directory;
  directory.write("file", "text");
  EXPECT_TRUE(refuses([&] { OutputDirectory(directory / "file/x/out", kNames); }, ExitCode::kCannotCreate, "file/x"));
}

}  // namespace
}  // namespace guardbit::sim
