// What a replay holds in memory: a tied head's weights once in binary32 and once in 16 bits, no tensor of the model
// twice, the logits of a window once.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "tests/support/run_guardbit.h"

namespace guardbit::tests {
namespace {

#if defined(__SANITIZE_ADDRESS__)
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif

/// Largest resident size of one run, in bytes; -1 if it fails.
double peak_bytes(const std::string& arguments) {
  const std::string command = std::string("exec ") + GUARDBIT_BINARY + " " + arguments + " >/dev/null";
  const pid_t child = fork();
  if (child == 0) {
    execl("/bin/sh", "sh", "-c", command.c_str(), nullptr);
    _exit(127);
  }
  int status = 0;
  struct rusage usage {};
  wait4(child, &status, 0, &usage);
  constexpr double kBytesPerKib = 1024;
  return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? kBytesPerKib * static_cast<double>(usage.ru_maxrss) : -1;
}

/// The replay of a random GPT-2 of one layer with two heads, up to its variants.
std::string replay_of_random_model(const TemporaryDirectory& directory, const std::string& shape) {
  const std::string model = (directory / "model").string();
  const std::string trace = (directory / "trace").string();
  const std::string script = std::string(GUARDBIT_SOURCE_DIR) + "/tests/support/random_gpt2.py";
  EXPECT_EQ(std::system(("/usr/bin/python3 " + script + " " + model + " --layers 1 --heads 2 " + shape).c_str()), 0);
  EXPECT_EQ(run_guardbit("capture " + model + " --tokens " + model + "/tokens.json -q -o " + trace).status, 0);
  return "replay " + trace + " -q --threads 1 -a " + shipped_accelerator("edge") + " --variants ";
}

TEST(ReplayMemoryTest, ATiedHeadIsHeldOnce) {
  if (kSanitized) GTEST_SKIP() << "sanitizers have memory of their own";
  const TemporaryDirectory directory;
  constexpr double kVocabulary = 200000;
  constexpr double kHidden = 64;
  const std::string replay =
      replay_of_random_model(directory, "--hidden 64 --context 8 --tokens 4 --vocabulary 200000");
  const double idle = peak_bytes(replay + "none --no-values");
  ASSERT_GT(idle, 0);
  constexpr double kTable = sizeof(float) * kVocabulary * kHidden;  // 51 MB
  // The table, half as much for its fp16 codes, and everything small; with a copy of the table it is 3.1 tables.
  EXPECT_LT(peak_bytes(replay + "none") - idle, 2.5 * kTable);
  EXPECT_LT(peak_bytes(replay + "none,slanc") - idle, 2.5 * kTable) << "variants share what they leave alone";
  // Rotated, embedding and head differ.
  EXPECT_LT(peak_bytes(replay + "slanc+rrs") - idle, 3.5 * kTable);
}

TEST(ReplayMemoryTest, LogitsAreHeldOnce) {
  if (kSanitized) GTEST_SKIP() << "sanitizers have memory of their own";
  const TemporaryDirectory directory;
  const std::string replay =
      replay_of_random_model(directory, "--hidden 16 --context 512 --tokens 512 --vocabulary 50000");
  const double idle = peak_bytes(replay + "none --no-values");
  ASSERT_GT(idle, 0);
  constexpr double kLogits = sizeof(float) * 512 * 50000.0;  // 102 MB
  // The simulated ones, a quarter of the reference's at a time, and everything small; with all of the reference's it is
  // 2.1 times the logits.
  EXPECT_LT(peak_bytes(replay + "none") - idle, 1.7 * kLogits);
}

}  // namespace
}  // namespace guardbit::tests
