// Goldens: what is kept of outputs, files that cannot be edited, cut or taken for another version, and differences down
// to the element.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <bit>
#include <cmath>
#include <limits>
#include <new>
#include <random>

#include "models/numerics/codec.h"
#include "sim/base/child_process.h"
#include "sim/base/sha256.h"
#include "sim/regress/golden_compare.h"
#include "sim/regress/golden_file.h"
#include "sim/regress/packed_bytes.h"
#include "sim/regress/tensor_recorder.h"
#include "tests/support/expect_error.h"
#include "tests/support/temporary_directory.h"

namespace guardbit::tests {
namespace {

using numerics::kFp16;
using numerics::Matrix;
using sim::CaseDifference;
using sim::CaseGolden;
using sim::compare_goldens;
using sim::from_base64;
using sim::golden_text;
using sim::GoldenLimits;
using sim::OpGolden;
using sim::pack_codes;
using sim::parse_golden;
using sim::TensorGolden;
using sim::TensorRecorder;
using sim::to_base64;
using sim::unpack_codes;
using sim::VariantDifference;
using sim::VariantGolden;
using sim::WindowShape;
using testing::HasSubstr;

Matrix<float> fp16_matrix(std::size_t rows, std::size_t cols, unsigned seed) {
  std::mt19937 random(seed);
  Matrix<float> matrix(rows, cols);
  for (float& value : matrix.data())
    value = numerics::to_carrier(static_cast<std::uint32_t>(random() % 0x7C01u | (random() % 2) << 15u), kFp16);
  return matrix;
}

TensorGolden record(const GoldenLimits& limits, const std::vector<Matrix<float>>& windows) {
  TensorRecorder recorder(limits);
  for (const Matrix<float>& window : windows) recorder.add_window(kFp16, window);
  return recorder.finish();
}

/// A case of one variant with two ops, of two windows each.
CaseGolden small_case(const GoldenLimits& limits, const std::vector<Matrix<float>>& second_op) {
  CaseGolden golden{
      .name = "small", .limits = limits, .inputs = {{"seed", "1"}, {"accelerator.a\"b", "<&>"}}, .variants = {}};
  VariantGolden variant;
  variant.name = "slanc+rrs";
  variant.digest = std::string(64, 'a');
  variant.perplexity = "3.93";
  variant.cycles = {{"total", UINT64_MAX}, {"matrix.busy", 7}};
  OpGolden first{.name = "embed",
                 .kind = "embed",
                 .output = record(limits, {fp16_matrix(3, 5, 1)}),
                 .events = {{"storage.inexact", 12}},
                 .cycles = {{"vector", 9}}};
  OpGolden second{
      .name = "layers.0.attn.q", .kind = "linear", .output = record(limits, second_op), .events = {}, .cycles = {}};
  variant.ops = {first, second};
  golden.variants = {variant};
  return golden;
}

TEST(PackedBytesTest, Base64IsThatOfTheStandard) {
  // RFC 4648, section 10.
  const std::vector<std::pair<std::string, std::string>> vectors = {{"", ""},
                                                                    {"f", "Zg=="},
                                                                    {"fo", "Zm8="},
                                                                    {"foo", "Zm9v"},
                                                                    {"foob", "Zm9vYg=="},
                                                                    {"fooba", "Zm9vYmE="},
                                                                    {"foobar", "Zm9vYmFy"}};
  for (const auto& [bytes, text] : vectors) {
    EXPECT_EQ(to_base64(bytes), text);
    EXPECT_EQ(from_base64(text), bytes);
  }
  for (const char* bad : {"Z", "Zg=", "Zh==", "Zm9=", "Zm9v=", "Z===", "====", "Zg==Zg==", "Zm 9", "Zm9v\n"}) {
    EXPECT_EQ(from_base64(bad), std::nullopt) << bad;
  }
}

TEST(PackedBytesTest, CodesComeBackAndNothingElseIsTaken) {
  std::mt19937 random(20260101);
  for (const int bytes : {1, 2, 3, 4}) {
    std::vector<std::uint32_t> codes(1000);
    const auto mask = static_cast<std::uint32_t>((std::uint64_t{1} << (8 * bytes)) - 1);
    for (std::uint32_t& code : codes) code = static_cast<std::uint32_t>(random()) & mask;
    const std::string packed = pack_codes(codes, bytes);
    EXPECT_EQ(unpack_codes(packed, codes.size(), bytes), codes);
    EXPECT_EQ(unpack_codes(packed, codes.size() - 1, bytes), std::nullopt);
    EXPECT_EQ(unpack_codes(packed, codes.size() + 1, bytes), std::nullopt);
    EXPECT_EQ(unpack_codes(packed + "x", codes.size(), bytes), std::nullopt);
    EXPECT_EQ(unpack_codes(packed.substr(1), codes.size(), bytes), std::nullopt);
    EXPECT_EQ(unpack_codes(packed, UINT64_MAX / 8, bytes), std::nullopt) << "nothing of that size is allocated";
  }
  EXPECT_EQ(unpack_codes(pack_codes({}, 2), 0, 2), std::vector<std::uint32_t>{});
}

TEST(ChildProcessTest, AnswersAndErrorsComeBack) {
  const std::string large(1 << 20, 'x');  // more than a pipe holds
  EXPECT_EQ(sim::run_in_child([&] { return large + '\0'; }), large + '\0');
  EXPECT_EQ(sim::run_in_child([] { return std::string(); }), "");
  EXPECT_TRUE(refuses(
      [] {
        (void)sim::run_in_child(
            []() -> std::string { throw sim::UserError(sim::ExitCode::kConfiguration, "a: got b"); });
      },
      sim::ExitCode::kConfiguration, "a: got b"));
  EXPECT_TRUE(refuses([] { (void)sim::run_in_child([]() -> std::string { throw std::bad_alloc(); }); },
                      sim::ExitCode::kRefused, "out of memory"));
  EXPECT_TRUE(refuses(
      [] {
        (void)sim::run_in_child([]() -> std::string {
          raise(SIGKILL);
          return {};
        });
      },
      sim::ExitCode::kRefused, "was killed"));
  EXPECT_THROW((void)sim::run_in_child([]() -> std::string { throw std::logic_error("bug"); }), InternalError);
  EXPECT_THROW((void)sim::run_in_child([]() -> std::string { _exit(3); }), InternalError);
}

TEST(TensorRecorderTest, KeepsWholeRowsUpToTheLimitAndDigestsOfAll) {
  const std::vector<Matrix<float>> windows = {fp16_matrix(5, 4, 2), fp16_matrix(3, 6, 3)};
  const TensorGolden golden = record({.rows_per_digest = 2, .kept_bytes_per_op = 5 * 4 * 2 + 6 * 2 + 11}, windows);
  EXPECT_EQ(golden.format, "fp16");
  EXPECT_EQ(golden.windows, (std::vector<WindowShape>{{5, 4}, {3, 6}}));
  ASSERT_EQ(golden.codes.size(), 26U) << "all of the first window and one row of the second; 11 bytes are no row";
  for (std::size_t i = 0; i < 20; ++i) EXPECT_EQ(numerics::to_carrier(golden.codes[i], kFp16), windows[0].data()[i]);
  for (std::size_t i = 0; i < 6; ++i)
    EXPECT_EQ(numerics::to_carrier(golden.codes[20 + i], kFp16), windows[1].data()[i]);

  ASSERT_EQ(golden.row_digests.size(), 8U * (3 + 2));
  const std::string last = sim::sha256_hex({reinterpret_cast<const char*>(windows[1].row(2)), 6 * sizeof(float)});
  for (std::size_t byte = 0; byte < 8; ++byte) {
    EXPECT_EQ(static_cast<unsigned char>(golden.row_digests[32 + byte]),
              std::stoul(last.substr(2 * byte, 2), nullptr, 16));
  }
  std::string all(reinterpret_cast<const char*>(windows[0].data().data()), 20 * sizeof(float));
  all.append(reinterpret_cast<const char*>(windows[1].data().data()), 18 * sizeof(float));
  EXPECT_EQ(golden.sha256, sim::sha256_hex(all));
}

TEST(TensorRecorderTest, ValuesThatTheFormatDoesNotHaveMakeItBinary32) {
  Matrix<float> whole(2, 2, {1, -0.0F, 65504, 0.5F});
  Matrix<float> finer(2, 2, {1, 2049, 3, 4});  // fp16 has 2048 and 2050
  const TensorGolden golden = record({.rows_per_digest = 1, .kept_bytes_per_op = 28}, {whole, finer});
  EXPECT_EQ(golden.format, "fp32");
  ASSERT_EQ(golden.codes.size(), 6U) << "28 bytes are three rows of two binary32 and a half";
  EXPECT_EQ(golden.codes[1], 0x80000000U);
  EXPECT_EQ(golden.codes[5], std::bit_cast<std::uint32_t>(2049.0F));

  const TensorGolden less = record({.rows_per_digest = 1, .kept_bytes_per_op = 8}, {whole, finer});
  EXPECT_EQ(less.codes.size(), 4U) << "the limit is reached before the value that fp16 lacks";
  EXPECT_EQ(less.format, "fp16");
  const TensorGolden cut = record({.rows_per_digest = 1, .kept_bytes_per_op = 12}, {whole, finer});
  EXPECT_EQ(cut.format, "fp32");
  EXPECT_EQ(cut.codes.size(), 2U) << "of 12 bytes binary32 fills one row; no later row takes the rest";
}

TEST(GoldenFileTest, ComesBackAsItWas) {
  const CaseGolden golden = small_case({.rows_per_digest = 2, .kept_bytes_per_op = 16}, {fp16_matrix(4, 3, 4)});
  EXPECT_EQ(parse_golden(golden_text(golden), "f"), golden);
}

TEST(GoldenFileTest, RefusesEveryShorterFileAndEveryFlippedBit) {
  const CaseGolden golden = small_case({.rows_per_digest = 2, .kept_bytes_per_op = 16}, {fp16_matrix(4, 3, 4)});
  const std::string text = golden_text(golden);
  for (std::size_t size = 0; size < text.size(); ++size) {
    EXPECT_TRUE(refuses([&] { (void)parse_golden(text.substr(0, size), "f"); }, sim::ExitCode::kMalformedInput, "f: "))
        << size;
  }
  for (std::size_t bit = 0; bit < text.size() * 8; bit += 3) {
    std::string flipped = text;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
    EXPECT_TRUE(refuses([&] { (void)parse_golden(flipped, "f"); }, sim::ExitCode::kMalformedInput, "f: ")) << bit;
  }
}

TEST(GoldenFileTest, SaysWhatIsWrong) {
  const std::string text = golden_text(small_case({}, {fp16_matrix(4, 3, 4)}));
  const auto refused = [](const std::string& content, const char* why) {
    return refuses([&] { (void)parse_golden(content, "dir/small.golden.json"); }, sim::ExitCode::kMalformedInput, why);
  };
  std::string edited = text;
  edited.replace(edited.find("\"storage.inexact\":12"), 20, "\"storage.inexact\":13");
  EXPECT_TRUE(refused(edited, "dir/small.golden.json: its content is not what its last line"));
  EXPECT_TRUE(refused(text.substr(0, text.size() / 2), "ends before its last line"));
  std::string newer = text;
  newer.replace(newer.find("golden/1"), 8, "golden/2");
  EXPECT_TRUE(refused(newer, "schema: got \"guardbit-golden/2\"; expected \"guardbit-golden/1\""));
  EXPECT_TRUE(refused("{\"schema\":\"guardbit-trace/1\"}", "is no golden of guardbit regress"));

  // One who edits and makes the last line right again still has to keep to the format.
  const auto forged = [&](const std::string& from, const std::string& to) {
    std::string forgery = text;
    forgery.replace(forgery.find(from), from.size(), to);
    const std::size_t seal = forgery.rfind("\"sha256\":\"");
    return forgery.substr(0, seal) + "\"sha256\":\"" + sim::sha256_hex(forgery.substr(0, seal)) + "\"}\n";
  };
  EXPECT_TRUE(refused(forged("\"num_codes\":15", "\"num_codes\":14"), "/variants/0/ops/0/codes"));
  EXPECT_TRUE(refused(forged("\"format\":\"fp16\"", "\"format\":\"fp17\""), "/variants/0/ops/0/format: got \"fp17\""));
  EXPECT_TRUE(refused(forged("[[3,5]]", "[[4,5]]"), "/variants/0/ops/0/row_digests"));
  EXPECT_TRUE(refused(forged("[[3,5]]", "[[3]]"), "expected [rows, columns]"));
  EXPECT_TRUE(
      refused(forged("\"kind\":\"embed\"", "\"kinb\":\"embed\""), "/variants/0/ops/0/kinb: got an unknown key"));
  EXPECT_TRUE(refused(forged("\"rows_per_digest\":1", "\"rows_per_digest\":0"), "/rows_per_digest: got 0"));
}

/// The difference of two cases whose second op has these outputs.
VariantDifference difference(const GoldenLimits& limits, const std::vector<Matrix<float>>& golden,
                             const std::vector<Matrix<float>>& now) {
  const CaseDifference found = compare_goldens(small_case(limits, golden), small_case(limits, now));
  EXPECT_TRUE(found.inputs.empty());
  return found.variants.at(0);
}

TEST(GoldenCompareTest, EveryElementOfKeptRowsIsFound) {
  const std::vector<Matrix<float>> windows = {fp16_matrix(3, 4, 5), fp16_matrix(2, 5, 6)};
  const GoldenLimits limits{.rows_per_digest = 2, .kept_bytes_per_op = 1000};
  EXPECT_FALSE(difference(limits, windows, windows).any());
  for (std::size_t window = 0; window < windows.size(); ++window) {
    for (std::size_t i = 0; i < windows[window].data().size(); ++i) {
      std::vector<Matrix<float>> now = windows;
      float& value = now[window].data()[i];
      const std::uint32_t code = numerics::from_carrier(value, kFp16);
      const std::uint32_t flipped = code ^ (1u << (i % 10));
      value = numerics::to_carrier(flipped, kFp16);
      if (std::isnan(value)) continue;
      // Later elements differ as well: the first one is named.
      for (std::size_t later = i + 1; later < now[window].data().size(); ++later) now[window].data()[later] = 1;

      const VariantDifference found = difference(limits, windows, now);
      ASSERT_TRUE(found.first && found.first->element && found.first->element->bits);
      EXPECT_EQ(found.first->op, "layers.0.attn.q");
      EXPECT_EQ(found.num_differing_ops, 1U);
      EXPECT_EQ(found.first->element->window, window);
      EXPECT_EQ(found.first->element->row, i / now[window].cols());
      EXPECT_EQ(found.first->element->bits->col, i % now[window].cols());
      EXPECT_THAT(found.first->element->bits->golden, HasSubstr(fmt::format("0x{:04x} (fp16) = ", code)));
      EXPECT_THAT(found.first->element->bits->now, HasSubstr(fmt::format("0x{:04x} (fp16) = ", flipped)));
    }
  }
}

TEST(GoldenCompareTest, RowsThatAreNotKeptAreFoundByTheirDigests) {
  const std::vector<Matrix<float>> windows = {fp16_matrix(7, 4, 5), fp16_matrix(5, 4, 6)};
  const GoldenLimits limits{.rows_per_digest = 2, .kept_bytes_per_op = 3 * 4 * 2};  // rows 0 to 2 of window 0
  struct Place {
    std::size_t window, row, first, last;
  };
  for (const Place& place : {Place{0, 3, 3, 3}, {0, 4, 4, 5}, {0, 6, 6, 6}, {1, 1, 0, 1}, {1, 4, 4, 4}}) {
    std::vector<Matrix<float>> now = windows;
    now[place.window](place.row, 1) += 1024;
    now[1](4, 3) = 0.25F;
    const VariantDifference found = difference(limits, windows, now);
    ASSERT_TRUE(found.first && found.first->element);
    EXPECT_FALSE(found.first->element->bits);
    EXPECT_EQ(found.first->element->window, place.window);
    EXPECT_EQ(found.first->element->row, place.first);
    EXPECT_EQ(found.first->element->last_row, place.last);
  }
}

TEST(GoldenCompareTest, ZerosOfBothSignsDifferAndNaNsDoNot) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const std::vector<Matrix<float>> golden = {Matrix<float>(1, 2, {nan, 0.0F})};
  const std::vector<Matrix<float>> now = {Matrix<float>(1, 2, {nan, -0.0F})};
  const VariantDifference found = difference({}, golden, now);
  ASSERT_TRUE(found.first && found.first->element && found.first->element->bits);
  EXPECT_EQ(found.first->element->bits->col, 1U);
  EXPECT_EQ(found.first->element->bits->golden, "0x0000 (fp16) = 0");
  EXPECT_EQ(found.first->element->bits->now, "0x8000 (fp16) = -0");
}

TEST(GoldenCompareTest, CountsInputsOpsAndShapesAreNamed) {
  const CaseGolden golden = small_case({}, {fp16_matrix(2, 2, 9)});
  CaseGolden now = golden;
  now.inputs["accelerator.norm.rounding"] = "rtz";
  now.inputs.erase("seed");
  now.variants[0].cycles["matrix.busy"] = 8;
  now.variants[0].ops[0].events = {{"storage.overflow", 3}};
  now.variants[0].ops[1].cycles["matrix"] = 5;
  const CaseDifference found = compare_goldens(golden, now);
  EXPECT_THAT(found.inputs, testing::ElementsAre("accelerator.norm.rounding: golden the default, now rtz",
                                                 "seed: golden 1, now the default"));
  const VariantDifference& variant = found.variants.at(0);
  EXPECT_FALSE(variant.first);
  ASSERT_EQ(variant.events.size(), 2U);
  EXPECT_EQ(variant.events[0].place, "embed storage.inexact");
  EXPECT_EQ(variant.events[0].golden, 12U);
  EXPECT_EQ(variant.events[0].now, 0U);
  EXPECT_EQ(variant.events[1].place, "embed storage.overflow");
  EXPECT_EQ(variant.events[1].now, 3U);
  ASSERT_EQ(variant.cycles.size(), 2U);
  EXPECT_EQ(variant.cycles[0].place, "matrix.busy");
  EXPECT_EQ(variant.cycles[1].place, "layers.0.attn.q matrix");

  now = small_case({}, {fp16_matrix(2, 3, 9)});
  EXPECT_EQ(compare_goldens(golden, now).variants.at(0).first->shapes, "golden 2 x 2, now 2 x 3");
  now = golden;
  now.variants[0].ops[1].name = "layers.0.attn.k";
  EXPECT_EQ(compare_goldens(golden, now).variants.at(0).structure, "op 1: golden layers.0.attn.q, now layers.0.attn.k");
  now = golden;
  now.variants[0].name = "none";
  const CaseDifference renamed = compare_goldens(golden, now);
  ASSERT_EQ(renamed.variants.size(), 2U);
  EXPECT_EQ(renamed.variants[0].structure, "the golden does not have it");
  EXPECT_EQ(renamed.variants[1].structure, "only the golden has it");
  now = golden;
  now.variants[0].digest.back() = 'b';
  EXPECT_TRUE(compare_goldens(golden, now).any()) << "the digest counts by itself";
}

}  // namespace
}  // namespace guardbit::tests
