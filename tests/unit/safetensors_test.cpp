// safetensors files: every malformed case of the design's catalogue (ids ST-nn, GEN-nn) is refused with its own
// message, truncation and bit flips never crash, and values are read exactly.
#include "sim/trace/safetensors.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "tests/support/expect_error.h"
#include "tests/support/malformed_safetensors.h"
#include "tests/support/temporary_directory.h"

namespace guardbit::sim {
namespace {

using numerics::Matrix;
using tests::file_bytes;
using tests::kValidHeader;
using tests::MalformedCase;
using tests::refuses;
using tests::zeros;

class MalformedSafetensorsTest : public testing::TestWithParam<MalformedCase> {};

TEST_P(MalformedSafetensorsTest, IsRefusedWithItsOwnMessage) {
  const tests::TemporaryDirectory directory;
  const auto file = directory.write("model.safetensors", GetParam().bytes);
  EXPECT_TRUE(refuses([&] { SafetensorsFile{file}; }, ExitCode::kMalformedInput, GetParam().message));
  EXPECT_TRUE(refuses([&] { SafetensorsFile{file}; }, ExitCode::kMalformedInput, "model.safetensors:"));
}
INSTANTIATE_TEST_SUITE_P(Corpus, MalformedSafetensorsTest, testing::ValuesIn(tests::malformed_safetensors()),
                         [](const auto& row) { return std::string(row.param.id); });

TEST(SafetensorsTest, St31TooManyTensors) {
  std::string header = "{";
  for (int i = 0; i <= 1'000'001; ++i) header += (i == 0 ? "\"" : ",\"") + std::to_string(i) + "\":0";
  const tests::TemporaryDirectory directory;
  const auto file = directory.write("model.safetensors", file_bytes(header + "}"));
  EXPECT_TRUE(refuses([&] { SafetensorsFile{file}; }, ExitCode::kMalformedInput, "more than 1000001 members"));
}

TEST(SafetensorsTest, Gen05MissingFileIsMissingInput) {
  const tests::TemporaryDirectory directory;
  EXPECT_TRUE(refuses([&] { SafetensorsFile{directory / "none"}; }, ExitCode::kMissingInput,
                      "none: cannot open: No such file"));
}

TEST(SafetensorsTest, Gen06OnlyRegularFiles) {
  const tests::TemporaryDirectory directory;
  ASSERT_EQ(mkfifo((directory / "fifo").c_str(), 0600), 0);
  EXPECT_TRUE(refuses([&] { SafetensorsFile{directory / "fifo"}; }, ExitCode::kMalformedInput, "got a FIFO"));
  EXPECT_TRUE(refuses([&] { SafetensorsFile{directory.path()}; }, ExitCode::kMalformedInput, "got a directory"));
  EXPECT_TRUE(refuses([&] { SafetensorsFile{"/dev/null"}; }, ExitCode::kMalformedInput, "got a device"));
}

/// Two tensors of all values that matter, as the writer makes them.
std::string small_valid_file(const tests::TemporaryDirectory& directory) {
  const Matrix<float> weights(2, 3, {1.0f, -0.0f, 0x1p-149f, -65504.0f, 0x1.8p-24f, 3.5f});
  const Matrix<float> halves(1, 3, {65504.0f, 0x1p-24f, -1.5f});
  write_safetensors(
      directory / "small",
      {{"w", &weights, false, TensorToWrite::Dtype::kF32}, {"b/~", &halves, true, TensorToWrite::Dtype::kF16}},
      {{"format", "pt"}});
  return tests::content_of(directory / "small");
}

TEST(SafetensorsTest, WrittenFileReadsBackBitForBit) {
  const tests::TemporaryDirectory directory;
  const std::string bytes = small_valid_file(directory);
  const std::string header =
      R"({"__metadata__":{"format":"pt"},"w":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},"b/~":{"dtype":"F16","shape":[3],"data_offsets":[24,30]}})";
  EXPECT_EQ(bytes.substr(8, header.size()), header);
  EXPECT_EQ(static_cast<unsigned char>(bytes[0]) % 8, 0) << "data starts at a multiple of 8";
  const SafetensorsFile file(directory / "small");
  EXPECT_EQ(file.metadata().at("format"), "pt");
  const Matrix<float> weights = file.read_matrix("w", 2, 3);
  const std::vector<std::uint32_t> expected = {0x3F800000, 0x80000000, 0x00000001, 0xC77FE000, 0x33C00000, 0x40600000};
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ(std::bit_cast<std::uint32_t>(weights.data()[i]), expected[i]) << i;
  }
  EXPECT_EQ(file.read_matrix("b/~", 1, 3).data(), (std::vector<float>{65504.0f, 0x1p-24f, -1.5f}));
  EXPECT_EQ(directory.num_entries(), 1u) << "a temporary is left";
}

TEST(SafetensorsTest, Gen03TruncationAtEveryByteIsRefused) {
  const tests::TemporaryDirectory directory;
  const std::string bytes = small_valid_file(directory);
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    const auto file = directory.write("cut", bytes.substr(0, length));
    EXPECT_TRUE(refuses([&] { SafetensorsFile{file}; }, ExitCode::kMalformedInput, "cut")) << length << " bytes";
  }
}

TEST(SafetensorsTest, Gen10EveryBitFlipIsRefusedOrKeepsShapes) {
  const tests::TemporaryDirectory directory;
  const std::string bytes = small_valid_file(directory);
  std::size_t num_accepted = 0;
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    std::string flipped = bytes;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
    const auto path = directory.write("flipped", flipped);
    try {
      const SafetensorsFile file(path);
      for (const auto& [name, info] : file.tensors()) {
        const std::size_t cols = info.shape.back();
        const std::size_t rows = info.shape.size() == 1 ? 1 : info.shape[0];
        ASSERT_EQ(rows * cols * info.dtype.num_bits, (info.end - info.begin) * 8) << "bit " << bit;
        EXPECT_EQ(file.read_matrix(name, rows, cols).data().size(), rows * cols) << "bit " << bit;
      }
      ++num_accepted;
    } catch (const UserError& error) {
      EXPECT_EQ(error.code(), ExitCode::kMalformedInput) << "bit " << bit << ": " << printable(error.what());
    }
  }
  EXPECT_GE(num_accepted, 200u) << "flips in the data of finite tensors are other values, not errors";
}

TEST(SafetensorsTest, Gen08FileThatShrinksWhileOpenIsAnError) {
  const tests::TemporaryDirectory directory;
  const auto path = directory.write("model.safetensors", file_bytes(kValidHeader, zeros(8)));
  const SafetensorsFile file(path);
  ASSERT_EQ(truncate(path.c_str(), 60), 0);
  EXPECT_TRUE(refuses([&] { (void)file.read_matrix("a", 1, 2); }, ExitCode::kIo, "another program is changing it"));
}

TEST(SafetensorsTest, St32UnalignedTensorsAreRead) {
  const tests::TemporaryDirectory directory;
  const float value = 0x1.234568p3f;
  std::string data(1, '\x7F');
  data.append(reinterpret_cast<const char*>(&value), sizeof value);
  const auto path = directory.write(
      "f",
      file_bytes(
          R"({"x":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"y":{"dtype":"F32","shape":[1],"data_offsets":[1,5]}})",
          data));
  EXPECT_EQ(SafetensorsFile(path).read_matrix("y", 1, 1)(0, 0), value);
}

TEST(SafetensorsTest, EmptyHeaderPaddingAndZeroSizesAreValid) {
  const tests::TemporaryDirectory directory;
  EXPECT_TRUE(SafetensorsFile(directory.write("f", file_bytes("{}    "))).tensors().empty());
  const SafetensorsFile file(directory.write(
      "g",
      file_bytes(
          R"({"e":{"dtype":"F32","shape":[0,7],"data_offsets":[0,0]},"a":{"dtype":"F16","shape":[1],"data_offsets":[0,2]},"z":{"dtype":"I64","shape":[0],"data_offsets":[2,2]}})",
          zeros(2))));
  EXPECT_EQ(file.tensors().size(), 3u);
}

/// One F64/F16/BF16/F32 element of those bytes, read as (1, 1).
float read_one(const std::string& dtype, const std::string& bytes) {
  const tests::TemporaryDirectory directory;
  return SafetensorsFile(
             directory.write("f", file_bytes(R"({"a":{"dtype":")" + dtype + R"(","shape":[1],"data_offsets":[0,)" +
                                                 std::to_string(bytes.size()) + "]}}",
                                             bytes)))
      .read_matrix("a", 1, 1)(0, 0);
}
template <class T>
std::string bytes_of(T value) {
  return std::string(reinterpret_cast<const char*>(&value), sizeof value);
}

TEST(SafetensorsTest, EveryFiniteBinary16IsReadAsTheCompilerConvertsIt) {
  std::string data;
  for (std::uint32_t code = 0; code < 0x10000; ++code) {
    const bool is_finite = (code & 0x7C00) != 0x7C00;
    data += bytes_of(static_cast<std::uint16_t>(is_finite ? code : 0));
  }
  const tests::TemporaryDirectory directory;
  const SafetensorsFile file(
      directory.write("f", file_bytes(R"({"a":{"dtype":"F16","shape":[256,256],"data_offsets":[0,131072]}})", data)));
  const Matrix<float> values = file.read_matrix("a", 256, 256);
  for (std::uint32_t code = 0; code < 0x10000; ++code) {
    if ((code & 0x7C00) == 0x7C00) continue;
    const auto expected = static_cast<float>(std::bit_cast<_Float16>(static_cast<std::uint16_t>(code)));
    ASSERT_EQ(std::bit_cast<std::uint32_t>(values.data()[code]), std::bit_cast<std::uint32_t>(expected))
        << std::hex << code;
  }
}

TEST(SafetensorsTest, Bf16AndF64AreExact) {
  EXPECT_EQ(read_one("BF16", bytes_of(std::uint16_t{0x3FC0})), 1.5f);
  EXPECT_EQ(read_one("BF16", bytes_of(std::uint16_t{0x8001})), -0x1p-133f);
  EXPECT_EQ(read_one("F64", bytes_of(-0x1p-149)), -0x1p-149f);
  EXPECT_TRUE(std::signbit(read_one("F64", bytes_of(-0.0))));
  EXPECT_TRUE(refuses([] { read_one("F64", bytes_of(0.1)); }, ExitCode::kMalformedInput,
                      "tensor 'a': got 0x1.999999999999ap-4 at (0, 0); expected values that binary32 holds exactly"));
  EXPECT_TRUE(refuses([] { read_one("F64", bytes_of(1e300)); }, ExitCode::kMalformedInput, "binary32 holds exactly"));
  EXPECT_TRUE(
      refuses([] { read_one("F64", bytes_of(0x1p-150)); }, ExitCode::kMalformedInput, "binary32 holds exactly"));
}

TEST(SafetensorsTest, Dv01Dv02Dv05NonFiniteWeightsAreRefusedWithTheirIndex) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const Matrix<float> values(2, 2, {0, 1, -std::numeric_limits<float>::infinity(), nan});
  const tests::TemporaryDirectory directory;
  write_safetensors(directory / "f", {{"w", &values}});
  EXPECT_TRUE(refuses([&] { (void)SafetensorsFile(directory / "f").read_matrix("w", 2, 2); }, ExitCode::kMalformedInput,
                      "tensor 'w': got -inf at (1, 0); expected finite values"));
  EXPECT_TRUE(refuses([] { read_one("F16", bytes_of(std::uint16_t{0x7C01})); }, ExitCode::kMalformedInput,
                      "got nan at (0, 0)"));
  EXPECT_TRUE(refuses([] { read_one("BF16", bytes_of(std::uint16_t{0x7F80})); }, ExitCode::kMalformedInput,
                      "got inf at (0, 0)"));
  EXPECT_TRUE(refuses([] { read_one("F32", bytes_of(std::uint32_t{0x7F800001})); }, ExitCode::kMalformedInput,
                      "got nan at (0, 0)"));
  EXPECT_TRUE(refuses([] { read_one("F64", bytes_of(std::uint64_t{0xFFF0000000000000})); }, ExitCode::kMalformedInput,
                      "got -inf at (0, 0)"));
}

TEST(SafetensorsTest, OtherNamesShapesAndTypesAreRefused) {
  const tests::TemporaryDirectory directory;
  const SafetensorsFile file(directory.write(
      "f",
      file_bytes(
          R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"i":{"dtype":"I8","shape":[1,2],"data_offsets":[8,10]}})",
          zeros(10))));
  const auto read = [&](const char* name, std::size_t rows, std::size_t cols) {
    return [&file, name, rows, cols] { (void)file.read_matrix(name, rows, cols); };
  };
  EXPECT_TRUE(refuses(read("b", 1, 2), ExitCode::kMalformedInput, "no tensor 'b'; expected one of shape (1, 2)"));
  EXPECT_TRUE(refuses(read("a", 2, 1), ExitCode::kMalformedInput, "tensor 'a': got shape [2]; expected (2, 1)"));
  EXPECT_TRUE(refuses(read("a", 1, 3), ExitCode::kMalformedInput, "tensor 'a': got shape [2]; expected (1, 3)"));
  EXPECT_TRUE(refuses(read("i", 2, 1), ExitCode::kMalformedInput, "tensor 'i': got shape [1, 2]; expected (2, 1)"));
  EXPECT_TRUE(refuses(read("i", 1, 2), ExitCode::kMalformedInput, "got dtype I8; expected F64, F32, F16 or BF16"));
}

}  // namespace
}  // namespace guardbit::sim
