// Windows of token ids: cutting of sequences, ids in .npy files.
#include "sim/trace/token_windows.h"

#include <gtest/gtest.h>

#include <cstring>
#include <numeric>

#include "sim/trace/npy.h"
#include "tests/support/expect_error.h"
#include "tests/support/temporary_directory.h"

namespace guardbit::sim {
namespace {

namespace fs = std::filesystem;
using tests::refuses;

transformer::ModelShape shape_of(const char* family, int context = 8, int vocabulary = 100) {
  transformer::ModelShape shape;
  shape.family = family;
  shape.vocabulary_size = vocabulary;
  shape.context_length = context;
  return shape;
}

std::vector<int> counting(std::size_t count) {
  std::vector<int> ids(count);
  std::iota(ids.begin(), ids.end(), 0);
  return ids;
}

TEST(CutWindowsTest, EveryTokenButTheFirstIsPredictedOnceWhateverTheStride) {
  for (const std::size_t count : {2u, 3u, 8u, 9u, 10u, 17u, 50u}) {
    for (std::size_t context = 1; context <= 8; ++context) {
      for (std::size_t stride = 1; stride <= context; ++stride) {
        const auto windows = cut_windows(counting(count), shape_of("gpt2"), {context, stride}, "t");
        std::vector<int> scored;
        for (const Trace::Window& window : windows) {
          ASSERT_LE(window.tokens.size(), context + 1);
          ASSERT_LT(window.num_unscored, window.tokens.size() - 1);
          EXPECT_EQ(window.tokens.back() - window.tokens.front(), static_cast<int>(window.tokens.size()) - 1);
          const auto targets = scored_targets_of(window, shape_of("gpt2"));
          scored.insert(scored.end(), targets.begin(), targets.end());
        }
        const std::vector<int> all = counting(count);
        EXPECT_EQ(scored, std::vector<int>(all.begin() + 1, all.end())) << count << " " << context << " " << stride;
      }
    }
  }
}

TEST(CutWindowsTest, DefaultsAndLimits) {
  EXPECT_EQ(cut_windows(counting(20), shape_of("gpt2"), {}, "t").at(0).tokens.size(), 9u) << "the model's context";
  EXPECT_EQ(cut_windows(std::vector<int>(5000), shape_of("llama", 100000), {}, "t").at(0).tokens.size(), 2049u);
  EXPECT_TRUE(refuses(
      [] {
        (void)cut_windows(counting(20), shape_of("gpt2"), {9, 0}, "t");
      },
      ExitCode::kUsage, "--context: got 9; expected 1..8"));
  EXPECT_TRUE(refuses(
      [] {
        (void)cut_windows(counting(20), shape_of("gpt2"), {4, 5}, "t");
      },
      ExitCode::kUsage, "--stride: got 5; expected 1..4"));
  EXPECT_TRUE(refuses([] { (void)cut_windows(counting(1), shape_of("gpt2"), {}, "t.txt"); }, ExitCode::kMalformedInput,
                      "t.txt: got 1 token; expected at least 2"));
}

TEST(CutWindowsTest, EncodersHaveNoTargets) {
  const auto windows = cut_windows(counting(20), shape_of("bert"), {}, "t");
  ASSERT_EQ(windows.size(), 3u);
  EXPECT_EQ(windows[0].tokens.size(), 8u);
  EXPECT_EQ(windows[2].tokens, (std::vector<int>{16, 17, 18, 19}));
  EXPECT_EQ(inputs_of(windows[0], shape_of("bert")).size(), 8u);
  EXPECT_TRUE(scored_targets_of(windows[0], shape_of("bert")).empty());
}

template <class T>
fs::path npy(const tests::TemporaryDirectory& directory, const char* descr, const std::vector<std::uint64_t>& shape,
             const std::vector<T>& values) {
  std::vector<unsigned char> bytes(values.size() * sizeof(T));
  std::memcpy(bytes.data(), values.data(), bytes.size());
  write_npy(directory / "t.npy", descr, shape, bytes);
  return directory / "t.npy";
}

TEST(NpyWindowsTest, RowsAreWindowsAndASequenceIsCut) {
  const tests::TemporaryDirectory directory;
  const auto rows =
      read_npy_windows(npy<std::int64_t>(directory, "<i8", {2, 3}, {1, 2, 3, 4, 5, 99}), shape_of("gpt2"), {});
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[1].tokens, (std::vector<int>{4, 5, 99}));
  const auto cut =
      read_npy_windows(npy<std::uint16_t>(directory, "<u2", {5}, {1, 2, 3, 4, 5}), shape_of("gpt2"), {2, 0});
  ASSERT_EQ(cut.size(), 2u);
  EXPECT_EQ(cut[1].tokens, (std::vector<int>{3, 4, 5}));
}

TEST(NpyWindowsTest, MalformedFilesAreRefused) {
  const tests::TemporaryDirectory directory;
  const auto refused = [&](const fs::path& file, ExitCode code, const char* message, const Cutting& cutting = {}) {
    EXPECT_TRUE(refuses([&] { (void)read_npy_windows(file, shape_of("gpt2"), cutting); }, code, message));
  };
  const ExitCode malformed = ExitCode::kMalformedInput;
  refused(npy<float>(directory, "<f4", {2}, {1, 2}), malformed, "t.npy: got a floating-point type; expected integers");
  refused(npy<std::int64_t>(directory, "<i8", {1, 1, 2}, {1, 2}), malformed, "got 3 dimensions; expected (ids) or");
  refused(npy<std::int64_t>(directory, "<i8", {}, {1}), malformed, "got 0 dimensions");
  refused(npy<std::int64_t>(directory, "<i8", {3}, {1, 2, 100}), malformed,
          "got 100 at element 2; expected an integer in 0..99");
  refused(npy<std::int64_t>(directory, "<i8", {3}, {1, -1, 3}), malformed, "got -1 at element 1");
  refused(npy<std::int64_t>(directory, "<i8", {2}, {1, INT64_MAX}), malformed,
          "at element 1; expected an integer in 0..99");
  refused(npy<std::uint64_t>(directory, "<u8", {2}, {1, UINT64_MAX}), malformed,
          "at element 1; expected an integer in 0..99");
  refused(npy<std::int64_t>(directory, "<i8", {1, 1}, {1}), malformed, "got rows of 1 ids; expected 2..9");
  refused(npy<std::int64_t>(directory, "<i8", {1, 10}, std::vector<std::int64_t>(10)), malformed,
          "got rows of 10 ids; expected 2..9");
  refused(npy<std::int64_t>(directory, "<i8", {1, 3}, {1, 2, 3}), ExitCode::kUsage, "its rows are windows already",
          {2, 0});
  refused(directory.write("e.npy", ""), malformed, "e.npy: got 0 bytes");
  refused(directory / "none.npy", ExitCode::kMissingInput, "none.npy: cannot open");
}

}  // namespace
}  // namespace guardbit::sim
