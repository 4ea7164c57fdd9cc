// One result on every path that it must not depend on: threads, vector targets, fidelities, the floating-point state
// that the process starts with, locale and time zone. The committed goldens, and where those take minutes, a short
// trace.
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "tests/support/run_guardbit.h"
#include "tests/support/short_trace.h"

namespace guardbit::tests {
namespace {

const std::string kSuites = std::string(GUARDBIT_SOURCE_DIR) + "/configs/regress";
constexpr int kUsage = 2;  // this processor does not have that vector target

void expect_passes(const std::string& suite, const std::string& golden, const std::string& options) {
  const CommandResult result = run_guardbit("regress check " + suite + " --golden " + golden + " -q " + options);
  EXPECT_EQ(result.status, 0) << options << "\n" << result.out << result.err;
}

void expect_committed(const std::string& options) {
  expect_passes(kSuites + "/kjv.toml", kSuites + "/golden", options);
}

bool has_target(const std::string& target) {
  return run_guardbit("gemm 1 1 1 --vector-target " + target).status != kUsage;
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

/// A trace of one window of four tokens on every shipped accelerator, recorded with all defaults.
class ShortSuite {
 public:
  ShortSuite() {
    capture_short_trace(directory_, 1, 4);
    std::string accelerators;
    for (const char* name : {"edge", "fp8", "fp16", "hopper"}) {
      accelerators += (accelerators.empty() ? "\"" : ", \"") + shipped_accelerator(name) + "\"";
    }
    directory_.write("suite.toml",
                     "schema = \"guardbit-suite/1\"\n[[replay]]\nname = \"short\"\ntraces = [\"trace\"]\n"
                     "variants = [\"slanc+rrs\"]\ndecode = 1\naccelerators = [" +
                         accelerators + "]\n");
    EXPECT_EQ(run_guardbit("regress record " + suite() + " -q -o " + golden()).status, 0);
  }
  std::string suite() const { return (directory_ / "suite.toml").string(); }
  std::string golden() const { return (directory_ / "golden").string(); }

 private:
  TemporaryDirectory directory_;
};

class VectorTargetTest : public testing::TestWithParam<const char*> {};

TEST_P(VectorTargetTest, GivesTheCommittedGoldens) {
  if (!has_target(GetParam())) GTEST_SKIP() << "this processor has no " << GetParam();
  for (const char* threads : {"1", "2", "7"}) {
    expect_committed(std::string("--vector-target ") + GetParam() + " --threads " + threads);
  }
}

INSTANTIATE_TEST_SUITE_P(All, VectorTargetTest, testing::Values("sse4", "avx2", "avx512"),
                         [](const auto& target) { return std::string(target.param); });

TEST(DeterminismTest, ScalarKernelsAndSteppedArrays) {
  const ShortSuite recorded;
  for (const std::string options :
       {"--vector-target scalar --threads 1", "--vector-target scalar --threads 7", "--fidelity pe --threads 2"}) {
    const bool is_stepped = options.starts_with("--fidelity");
    expect_passes(recorded.suite(), recorded.golden(), options + (is_stepped ? " --case short-edge" : ""));
    expect_committed(options +
                     " --case gemm-fp16 --case gemm-stochastic --case gemm-e4m3 --case gemm-hopper --case gemm-int4");
  }
}

TEST(DeterminismTest, FloatingPointStateAtStart) {
  const Variable preload("LD_PRELOAD", GUARDBIT_MXCSR_LIBRARY);
  // The default; subnormals are zero (DAZ, FTZ); rounding up, down and to zero; the last with subnormals as zero.
  for (const char* state : {"1f80", "9fc0", "5f80", "3f80", "7f80", "ffc0"}) {
    const Variable mxcsr("GUARDBIT_TEST_MXCSR", state);
    expect_committed("--threads 2");
  }
}

/// Where the machine has no such locale this says only that the variables do no harm.
TEST(DeterminismTest, LocaleAndTimeZone) {
  const Variable zone("TZ", "Asia/Kathmandu");
  for (const char* locale : {"de_DE.UTF-8", "tr_TR.UTF-8", "C.UTF-8"}) {
    const Variable all("LC_ALL", locale);
    expect_committed("--case edge --case gemm-fp16");
  }
}

}  // namespace
}  // namespace guardbit::tests
