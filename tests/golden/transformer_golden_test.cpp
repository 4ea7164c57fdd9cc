// The reference forward on real checkpoints against fp64 results computed by other software (../shared/models).
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "models/transformer/family.h"
#include "models/transformer/reference.h"
#include "tests/support/checkpoints.h"

namespace guardbit::transformer {
namespace {

/// Both sides compute in binary64 in different orders; 1e-9 leaves six digits for the rounding of some 10^5 operations.
constexpr double kDoubleTolerance = 1e-9;
/// Relative error of a sum of 256 likelihoods in binary32.
constexpr double kFloatTolerance = 1e-4;
constexpr std::size_t kAllWindows = 8;
/// Sanitizers look for bad accesses, which every window makes alike, and slow the forward some 20 times.
#ifdef __SANITIZE_ADDRESS__
constexpr std::size_t kMaxWindows = 1;
#else
constexpr std::size_t kMaxWindows = kAllWindows;
#endif

template <class T>
Matrix<T> first_rows(const Matrix<T>& matrix, std::size_t num_rows) {
  return {num_rows, matrix.cols(), std::vector<T>(matrix.row(0), matrix.row(0) + num_rows * matrix.cols())};
}

/// Mean negative log likelihood over all windows. Input is at most 256 tokens of each window (documents of
/// 256 tokens leave their last position without a target, windows of 257 do not).
template <class T>
double compare_windows(const Model<T>& model, const std::vector<tests::ReferenceWindow>& windows, double tolerance) {
  constexpr std::size_t kContext = 256;
  double total = 0;
  std::size_t num_targets = 0;
  for (std::size_t w = 0; w < std::min(kMaxWindows, windows.size()); ++w) {
    SCOPED_TRACE("window " + std::to_string(w));
    const std::vector<int>& tokens = windows[w].tokens;
    const std::span<const int> targets = std::span<const int>(tokens).subspan(1);
    const Matrix<T> logits =
        run_reference(model, std::span<const int>(tokens).first(std::min(kContext, tokens.size()))).at("head");
    const double nll = negative_log_likelihood(first_rows(logits, targets.size()), targets);
    EXPECT_NEAR(nll, windows[w].nll_sum, tolerance * windows[w].nll_sum);
    const T* const last = logits.row(logits.rows() - 1);
    EXPECT_EQ(std::max_element(last, last + logits.cols()) - last, windows[w].top1_last);
    for (std::size_t i = 0; i < windows[w].logits_last_first8.size(); ++i)
      EXPECT_NEAR(static_cast<double>(last[i]), windows[w].logits_last_first8[i],
                  tolerance * std::abs(windows[w].logits_last_first8[i]))
          << "logit " << i;
    total += nll;
    num_targets += targets.size();
  }
  return total / static_cast<double>(num_targets);
}

TEST(TransformerGoldenTest, KjvGpt2InDouble) {
  GUARDBIT_REQUIRE_SHARED(tests::kKjvFolder);
  const double mean = compare_windows(convert<double>(tests::load_kjv_gpt2()),
                                      tests::load_reference(tests::kKjvFolder, "windows"), kDoubleTolerance);
  if (kMaxWindows < kAllWindows) GTEST_SKIP() << "the mean over all windows is compared in builds without sanitizers";
  EXPECT_NEAR(mean, 1.180133, 5e-7);
  EXPECT_NEAR(std::exp(mean), 3.25481, 5e-6);
}

TEST(TransformerGoldenTest, KjvGpt2InFloat) {
  GUARDBIT_REQUIRE_SHARED(tests::kKjvFolder);
  compare_windows(tests::load_kjv_gpt2(), tests::load_reference(tests::kKjvFolder, "windows"), kFloatTolerance);
}

TEST(TransformerGoldenTest, Stories260kInDouble) {
  GUARDBIT_REQUIRE_SHARED(tests::kStoriesFolder);
  const double mean = compare_windows(convert<double>(tests::load_stories260k()),
                                      tests::load_reference(tests::kStoriesFolder, "documents"), kDoubleTolerance);
  if (kMaxWindows < kAllWindows) GTEST_SKIP() << "the mean over all windows is compared in builds without sanitizers";
  EXPECT_NEAR(std::exp(mean), 3.8219, 5e-5);
}

TEST(TransformerGoldenTest, Stories260kInFloat) {
  GUARDBIT_REQUIRE_SHARED(tests::kStoriesFolder);
  compare_windows(tests::load_stories260k(), tests::load_reference(tests::kStoriesFolder, "documents"),
                  kFloatTolerance);
}

}  // namespace
}  // namespace guardbit::transformer
