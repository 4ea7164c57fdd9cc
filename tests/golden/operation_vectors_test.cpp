// Single operations against vectors/: one test per file, results and (where the producer has them) flags.
#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <set>
#include <sstream>

#include "models/arith/float_ops.h"
#include "models/numerics/codec.h"
#include "tests/support/golden_vectors.h"
#include "tests/support/shared_data.h"

namespace guardbit::tests {
namespace {

using numerics::Event;
using numerics::FloatFormat;
using numerics::FloatSpec;
using numerics::OverflowPolicy;
using numerics::Rounded;

std::string text_of(const VectorLine& fields) {
  std::string text;
  for (const std::string& field : fields) text += field + " ";
  return text;
}

void expect_code(const Rounded& actual, const std::string& expected, const FloatFormat& format,
                 const VectorLine& fields, std::size_t column) {
  EXPECT_TRUE(same_code(actual.code, hex(expected), format))
      << "line: " << text_of(fields) << "\ncolumn " << column << " expects " << expected << ", got " << std::hex
      << actual.code << " (" << std::hexfloat << numerics::to_carrier(actual.code, format) << ")";
}

/// IEEE 754 flags are events, except that Guardbit has no signalling NaNs and calls 0 * inf + NaN a NaN operand
/// (events.h), so that invalid is compared only where no operand is a NaN.
void expect_flags(const Rounded& actual, std::uint32_t flags, bool nan_operand, const VectorLine& fields) {
  EXPECT_EQ(actual.events.has(Event::kInexact), (flags & kFlagInexact) != 0) << text_of(fields);
  EXPECT_EQ(actual.events.has(Event::kUnderflow), (flags & kFlagUnderflow) != 0) << text_of(fields);
  EXPECT_EQ(actual.events.has(Event::kOverflow), (flags & kFlagOverflow) != 0) << text_of(fields);
  const bool expects_invalid = !nan_operand && (flags & kFlagInvalid) != 0;
  EXPECT_EQ(actual.events.has(Event::kInvalid), expects_invalid) << text_of(fields);
}

/// The ten result columns of fp8_*_from_fp32 and fp8_*_fma: five roundings, each not saturating and saturating.
void expect_ten_columns(const VectorLine& fields, std::size_t first, const FloatFormat& format,
                        const std::function<Rounded(const FloatSpec&)>& operation) {
  ASSERT_EQ(fields.size(), first + 10) << text_of(fields);
  for (std::size_t i = 0; i < 10; ++i) {
    const FloatSpec spec{.format = format,
                         .rounding = vector_rounding(kVectorRoundings[i / 2]),
                         .overflow = i % 2 == 0 ? OverflowPolicy::kInfinity : OverflowPolicy::kSaturate};
    expect_code(operation(spec), fields[first + i], format, fields, first + i);
  }
}

// ---- one checker per family; `arguments` are the variable parts of the file name ----

using Arguments = std::vector<std::string>;

void check_decode(const VectorLine& fields, const Arguments& arguments) {
  const FloatFormat format = vector_format(arguments[0]);
  const std::uint32_t code = hex(fields.at(0));
  const std::uint32_t expected = hex(fields.at(1));
  EXPECT_EQ(std::bit_cast<std::uint32_t>(numerics::to_carrier(code, format)), expected) << text_of(fields);
  const std::uint32_t back = numerics::from_carrier(std::bit_cast<float>(expected), format);
  EXPECT_TRUE(same_code(back, code, format)) << text_of(fields) << "encodes as " << std::hex << back;
}

void check_fp8_operation(const VectorLine& fields, const Arguments& arguments) {
  const FloatFormat format = vector_format(arguments[0]);
  const auto operation = arguments[1] == "add" ? arith::add : arith::multiply;
  for (const auto& [column, overflow] :
       {std::pair{std::size_t{2}, OverflowPolicy::kInfinity}, std::pair{std::size_t{3}, OverflowPolicy::kSaturate}}) {
    const FloatSpec spec{.format = format, .overflow = overflow};
    expect_code(operation(hex(fields.at(0)), hex(fields.at(1)), format, spec, 0), fields.at(column), format, fields,
                column);
  }
}

void check_fp8_from_fp32(const VectorLine& fields, const Arguments& arguments) {
  expect_ten_columns(fields, 1, vector_format(arguments[0]),
                     [&](const FloatSpec& spec) { return arith::convert(hex(fields[0]), numerics::kFp32, spec); });
}

void check_fp8_stochastic(const VectorLine& fields, const Arguments& arguments) {
  const FloatSpec spec{.format = vector_format(arguments[0]),
                       .rounding = numerics::RoundingMode::kStochastic,
                       .overflow = OverflowPolicy::kSaturate,
                       .random_bits = std::stoi(fields.at(1))};
  const Rounded actual = arith::convert(hex(fields.at(0)), numerics::kFp32, spec, hex(fields.at(2)));
  expect_code(actual, fields.at(3), spec.format, fields, 3);
}

void check_fp8_fma(const VectorLine& fields, const Arguments& arguments) {
  const FloatFormat format = vector_format(arguments[0]);
  expect_ten_columns(fields, 3, format, [&](const FloatSpec& spec) {
    return arith::multiply_add(hex(fields[0]), hex(fields[1]), format, hex(fields[2]), format, spec);
  });
}

void check_trap(const VectorLine& fields, const Arguments& arguments) {
  const FloatFormat products = vector_format(arguments[0]);
  const FloatFormat acc = vector_format(arguments[1]);
  const Rounded actual =
      arith::multiply_add(hex(fields.at(0)), hex(fields.at(1)), products, hex(fields.at(2)), acc, {.format = acc});
  expect_code(actual, fields.at(3), acc, fields, 3);
  EXPECT_NE(actual.code, hex(fields.at(4))) << "double rounding: " << text_of(fields);
}

/// <format>_{add,mul,mulAdd}_<rounding>
void check_ieee_operation(const VectorLine& fields, const Arguments& arguments) {
  const FloatFormat format = vector_format(arguments[0]);
  const FloatSpec spec{.format = format, .rounding = vector_rounding(arguments[2])};
  const std::size_t num_operands = arguments[1] == "mulAdd" ? 3 : 2;
  ASSERT_EQ(fields.size(), num_operands + 2) << text_of(fields);
  const std::uint32_t a = hex(fields[0]);
  const std::uint32_t b = hex(fields[1]);
  const std::uint32_t c = num_operands == 3 ? hex(fields[2]) : 0;
  const Rounded actual = arguments[1] == "add"   ? arith::add(a, b, format, spec)
                         : arguments[1] == "mul" ? arith::multiply(a, b, format, spec)
                                                 : arith::multiply_add(a, b, format, c, format, spec);
  expect_code(actual, fields[num_operands], format, fields, num_operands);
  const bool nan_operand = is_nan_code(a, format) || is_nan_code(b, format) || is_nan_code(c, format);
  expect_flags(actual, hex(fields[num_operands + 1]), nan_operand, fields);
}

/// f32_to_<format>_<rounding>
void check_ieee_conversion(const VectorLine& fields, const Arguments& arguments) {
  const FloatSpec spec{.format = vector_format(arguments[0]), .rounding = vector_rounding(arguments[1])};
  const std::uint32_t x = hex(fields.at(0));
  const Rounded actual = arith::convert(x, numerics::kFp32, spec);
  expect_code(actual, fields.at(1), spec.format, fields, 1);
  expect_flags(actual, hex(fields.at(2)), is_nan_code(x, numerics::kFp32), fields);
}

/// mixfma_<fp8>_<16-bit format>_<rounding>
void check_mixed_fma(const VectorLine& fields, const Arguments& arguments) {
  const FloatFormat products = vector_format(arguments[0]);
  const FloatSpec spec{.format = vector_format(arguments[1]), .rounding = vector_rounding(arguments[2])};
  const std::uint32_t a = hex(fields.at(0));
  const std::uint32_t b = hex(fields.at(1));
  const std::uint32_t c = hex(fields.at(2));
  const Rounded actual = arith::multiply_add(a, b, products, c, spec.format, spec);
  expect_code(actual, fields.at(3), spec.format, fields, 3);
  const bool nan_operand = is_nan_code(a, products) || is_nan_code(b, products) || is_nan_code(c, spec.format);
  expect_flags(actual, hex(fields.at(4)), nan_operand, fields);
}

struct VectorFile {
  std::string name;
  void (*check)(const VectorLine&, const Arguments&);
  Arguments arguments;

  /// Keeps gtest from printing a byte dump as the parameter of every test.
  friend void PrintTo(const VectorFile& file, std::ostream* out) { *out << file.name; }
};

std::vector<VectorFile> all_files() {
  std::vector<VectorFile> files;
  for (const std::string fp8 : {"e4m3", "e5m2"}) {
    files.push_back({"fp8_" + fp8 + "_decode", check_decode, {fp8}});
    files.push_back({"fp8_" + fp8 + "_add_rne", check_fp8_operation, {fp8, "add"}});
    files.push_back({"fp8_" + fp8 + "_mul_rne", check_fp8_operation, {fp8, "mul"}});
    files.push_back({"fp8_" + fp8 + "_from_fp32", check_fp8_from_fp32, {fp8}});
    files.push_back({"fp8_" + fp8 + "_from_fp32_sr", check_fp8_stochastic, {fp8}});
    files.push_back({"fp8_" + fp8 + "_fma", check_fp8_fma, {fp8}});
    files.push_back({"trap_" + fp8 + "_products_acc_e5m2_float32path", check_trap, {fp8, "e5m2"}});
  }
  for (const std::string& mode : kVectorRoundings) {
    for (const std::string format : {"f16", "bf16"}) {
      for (const std::string operation : {"add", "mul", "mulAdd"}) {
        const std::string name = format + "_" + operation + "_" + mode;
        files.push_back({name, check_ieee_operation, {format, operation, mode}});
      }
      files.push_back({"f32_to_" + format + "_" + mode, check_ieee_conversion, {format, mode}});
    }
    for (const std::string fp8 : {"e4m3", "e5m2"}) {
      for (const std::string acc : {"fp16", "bf16"}) {
        files.push_back({"mixfma_" + fp8 + "_" + acc + "_" + mode, check_mixed_fma, {fp8, acc, mode}});
      }
    }
  }
  return files;
}

class OperationVectorsTest : public testing::TestWithParam<VectorFile> {};

TEST_P(OperationVectorsTest, EveryLineMatches) {
  GUARDBIT_REQUIRE_SHARED("vectors");
  constexpr int kMaxBadLines = 5;
  int num_bad_lines = 0;
  for (const VectorLine& fields : read_vectors(GetParam().name)) {
    GetParam().check(fields, GetParam().arguments);
    if (HasFailure() && ++num_bad_lines == kMaxBadLines) FAIL() << "stopped after the first bad lines";
  }
}

INSTANTIATE_TEST_SUITE_P(Files, OperationVectorsTest, testing::ValuesIn(all_files()),
                         [](const auto& test) { return test.param.name; });

TEST(VectorFilesTest, EveryFileHasATest) {
  GUARDBIT_REQUIRE_SHARED("vectors");
  std::set<std::string> tested = {"gemm_8x8x64.txt.gz"};  // gemm_vectors_test.cpp
  for (const VectorFile& file : all_files()) tested.insert(file.name + ".txt.gz");
  std::set<std::string> present;
  for (const auto& entry : std::filesystem::directory_iterator(shared_path("vectors"))) {
    if (entry.path().extension() == ".gz") present.insert(entry.path().filename().string());
  }
  EXPECT_EQ(tested, present);
}

}  // namespace
}  // namespace guardbit::tests
