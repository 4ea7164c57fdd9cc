#include "tests/support/golden_vectors.h"

#include <zlib.h>

#include <map>
#include <sstream>
#include <stdexcept>

#include "models/numerics/codec.h"
#include "tests/support/shared_data.h"

namespace guardbit::tests {
namespace {

using numerics::FloatFormat;
using numerics::FloatSpec;
using numerics::Matrix;

std::string read_gzip(const std::filesystem::path& path) {
  gzFile file = gzopen(path.c_str(), "rb");
  if (file == nullptr) throw std::runtime_error("cannot open " + path.string());
  std::string text;
  std::array<char, 1 << 16> buffer{};
  int num_bytes = 0;
  while ((num_bytes = gzread(file, buffer.data(), static_cast<unsigned>(buffer.size()))) > 0) {
    text.append(buffer.data(), static_cast<std::size_t>(num_bytes));
  }
  const bool failed = num_bytes < 0 || gzclose(file) != Z_OK;
  if (failed) throw std::runtime_error("cannot decompress " + path.string());
  return text;
}

/// Carriers of the codes written without gaps, e.g. "3E32AD": one row.
void read_row(const std::string& digits, const FloatFormat& format, Matrix<float>& matrix, std::size_t row) {
  if (digits.size() != 2 * matrix.cols()) throw std::runtime_error("row has the wrong length: " + digits);
  for (std::size_t i = 0; i < matrix.cols(); ++i) {
    matrix(row, i) = numerics::to_carrier(hex(digits.substr(2 * i, 2)), format);
  }
}

std::uint64_t total_of(const std::string& field) { return std::stoull(field.substr(field.find('=') + 1)); }

GemmVectorLine read_accumulator_line(const VectorLine& fields, std::size_t rows) {
  GemmVectorLine line;
  line.accumulator = fields[0];
  if (fields[1] != "of=-") line.flags = VectorFlagTotals{total_of(fields[1]), total_of(fields[2]), total_of(fields[3])};
  const auto digits = static_cast<std::size_t>(result_format(accumulator_of(line.accumulator)).storage_bits() / 4);
  line.c = Matrix<std::uint32_t>(rows, fields.at(4).size() / digits);
  for (std::size_t m = 0; m < rows; ++m) {
    for (std::size_t n = 0; n < line.c.cols(); ++n) line.c(m, n) = hex(fields.at(4 + m).substr(n * digits, digits));
  }
  return line;
}

/// "M=8" -> 8
std::size_t size_of(const std::string& field) { return static_cast<std::size_t>(total_of(field)); }

}  // namespace

std::uint32_t hex(const std::string& field) {
  std::size_t used = 0;
  const unsigned long value = std::stoul(field, &used, 16);
  if (used != field.size() || field.size() > 8) throw std::runtime_error("not a 32-bit hexadecimal number: " + field);
  return static_cast<std::uint32_t>(value);
}

std::vector<VectorLine> read_vectors(const std::string& name) {
  std::istringstream text(read_gzip(shared_path("vectors/" + name + ".txt.gz")));
  std::vector<VectorLine> lines;
  for (std::string line; std::getline(text, line);) {
    if (line.empty() || line[0] == '#') continue;
    std::istringstream words(line);
    VectorLine fields;
    for (std::string word; words >> word;) fields.push_back(word);
    lines.push_back(fields);
  }
  if (lines.empty()) throw std::runtime_error("no vectors in " + name);
  return lines;
}

FloatFormat vector_format(const std::string& name) {
  static const std::map<std::string, FloatFormat> formats = {
      {"e4m3", numerics::kFp8E4M3}, {"e5m2", numerics::kFp8E5M2}, {"fp16", numerics::kFp16}, {"f16", numerics::kFp16},
      {"bf16", numerics::kBf16},    {"fp32", numerics::kFp32},    {"f32", numerics::kFp32}};
  return formats.at(name);
}

numerics::RoundingMode vector_rounding(const std::string& name) {
  using numerics::RoundingMode;
  static const std::map<std::string, RoundingMode> modes = {{"RNE", RoundingMode::kTiesToEven},
                                                            {"RTZ", RoundingMode::kTowardZero},
                                                            {"RDN", RoundingMode::kTowardNegative},
                                                            {"RUP", RoundingMode::kTowardPositive},
                                                            {"RNA", RoundingMode::kTiesToAway}};
  return modes.at(name);
}

bool is_nan_code(std::uint32_t code, const FloatFormat& format) {
  const std::uint32_t magnitude = code & (format.sign_code() - 1);
  return format.has_infinity() ? magnitude > format.infinity_code() : magnitude == format.nan_code();
}

bool same_code(std::uint32_t a, std::uint32_t b, const FloatFormat& format) {
  return a == b || (is_nan_code(a, format) && is_nan_code(b, format));
}

std::vector<GemmVectors> read_gemm_vectors() {
  std::vector<GemmVectors> blocks;
  for (const VectorLine& fields : read_vectors("gemm_8x8x64")) {
    const std::string& key = fields[0];
    if (key == "case") {
      GemmVectors block;
      for (const std::string& field : fields) block.title += field + " ";
      block.operands = vector_format(fields.at(2).substr(fields[2].find('=') + 1));
      const std::size_t num_rows = size_of(fields.at(3));
      const std::size_t num_columns = size_of(fields.at(4));
      const std::size_t depth = size_of(fields.at(5));
      block.a = Matrix<float>(num_rows, depth);
      block.b = Matrix<float>(depth, num_columns);
      blocks.push_back(block);
    } else if (key[0] == 'A' || key[0] == 'B') {
      Matrix<float>& matrix = key[0] == 'A' ? blocks.back().a : blocks.back().b;
      read_row(fields.at(1), blocks.back().operands, matrix, std::stoul(key.substr(1)));
    } else if (key != "end") {
      blocks.back().lines.push_back(read_accumulator_line(fields, blocks.back().a.rows()));
    }
  }
  return blocks;
}

arith::AccumulationSpec accumulator_of(const std::string& name) {
  const FloatSpec fp16{.format = numerics::kFp16};
  const auto saturating = [](const FloatFormat& format) {
    return FloatSpec{.format = format, .overflow = numerics::OverflowPolicy::kSaturate};
  };
  static const std::map<std::string, arith::AccumulationSpec> specs = {
      {"fp16_fma_seq", {.inner = fp16}},
      {"bf16_fma_seq", {.inner = {.format = numerics::kBf16}}},
      {"fp16_mul_then_add_seq", {.product = fp16, .inner = fp16}},
      {"fp16_tree", {.reduce = arith::Reduce::kTree, .width = 64, .product = fp16, .inner = fp16}},
      {"fp16_chunk16_fp32", {.inner = fp16, .promote_every = 16, .outer = {.format = numerics::kFp32}}},
      {"fp32_fma_seq", {.inner = {.format = numerics::kFp32}}},
      {"e4m3_fma_seq_nonsat", {.inner = {.format = numerics::kFp8E4M3}}},
      {"e4m3_fma_seq_sat", {.inner = saturating(numerics::kFp8E4M3)}},
      {"e5m2_fma_seq_nonsat", {.inner = {.format = numerics::kFp8E5M2}}},
      {"e5m2_fma_seq_sat", {.inner = saturating(numerics::kFp8E5M2)}},
  };
  return specs.at(name);
}

FloatFormat result_format(const arith::AccumulationSpec& spec) {
  return spec.promote_every != 0 ? spec.outer.format : spec.inner.format;
}

VectorFlagTotals flag_totals(const arith::AccumulationEvents& events) {
  const auto total = [&](numerics::Event event) { return events.product[event] + events.inner[event]; };
  return {total(numerics::Event::kOverflow), total(numerics::Event::kUnderflow), total(numerics::Event::kInexact)};
}

}  // namespace guardbit::tests
