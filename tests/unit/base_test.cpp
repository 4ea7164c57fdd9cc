// SHA-256, printable text, input files, signals, floating-point state and worker threads.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
#if defined(__SSE2__)
#include <xmmintrin.h>
#endif

#include <atomic>
#include <cfenv>
#include <chrono>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "sim/base/fp_environment.h"
#include "sim/base/input_file.h"
#include "sim/base/sha256.h"
#include "sim/base/signal_guard.h"
#include "sim/base/thread_pool.h"
#include "tests/support/expect_error.h"
#include "tests/support/temporary_directory.h"

namespace guardbit::sim {
namespace {

using tests::refuses;

// FIPS 180-4 example values (NIST, SHA256.pdf) and the million-a vector of RFC 6234.
TEST(Sha256Test, PublishedValues) {
  EXPECT_EQ(sha256_hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  const tests::TemporaryDirectory directory;
  const auto file = directory.write("a", std::string(1'000'000, 'a'));
  EXPECT_EQ(sha256_of_file(file), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
  // More than one of the reader's pieces.
  const std::string large(3'000'001, 'b');
  EXPECT_EQ(sha256_of_file(directory.write("b", large)), sha256_hex(large));
}

TEST(Sha256Test, PiecesDoNotMatter) {
  Sha256 hash;
  hash.update("a");
  hash.update("");
  hash.update("bc");
  EXPECT_EQ(hash.hex(), sha256_hex("abc"));
}

TEST(PrintableTest, EscapesControlCharactersAndInvalidUtf8) {
  const std::vector<std::pair<std::string, std::string>> rows = {
      {"plain text", "plain text"},
      {"\x1b[2J\n\t\x7f", "\\x1B[2J\\x0A\\x09\\x7F"},
      {std::string("a\0b", 3), "a\\x00b"},
      {"\xC3\xBC \xE2\x82\xAC \xF0\x9F\x98\x80", "\xC3\xBC \xE2\x82\xAC \xF0\x9F\x98\x80"},
      {"\xC2\x9B", "\\xC2\\x9B"},                    // C1 control: CSI
      {"\xC0\xAF", "\\xC0\\xAF"},                    // overlong
      {"\xE0\x80\xAF", "\\xE0\\x80\\xAF"},           // overlong
      {"\xED\xA0\x80", "\\xED\\xA0\\x80"},           // surrogate
      {"\xF4\x90\x80\x80", "\\xF4\\x90\\x80\\x80"},  // above U+10FFFF
      {"\xE2\x82", "\\xE2\\x82"},                    // cut off
      {"\xFFz", "\\xFFz"},
  };
  for (const auto& [text, expected] : rows) EXPECT_EQ(printable(text), expected);
}

TEST(InputFileTest, Gen07LargerThanTheLimitIsRefusedBeforeReading) {
  const tests::TemporaryDirectory directory;
  const auto file = directory.write("f", "12345");
  EXPECT_EQ(read_file(file, 5), "12345");
  EXPECT_TRUE(refuses([&] { (void)read_file(file, 4); }, ExitCode::kMalformedInput,
                      "f: got a file of 5 bytes; expected at most 4"));
}

TEST(InputFileTest, Gen05UnreadableFileIsMissingInput) {
  if (geteuid() == 0) GTEST_SKIP() << "root may read every file";
  const tests::TemporaryDirectory directory;
  const auto file = directory.write("f", "x");
  std::filesystem::permissions(file, std::filesystem::perms::none);
  EXPECT_TRUE(refuses([&] { (void)read_file(file); }, ExitCode::kMissingInput, "Permission denied"));
}

TEST(SignalGuardTest, FirstSignalSetsTheFlagAndTheGuardRestoresTheOldAction) {
  signal(SIGHUP, SIG_IGN);
  {
    const SignalGuard guard;
    EXPECT_NO_THROW(throw_if_interrupted());
    raise(SIGHUP);  // ignored before, ignored now
    EXPECT_EQ(interrupting_signal(), 0);
    raise(SIGINT);
    EXPECT_EQ(interrupting_signal(), SIGINT);
    EXPECT_THROW(throw_if_interrupted(), Interrupted);
  }
  struct sigaction action {};
  sigaction(SIGINT, nullptr, &action);
  EXPECT_EQ(action.sa_handler, SIG_DFL);
}

/// Wait status of a child that runs `action`.
template <class Action>
int status_of_child(const Action& action) {
  const pid_t child = fork();
  if (child == 0) {
    action();
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return status;
}

TEST(SignalGuardTest, SecondSignalExitsAtOnce) {
  const int status = status_of_child([] {
    const SignalGuard guard;
    raise(SIGTERM);
    raise(SIGINT);
  });
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 128 + SIGINT) << status;
}

TEST(SignalGuardTest, EndBySignalShowsTheSignalToTheParent) {
  const int status = status_of_child([] {
    const SignalGuard guard;
    raise(SIGTERM);
    end_by_signal(interrupting_signal());
  });
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM) << status;
}

TEST(FpEnvironmentTest, RepairsRoundingAndFlushToZeroAndRestoresThem) {
  ASSERT_TRUE(has_default_fp_environment());
  for (const int rounding : {FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO}) {
    std::fesetround(rounding);
    EXPECT_FALSE(has_default_fp_environment()) << rounding;
    {
      const FpEnvironment environment;
      EXPECT_TRUE(has_default_fp_environment()) << rounding;
    }
    EXPECT_EQ(std::fegetround(), rounding);
    std::fesetround(FE_TONEAREST);
  }
#if defined(__SSE2__)
  const unsigned before = _mm_getcsr();
  for (const unsigned flush_bits : {0x8000u, 0x0040u}) {  // flush to zero, denormals are zero
    _mm_setcsr(before | flush_bits);
    EXPECT_FALSE(has_default_fp_environment()) << flush_bits;
    {
      const FpEnvironment environment;
      EXPECT_TRUE(has_default_fp_environment()) << flush_bits;
    }
    EXPECT_EQ(_mm_getcsr() & 0x8040u, flush_bits);
    _mm_setcsr(before);
  }
#endif
}

TEST(ThreadPoolTest, EveryIndexRunsOnceOnAnyNumberOfThreads) {
  for (const std::size_t num_threads : {1u, 2u, 3u, 8u}) {
    ThreadPool pool(num_threads);
    EXPECT_EQ(pool.num_threads(), num_threads);
    for (const std::size_t count : {0u, 1u, 7u, 1000u}) {
      std::vector<int> runs(count, 0);
      pool.parallel_for()(count, [&](std::size_t i) { ++runs[i]; });
      EXPECT_EQ(runs, std::vector<int>(count, 1)) << num_threads << " threads";
    }
  }
}

TEST(ThreadPoolTest, SeveralThreadsReallyWork) {
  ThreadPool pool(2);
  std::atomic<int> num_inside = 0;
  std::atomic<bool> met = false;
  pool.run(2, [&](std::size_t) {
    ++num_inside;
    for (int i = 0; i < 2000 && !met; ++i) {
      if (num_inside == 2) met = true;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  });
  EXPECT_TRUE(met) << "both indices were never inside at the same time";
}

TEST(ThreadPoolTest, RethrowsTheExceptionOfTheLowestIndex) {
  ThreadPool pool(3);
  for (int round = 0; round < 50; ++round) {
    std::string message;
    try {
      pool.run(100, [](std::size_t i) {
        if (i == 5) std::this_thread::sleep_for(std::chrono::microseconds(200));
        if (i >= 5) throw std::runtime_error(std::to_string(i));
      });
    } catch (const std::runtime_error& error) {
      message = error.what();
    }
    ASSERT_EQ(message, "5");
  }
  std::atomic<int> num_runs = 0;
  pool.run(10, [&](std::size_t) { ++num_runs; });
  EXPECT_EQ(num_runs, 10) << "the pool works on after a failure";
}

TEST(ThreadPoolTest, NestedLoopsRunInsideTheirBody) {
  ThreadPool pool(2);
  std::vector<int> runs(12, 0);
  pool.run(3, [&](std::size_t i) { pool.run(4, [&, i](std::size_t j) { ++runs[4 * i + j]; }); });
  EXPECT_EQ(runs, std::vector<int>(12, 1));
}

TEST(ThreadPoolTest, AllThreadsComputeInTheDefaultState) {
  std::fesetround(FE_UPWARD);  // threads inherit it
  std::set<std::thread::id> threads;
  std::atomic<int> num_wrong = 0;
  {
    ThreadPool pool(2);
    std::mutex mutex;
    pool.run(50, [&](std::size_t) {
      if (!has_default_fp_environment()) ++num_wrong;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
      const std::lock_guard lock(mutex);
      threads.insert(std::this_thread::get_id());
    });
  }
  EXPECT_EQ(std::fegetround(), FE_UPWARD);
  std::fesetround(FE_TONEAREST);
  EXPECT_EQ(num_wrong, 0);
  EXPECT_EQ(threads.size(), 2u);
}

TEST(ThreadPoolTest, SignalEndsALoop) {
  ThreadPool pool(2);
  const SignalGuard guard;
  std::atomic<int> num_runs = 0;
  EXPECT_THROW(pool.run(1'000'000,
                        [&](std::size_t i) {
                          ++num_runs;
                          if (i == 10) raise(SIGINT);
                        }),
               Interrupted);
  EXPECT_LT(num_runs, 100'000);
}

}  // namespace
}  // namespace guardbit::sim
