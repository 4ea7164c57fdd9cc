// .npy files: what NumPy writes is read, everything else is refused by name (case ids of docs: NPY-01 .. NPY-11).
#include "sim/trace/npy.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/support/expect_error.h"
#include "tests/support/malformed_npy.h"
#include "tests/support/npy_writer.h"
#include "tests/support/temporary_directory.h"

namespace guardbit::tests {
namespace {

using sim::ExitCode;
using sim::NpyFile;

class NpyTest : public testing::Test {
 protected:
  std::vector<float> read(const std::string& content, bool require_finite = true) {
    return NpyFile(directory_.write("x.npy", content)).read(require_finite).data();
  }
  testing::AssertionResult refused(const std::string& content, std::string_view text) {
    return refuses([&] { (void)read(content); }, ExitCode::kMalformedInput, text);
  }
  TemporaryDirectory directory_;
};

TEST_F(NpyTest, EveryElementTypeIsReadExactly) {
  const auto file = [](const std::string& descr, const std::string& data) {
    return npy_file(npy_header(descr, "(2,)"), data);
  };
  EXPECT_EQ(read(file("<f4", raw_bytes<float>({1.5F, -0x1p-149F}))), (std::vector<float>{1.5F, -0x1p-149F}));
  EXPECT_EQ(read(file("<f8", raw_bytes<double>({1.5, -0x1p-149}))), (std::vector<float>{1.5F, -0x1p-149F}));
  EXPECT_EQ(read(file("<f2", raw_bytes<std::uint16_t>({0x3C01, 0x8001}))),
            (std::vector<float>{1 + 0x1p-10F, -0x1p-24F}));
  EXPECT_EQ(read(file("|i1", std::string("\x80\x7F", 2))), (std::vector<float>{-128, 127}));
  EXPECT_EQ(read(file("|u1", std::string("\x80\xFF", 2))), (std::vector<float>{128, 255}));
  EXPECT_EQ(read(file("<u2", raw_bytes<std::uint16_t>({1, 65535}))), (std::vector<float>{1, 65535}));
  EXPECT_EQ(read(file("<i4", raw_bytes<std::int32_t>({-(1 << 24), 3}))), (std::vector<float>{-(1 << 24), 3}));
  EXPECT_EQ(read(file("<u4", raw_bytes<std::uint32_t>({1U << 31, 3}))), (std::vector<float>{0x1p31F, 3}));
  EXPECT_EQ(read(file(">f4", std::string("\x3F\xC0\0\0\xBF\x80\0\0", 8))), (std::vector<float>{1.5F, -1}));
  EXPECT_EQ(read(file(">u1", "\x01\x02")), (std::vector<float>{1, 2})) << "NPY-11: byte order without a meaning";
}

TEST_F(NpyTest, VersionsShapesAndOrders) {
  const std::string six = raw_bytes<float>({1, 2, 3, 4, 5, 6});
  for (const int version : {1, 2, 3}) {
    EXPECT_EQ(read(npy_file(npy_header("<f4", "(2, 3)"), six, version)), (std::vector<float>{1, 2, 3, 4, 5, 6}));
  }
  EXPECT_EQ(read(npy_file(npy_header("<f4", "(2, 3)", "True"), six)), (std::vector<float>{1, 3, 5, 2, 4, 6}));
  EXPECT_EQ(read(npy_file(npy_header("<f4", "(1, 2, 3)", "True"), six)), (std::vector<float>{1, 3, 5, 2, 4, 6}));
  EXPECT_EQ(read(npy_file("{\"shape\":(6,),\"fortran_order\":True,\"descr\":\"<f4\"}\n", six)).size(), 6U);
  EXPECT_EQ(read(npy_file(npy_header("<f4", "()"), raw_bytes<float>({7}))), (std::vector<float>{7}));
  const NpyFile cube(directory_.write("cube.npy", npy_file(npy_header("<f4", "(1, 2, 3)"), six)));
  EXPECT_EQ(cube.rows(), 2U);
  EXPECT_EQ(cube.cols(), 3U);
}

TEST_F(NpyTest, MalformedFilesAreRefusedByName) {
  for (const MalformedNpy& row : malformed_npy()) EXPECT_TRUE(refused(row.content, row.message)) << row.id;
}

TEST_F(NpyTest, EveryTruncationIsRefused) {
  const std::string whole = npy_file(npy_header("<f4", "(2,)"), raw_bytes<float>({1, 2}));
  ASSERT_EQ(read(whole).size(), 2U);
  for (std::size_t size = 0; size < whole.size(); ++size) EXPECT_TRUE(refused(whole.substr(0, size), "")) << size;
}

TEST_F(NpyTest, BitFlipsNeverCrash) {
  const std::string whole = npy_file(npy_header("<f4", "(2,)"), raw_bytes<float>({1, 2}));
  for (std::size_t bit = 0; bit < 8 * whole.size(); ++bit) {
    std::string flipped = whole;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
    try {
      EXPECT_LE(read(flipped, false).size(), 8U) << bit;
    } catch (const sim::UserError& error) {
      EXPECT_EQ(error.code(), ExitCode::kMalformedInput) << bit;
    }
  }
}

TEST_F(NpyTest, ValuesThatBinary32CannotHoldAreNamed) {
  const auto doubles = [](const std::vector<double>& values) {
    return npy_file(npy_header("<f8", "(2,)"), raw_bytes(values));
  };
  EXPECT_TRUE(refused(doubles({1, 0.1}), "at element 1; expected values that binary32 holds exactly"));
  EXPECT_TRUE(refused(doubles({1e300, 0}), "at element 0; expected values that binary32"));
  EXPECT_TRUE(refused(npy_file(npy_header("<i4", "(2,)"), raw_bytes<std::int32_t>({(1 << 24) + 1, 0})), "element 0"));
  const double infinity = std::numeric_limits<double>::infinity();
  EXPECT_TRUE(refused(doubles({0, -infinity}), "got -inf at element 1; expected finite"));
  EXPECT_TRUE(refused(doubles({std::nan(""), 0}), "got nan at element 0; expected finite"));
  EXPECT_TRUE(std::isnan(read(doubles({std::nan(""), 0}), false)[0]));
  EXPECT_EQ(read(doubles({-infinity, 0}), false)[0], -std::numeric_limits<float>::infinity());
}

TEST_F(NpyTest, MissingFilesAndDirectories) {
  EXPECT_TRUE(refuses([&] { NpyFile(directory_ / "none.npy"); }, ExitCode::kMissingInput, "none.npy"));
  EXPECT_TRUE(refuses([&] { NpyFile(directory_.path()); }, ExitCode::kMalformedInput, "directory"));
}

TEST_F(NpyTest, WrittenFilesAreWhatNumPyWrites) {
  sim::write_npy(directory_ / "out.npy", "<u2", {2, 1}, {1, 0, 2, 0});
  std::string header = "{'descr': '<u2', 'fortran_order': False, 'shape': (2, 1), }";
  header += std::string(128 - 10 - 1 - header.size(), ' ') + "\n";
  EXPECT_EQ(content_of(directory_ / "out.npy"), npy_file(header, std::string("\1\0\2\0", 4)));
  sim::write_npy(directory_ / "vector.npy", "|u1", {3}, {7, 8, 9});
  EXPECT_EQ(NpyFile(directory_ / "vector.npy").read(true).data(), (std::vector<float>{7, 8, 9}));
  EXPECT_EQ(NpyFile(directory_ / "vector.npy").header().shape, (std::vector<std::uint64_t>{3}));
}

}  // namespace
}  // namespace guardbit::tests
