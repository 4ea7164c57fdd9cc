// The progress line of capture and replay: every long phase on a terminal, nothing elsewhere and with --quiet.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "tests/support/hugging_face_model.h"
#include "tests/support/run_guardbit.h"

namespace guardbit::tests {
namespace {

/// What the command writes to a terminal as its stderr; its stdout is dropped.
std::string said_on_terminal(const std::string& arguments) {
  const int terminal = posix_openpt(O_RDWR | O_NOCTTY);
  if (terminal < 0 || grantpt(terminal) != 0 || unlockpt(terminal) != 0) throw std::runtime_error("no terminal");
  const std::string name = ptsname(terminal);
  const pid_t child = fork();
  if (child == 0) {
    const int end = open(name.c_str(), O_RDWR | O_NOCTTY);
    const int nowhere = open("/dev/null", O_WRONLY);
    setenv("TERM", "xterm", 1);
    dup2(nowhere, STDOUT_FILENO);
    dup2(end, STDERR_FILENO);
    close(end);
    const std::string command = std::string("exec ") + GUARDBIT_BINARY + " " + arguments;
    execl("/bin/sh", "sh", "-c", command.c_str(), nullptr);
    _exit(127);
  }
  std::string said;
  std::array<char, 4096> buffer{};
  for (ssize_t count = 0;;) {  // the terminal reports an error once its last user has gone
    count = read(terminal, buffer.data(), buffer.size());
    if (count > 0) said.append(buffer.data(), static_cast<std::size_t>(count));
    if (count <= 0 && waitpid(child, nullptr, WNOHANG) == child) break;
    if (count <= 0) usleep(1000);
  }
  close(terminal);
  return said;
}

class ProgressTest : public testing::Test {
 protected:
  ProgressTest() {
    write_hugging_face(directory_, "model", hugging_face_models().at(0));
    directory_.write("t.json", R"({"windows": [[1, 2, 3], [4, 5, 6]]})");
    const std::string at = directory_.path().string();
    directory_.write("c.json", R"({"windows": [[7, 8, 9], [10, 11, 12]]})");
    capture_ = "capture " + at + "/model --tokens " + at + "/t.json -o " + at + "/trace ";
    replay_ = "replay " + at + "/trace --accelerator " + shipped_accelerator("edge") +
              " --variants slanc,rrs,gptq --calibration " + at + "/c.json ";
  }
  TemporaryDirectory directory_;
  std::string capture_;
  std::string replay_;
};

/// A line of a phase that has got somewhere: bar, count, rate and remaining time.
void expect_phase(const std::string& said, const std::string& unit, const std::string& phase) {
  const std::string text = " " + unit + ", " + phase + " (";
  const std::size_t place = said.find(text);
  ASSERT_NE(place, std::string::npos) << phase << ": " << said;
  const std::string line =
      said.substr(said.rfind("\r\x1b[K[", place), said.find('\r', place) - said.rfind('\r', place));
  EXPECT_NE(line.find(" " + unit + "/s, "), std::string::npos) << line;
  EXPECT_NE(line.find(" s left)"), std::string::npos) << line;
}

TEST_F(ProgressTest, EveryPhaseIsShownOnATerminalAndTakenAway) {
  const std::string capture = said_on_terminal(capture_);
  EXPECT_NE(capture.find("1/1 MB, import"), std::string::npos) << capture;
  expect_phase(capture, "tokens", "fp32 reference");
  const std::string replay = said_on_terminal(replay_);
  expect_phase(replay, "ops", "fp32 reference");
  expect_phase(replay, "ops", "slanc: calibrate (slanc)");  // spectral norms
  expect_phase(replay, "ops", "gptq: calibrate (gptq)");    // calibration windows and rounding
  for (const char* const variant : {"slanc", "rrs", "gptq"}) {
    EXPECT_NE(replay.find(std::string(" ops, ") + variant + ": calibrate"), std::string::npos) << replay;
    EXPECT_NE(replay.find(std::string(" ops, ") + variant + ": quantize"), std::string::npos) << replay;
    expect_phase(replay, "ops", std::string(variant) + ": simulate");
  }
  EXPECT_TRUE(replay.ends_with("\r\x1b[K")) << replay;
}

TEST_F(ProgressTest, NothingIsShownElsewhereOrIfQuiet) {
  EXPECT_EQ(said_on_terminal(capture_ + "--quiet"), "");
  EXPECT_EQ(said_on_terminal(replay_ + "--quiet"), "");
  EXPECT_EQ(run_guardbit(replay_).err, "");
}

}  // namespace
}  // namespace guardbit::tests
