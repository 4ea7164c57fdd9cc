// The committed goldens on every path that a result must not depend on: threads, vector targets, fidelities, the
// floating-point state that the process starts with, locale and time zone.
#include <gtest/gtest.h>

#include <cstdlib>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "tests/support/run_guardbit.h"
#include "tests/support/short_trace.h"

namespace guardbit::tests {
namespace {

using Json = nlohmann::json;

const std::string kSuites = std::string(GUARDBIT_SOURCE_DIR) + "/configs/regress";

/// Whether the suite passes; nothing if this processor lacks what is asked for.
std::optional<bool> passes(const std::string& options) {
  const CommandResult result = run_guardbit("regress check " + kSuites + "/kjv.toml --golden " + kSuites +
                                            "/golden --format json -q " + options);
  if (result.status == 2) return std::nullopt;
  EXPECT_EQ(result.status, 0) << options << "\n" << result.out << result.err;
  return result.status == 0 && Json::parse(result.out)["passed"] == true;
}

/// For its lifetime.
class Variable {
 public:
  Variable(const char* name, const std::string& value) : name_(name) { setenv(name, value.c_str(), 1); }
  ~Variable() { unsetenv(name_); }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  const char* name_;
};

TEST(DeterminismTest, ThreadsAndVectorTargets) {
  int num_targets = 0;
  for (const char* target : {"scalar", "sse4", "avx2", "avx512"}) {
    for (const char* threads : {"1", "2", "7"}) {
      const auto passed = passes(std::string("--vector-target ") + target + " --threads " + threads);
      if (!passed) break;
      EXPECT_TRUE(*passed) << target << " " << threads;
      num_targets += threads[0] == '7' ? 1 : 0;
    }
  }
  EXPECT_GE(num_targets, 2);
}

/// Products of the committed suite, and replays of a short trace: a window of 256 tokens takes minutes stepped.
TEST(DeterminismTest, SteppedArray) {
  EXPECT_EQ(passes("--fidelity pe --case gemm-fp16 --case gemm-stochastic --case gemm-e4m3 --case gemm-hopper "
                   "--case gemm-int4"),
            true);
  const TemporaryDirectory directory;
  capture_short_trace(directory, 2, 7);
  std::string accelerators;
  for (const char* name : {"edge", "fp8", "fp16", "hopper"}) {
    accelerators += (accelerators.empty() ? "\"" : ", \"") + shipped_accelerator(name) + "\"";
  }
  const std::string suite =
      directory
          .write("suite.toml",
                 "schema = \"guardbit-suite/1\"\n[[replay]]\nname = \"short\"\ntraces = [\"trace\"]\n"
                 "variants = [\"none\", \"slanc+rrs\"]\ndecode = 2\naccelerators = [" +
                     accelerators + "]\n")
          .string();
  const std::string golden = (directory / "golden").string();
  ASSERT_EQ(run_guardbit("regress record " + suite + " -o " + golden).status, 0);
  const CommandResult stepped = run_guardbit("regress check " + suite + " --golden " + golden + " --fidelity pe");
  EXPECT_EQ(stepped.status, 0) << stepped.out << stepped.err;
}

TEST(DeterminismTest, FloatingPointStateAtStart) {
  const Variable preload("LD_PRELOAD", GUARDBIT_MXCSR_LIBRARY);
  // Default; subnormals are zero (DAZ, FTZ); rounding up, down and to zero; all of it with subnormals as zero.
  for (const char* state : {"1f80", "9fc0", "5f80", "3f80", "7f80", "ffc0"}) {
    const Variable mxcsr("GUARDBIT_TEST_MXCSR", state);
    EXPECT_EQ(passes("--threads 2"), true) << state;
  }
}

/// Without such a locale on the machine this says little more than that the variables do no harm.
TEST(DeterminismTest, LocaleAndTimeZone) {
  for (const char* locale : {"de_DE.UTF-8", "tr_TR.UTF-8", "C.UTF-8"}) {
    const Variable all("LC_ALL", locale);
    const Variable zone("TZ", "Asia/Kathmandu");
    EXPECT_EQ(passes("--case edge --case gemm-fp16"), true) << locale;
  }
}

}  // namespace
}  // namespace guardbit::tests
