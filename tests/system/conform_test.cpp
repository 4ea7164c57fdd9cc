// `guardbit conform`: every shared vector file passes, one wrong digit in any family is found and named, and whatever
// is no vector file is refused with its line.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/support/run_guardbit.h"
#include "tests/support/shared_data.h"

namespace guardbit::tests {
namespace {

using testing::HasSubstr;
using Json = nlohmann::json;

/// Lines of a gzip file, by the gzip program.
std::vector<std::string> unzipped_lines(const std::filesystem::path& file) {
  FILE* pipe = popen(("gzip -dc " + file.string()).c_str(), "r");
  if (pipe == nullptr) throw std::runtime_error("cannot run gzip");
  std::string text;
  std::array<char, 4096> buffer{};
  for (std::size_t count = 0; (count = fread(buffer.data(), 1, buffer.size(), pipe)) > 0;)
    text.append(buffer.data(), count);
  if (pclose(pipe) != 0) throw std::runtime_error("gzip failed on " + file.string());
  std::istringstream stream(text);
  std::vector<std::string> lines;
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  return text;
}

TEST(SharedVectorsTest, EveryLineOfEveryFileConforms) {
  GUARDBIT_REQUIRE_SHARED("vectors");
  std::size_t num_files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(shared_path("vectors"))) {
    if (entry.path().extension() == ".gz") ++num_files;
  }
  const CommandResult result = run_guardbit("conform --format json " + shared_path("vectors").string() + "/*.gz");
  ASSERT_EQ(result.status, 0) << result.out << result.err;
  const Json json = Json::parse(result.out);
  ASSERT_EQ(json["files"].size(), num_files);
  EXPECT_GE(num_files, 74U);
  for (const Json& file : json["files"]) {
    EXPECT_EQ(file["mismatches"], 0) << file;
    EXPECT_EQ(file["skipped"], 0) << file;
    const std::vector<std::string> lines = unzipped_lines(file["file"].get<std::string>());
    const bool blocks = file["operation"] == "gemm blocks";
    const auto num_vectors = std::count_if(lines.begin(), lines.end(), [&](const std::string& line) {
      return line[0] != '#' && (!blocks || line.find(" nx=") != std::string::npos);
    });
    EXPECT_EQ(file["checked"], num_vectors) << file;
  }
}

/// A family's file and, for its first vector, the field to damage.
struct Damage {
  const char* file;
  std::size_t field;
  /// Keeps gtest from printing a byte dump as the parameter of every test.
  friend void PrintTo(const Damage& damage, std::ostream* out) { *out << damage.file << " field " << damage.field; }
};

class DamagedVectorsTest : public testing::TestWithParam<Damage> {};

TEST_P(DamagedVectorsTest, OneWrongDigitIsFoundAndNamed) {
  GUARDBIT_REQUIRE_SHARED("vectors");
  const std::string name = GetParam().file;
  std::vector<std::string> lines = unzipped_lines(shared_path("vectors/" + name + ".txt.gz"));
  // Somewhere in the middle, in a line that holds no NaN (all NaNs are equal).
  std::size_t bad = name.starts_with("gemm") ? 0 : lines.size() / 2;
  const auto unsuitable = [&](const std::string& line) {
    if (name.starts_with("gemm")) return !line.starts_with("fp16_tree of=");
    return line.find('F') != std::string::npos || line.find("7E") != std::string::npos ||
           line.find("7D") != std::string::npos;
  };
  while (unsuitable(lines.at(bad))) ++bad;
  std::istringstream words(lines[bad]);
  std::vector<std::string> fields;
  for (std::string word; words >> word;) fields.push_back(word);
  char& digit = fields.at(GetParam().field).back();
  digit = digit == '0' ? '1' : '0';
  lines[bad].clear();
  for (const std::string& field : fields) lines[bad] += field + " ";

  const TemporaryDirectory directory;
  const std::filesystem::path copy = directory.write(name + ".txt", joined(lines));
  const CommandResult result = run_guardbit("conform " + copy.string());
  EXPECT_EQ(result.status, 1) << result.out << result.err;
  EXPECT_THAT(result.out, HasSubstr(copy.string() + ":" + std::to_string(bad + 1) + ": "));
  EXPECT_THAT(result.out, HasSubstr(" 1 mismatch\n"));
}

INSTANTIATE_TEST_SUITE_P(
    Families, DamagedVectorsTest,
    testing::Values(Damage{"fp8_e4m3_decode", 1}, Damage{"fp8_e5m2_add_rne", 2}, Damage{"fp8_e4m3_mul_rne", 3},
                    Damage{"fp8_e4m3_from_fp32", 1}, Damage{"fp8_e5m2_from_fp32", 10},
                    Damage{"fp8_e4m3_from_fp32_sr", 3}, Damage{"fp8_e4m3_fma", 3}, Damage{"fp8_e5m2_fma", 12},
                    Damage{"f16_add_RDN", 2}, Damage{"f16_mul_RTZ", 3}, Damage{"f16_mulAdd_RNE", 3},
                    Damage{"bf16_mulAdd_RUP", 4}, Damage{"f32_to_f16_RNA", 1}, Damage{"f32_to_bf16_RNE", 2},
                    Damage{"mixfma_e4m3_fp16_RNE", 3}, Damage{"mixfma_e5m2_bf16_RDN", 4},
                    Damage{"trap_e4m3_products_acc_e5m2_float32path", 3}, Damage{"gemm_8x8x64", 3},
                    Damage{"gemm_8x8x64", 11}),
    [](const auto& test) { return std::string(test.param.file) + "_field" + std::to_string(test.param.field); });

class ConformTest : public testing::Test {
 protected:
  CommandResult conform(const std::string& name, const std::string& content, const std::string& options = "") {
    return run_guardbit("conform " + directory_.write(name, content).string() + " " + options);
  }
  TemporaryDirectory directory_;
};

struct Row {
  const char* vectors;
  const char* options;
  int status;
};

TEST_F(ConformTest, OptionsSayWhatLinesAre) {
  // Hand-computed: 1 + 1 = 2; 240 is the largest e4m3 of IEEE style, whose infinity is 78; 448 + 448 in OCP E4M3.
  const std::vector<Row> rows = {
      {"3C00 3C00 4000 00", "--op add --format fp16", 0},
      {"3C00 3C00 4000", "--op add --format f16", 0},
      {"3C00 3C00 4000 01", "--op add --format fp16", 1},
      {"3C00 3C00 4001 00", "--op add --format fp16", 1},
      {"77 77 78 05", "--op add --format e4m3", 0},
      {"7E 7E 7F", "--op add --format fp8_e4m3", 0},
      {"7E 7E 7E", "--op add --format fp8_e4m3 --overflow saturate", 0},
      {"7E 7E 7E", "--op add --format fp8_e4m3", 1},
      {"3C01 3C00 3C00 05", "--op mul --format fp16 --result-format fp4_e2m1", 65},
      {"3F800001 3C00 01", "--op convert --format fp32 --result-format fp16 --rounding rdn", 0},
      {"3F800001 3C01 01", "--op convert --format fp32 --result-format fp16 --rounding rup", 0},
      {"3F800001 3C01 01", "--op convert --format fp32 --result-format fp16 --rounding odd", 0},
      // Just below the least normal: rounds up to it, so tiny only before rounding.
      {"387FFFFF 0400 01", "--op convert --format fp32 --result-format fp16 --tininess after", 0},
      {"387FFFFF 0400 03", "--op convert --format fp32 --result-format fp16 --tininess before", 0},
      {"387FFFFF 0400 03", "--op convert --format fp32 --result-format fp16", 1},
      // Signalling and quiet NaNs, any payload of the result; 0 * inf + NaN is invalid.
      {"7C01 3C00 7E00 10", "--op add --format fp16", 0},
      {"7E01 3C00 FFFF 00", "--op add --format fp16", 0},
      {"7C01 3C00 7E00 00", "--op add --format fp16", 1},
      {"0000 7C00 7E00 7E00 10", "--op mul_add --format fp16", 0},
      {"7C00 FC00 7E00 10", "--op add --format fp16", 0},
      {"38 40 4200 4600", "--op mul_add --format fp8_e4m3 --result-format fp16", 1},
      {"38 40 4200 4500", "--op mul_add --format fp8_e4m3 --result-format fp16", 0}};
  for (const Row& row : rows) {
    const CommandResult result = conform("mine.txt", std::string(row.vectors) + "\n", row.options);
    EXPECT_EQ(result.status, row.status) << row.vectors << " " << row.options << "\n" << result.out << result.err;
  }
}

TEST_F(ConformTest, SignallingLinesAreSkippedOnRequest) {
  const std::string vectors = "7C01 3C00 7E00 00\n3C00 3C00 4000 00\n";
  EXPECT_EQ(conform("f16_add_RNE.txt", vectors).status, 1);
  const CommandResult result = conform("f16_add_RNE.txt", vectors, "--ignore-signalling --format json");
  EXPECT_EQ(result.status, 0) << result.err;
  const Json json = Json::parse(result.out);
  EXPECT_EQ(json["files"][0]["skipped"], 1);
  EXPECT_EQ(json["files"][0]["checked"], 1);
}

TEST_F(ConformTest, OptionsWinOverTheName) {
  const std::string toward_zero = "3C00 1000 3C00 01\n";
  EXPECT_EQ(conform("f16_add_RUP.txt", toward_zero).status, 1);
  EXPECT_EQ(conform("f16_add_RUP.txt", toward_zero, "--rounding rtz").status, 0);
  EXPECT_EQ(conform("f16_add.txt", "3C00 3C00 4000 00\n").status, 0) << "rne where neither tells the rounding";
  EXPECT_EQ(conform("e5m10_mul_RNE.txt", "3C00 3C00 3C00 00\n").status, 0);
}

TEST_F(ConformTest, FirstMismatchNamesOperandsAndValues) {
  const CommandResult result = conform("f16_mulAdd_RNE.txt", "# a b c result flags\n\n3C00 4000 3C00 4201 00\n");
  EXPECT_EQ(result.status, 1);
  EXPECT_THAT(result.out, HasSubstr("f16_mulAdd_RNE.txt:3: 3C00 4000 3C00 4201 00\n"
                                    "    result: got 4200 (3); expected 4201 (3.0019531)"));
}

TEST_F(ConformTest, MalformedLinesAreNamed) {
  const std::vector<std::pair<std::string, std::string>> rows = {
      {"3C00 3C00\n", ":1: got 2 fields"},
      {"3C00 3C00 4000 00 00\n", ":1: got 5 fields"},
      {"# comment\n3C00 3C00 4000 00\n3C00 3C0 4000 00\n", ":3: got '3C0'; expected 4 hexadecimal digits"},
      {"3C00 3C0G 4000 00\n", ":1: got '3C0G'"},
      {"3C00 -C00 4000 00\n", ":1: got '-C00'"},
      {"3C00 3C00 4000 20\n", ":1: got 20; expected flags of five bits"},
      {"3C00 3C00 40\xFF\xFF 00\n", "line 1: got byte 0xFF; expected printable ASCII"},
      {"", "no vectors"},
      {"# only a comment\n", "no vectors"},
      {std::string(70000, '0'), "longer than 65536 bytes"}};
  for (const auto& [content, message] : rows) {
    const CommandResult result = conform("f16_add_RNE.txt", content);
    EXPECT_EQ(result.status, 65) << content.substr(0, 80);
    EXPECT_THAT(result.err, HasSubstr(message)) << content.substr(0, 80);
    EXPECT_EQ(result.out, "");
  }
  EXPECT_EQ(conform("fp8_e4m3_from_fp32_sr.txt", "36809BB8 8 0100 00\n").status, 65) << "r has 9 bits, n is 8";
  EXPECT_EQ(conform("fp8_e4m3_from_fp32_sr.txt", "36809BB8 33 00 00\n").status, 65);
}

TEST_F(ConformTest, MalformedBlocksAreNamed) {
  const std::string block =
      "case 0 src=e4m3 M=1 N=1 K=2 kind=x\nA0 3838\nB0 38\nB1 38\nfp16_fma_seq of=0 uf=0 nx=0 4000\nend\n";
  EXPECT_EQ(conform("gemm_small.txt", block).status, 0);
  const auto replaced = [&](const std::string& from, const std::string& to) {
    std::string text = block;
    return text.replace(text.find(from), from.size(), to);
  };
  EXPECT_EQ(conform("gemm_small.txt", replaced("4000", "4001")).status, 1);
  EXPECT_EQ(conform("gemm_small.txt", replaced("nx=0", "nx=1")).status, 1);
  for (const auto& [from, to] : std::vector<std::pair<std::string, std::string>>{{"M=1", "M=0"},
                                                                                 {"M=1", "M=99999999999"},
                                                                                 {"src=e4m3", "src=fp16"},
                                                                                 {"A0 3838", "A0 38"},
                                                                                 {"B1 38", "B2 38"},
                                                                                 {"B1 38\n", ""},
                                                                                 {"fp16_fma_seq", "fp17_fma_seq"},
                                                                                 {"nx=0", "nx=-1"},
                                                                                 {"4000", "40"},
                                                                                 {"end\n", ""},
                                                                                 {"end", "end end"}}) {
    const CommandResult result = conform("gemm_small.txt", replaced(from, to));
    EXPECT_EQ(result.status, 65) << from << " -> " << to << "\n" << result.out << result.err;
  }
}

TEST_F(ConformTest, UnusableFilesAndOptions) {
  EXPECT_EQ(run_guardbit("conform /nonexistent/f16_add_RNE.txt").status, 66);
  EXPECT_EQ(run_guardbit("conform").status, 2);
  std::filesystem::create_directory(directory_ / "f16_add_RNE");
  EXPECT_EQ(run_guardbit("conform " + (directory_ / "f16_add_RNE").string()).status, 65);
  for (const char* options : {"", "--op add", "--op sqrt --format fp16", "--op add --format fp17",
                              "--op convert --format fp32", "--op add --format fp16 --rounding stochastic",
                              "--op add --format fp16 --format fp32", "--op add --format fp16 --overflow never"}) {
    EXPECT_EQ(conform("mine.txt", "3C00 3C00 4000 00\n", options).status, 2) << options;
  }
  EXPECT_EQ(conform("fp8_e4m3_fma.txt", "00 01 83 83\n", "--rounding rtz").status, 2) << "the layout fixes it";
}

TEST_F(ConformTest, DamagedGzipIsRefused) {
  const std::filesystem::path plain = directory_.write("f16_add_RNE.txt", "3C00 3C00 4000 00\n");
  ASSERT_EQ(std::system(("gzip -k " + plain.string()).c_str()), 0);
  const std::string packed = content_of(plain.string() + ".gz");
  EXPECT_EQ(run_guardbit("conform " + plain.string() + ".gz").status, 0);
  for (std::size_t size = 2; size < packed.size(); ++size) {
    const CommandResult result = conform("f16_add_RNE.txt.gz", packed.substr(0, size));
    ASSERT_EQ(result.status, 65) << size << " bytes\n" << result.out << result.err;
  }
  EXPECT_THAT(conform("f16_add_RNE.txt.gz", packed + "x").err, HasSubstr("behind the gzip stream"));
  std::string flipped = packed;
  flipped[packed.size() - 6] = static_cast<char>(flipped[packed.size() - 6] ^ 1);  // checksum
  EXPECT_EQ(conform("f16_add_RNE.txt.gz", flipped).status, 65);
}

}  // namespace
}  // namespace guardbit::tests
