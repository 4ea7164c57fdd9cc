#include "sim/conform/gemm_blocks.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <utility>

#include "models/kernels/gemm.h"
#include "models/numerics/codec.h"
#include "sim/base/error.h"
#include "sim/conform/check_line.h"

namespace guardbit::sim {
namespace {

using numerics::FloatFormat;
using numerics::FloatSpec;
using numerics::Matrix;

struct Totals {
  std::uint64_t overflow = 0;
  std::uint64_t underflow = 0;
  std::uint64_t inexact = 0;
  friend bool operator==(const Totals&, const Totals&) = default;
};

/// "key=123"
std::uint64_t number_after(const VectorLine& line, std::size_t index, std::string_view key, std::uint64_t low,
                           std::uint64_t high) {
  const std::string_view field = line[index];
  std::uint64_t value = 0;
  const char* end = field.data() + field.size();
  bool valid = field.starts_with(key);
  if (valid) {
    const auto [stop, error] = std::from_chars(field.data() + key.size(), end, value);
    valid = error == std::errc{} && stop == end && value >= low && value <= high;
  }
  if (!valid) line.fail(fmt::format("'{}'", field), fmt::format("{}<number in {}..{}>", key, low, high));
  return value;
}

/// Flag totals of an accumulator line, or nothing where the producer has none.
std::optional<Totals> read_totals(const VectorLine& line) {
  if (line[1] == "of=-" && line[2] == "uf=-" && line[3] == "nx=-") return std::nullopt;
  return Totals{number_after(line, 1, "of=", 0, UINT64_MAX), number_after(line, 2, "uf=", 0, UINT64_MAX),
                number_after(line, 3, "nx=", 0, UINT64_MAX)};
}

/// Codes written without gaps.
std::vector<std::uint32_t> read_codes(const VectorLine& line, std::size_t index, const FloatFormat& format,
                                      std::size_t count) {
  const auto digits = static_cast<std::size_t>((format.storage_bits() + 3) / 4);
  const std::string& field = line[index];
  if (field.size() != count * digits) {
    line.fail(fmt::format("{} digits", field.size()), fmt::format("{}, for {} codes", count * digits, count));
  }
  std::vector<std::uint32_t> codes(count);
  for (std::size_t i = 0; i < count; ++i) {
    codes[i] = parse_code(std::string_view(field).substr(i * digits, digits), format.storage_bits(), line);
  }
  return codes;
}

/// The steps that a line's totals count: products and inner accumulator, not the outer accumulator.
Totals totals_of(const arith::AccumulationEvents& events) {
  const auto total = [&](numerics::Event event) { return events.product[event] + events.inner[event]; };
  return {total(numerics::Event::kOverflow), total(numerics::Event::kUnderflow), total(numerics::Event::kInexact)};
}

std::string text_of(const Totals& totals) {
  return fmt::format("of={} uf={} nx={}", totals.overflow, totals.underflow, totals.inexact);
}

constexpr std::array<std::string_view, 10> kAccumulators = {
    "fp16_fma_seq", "bf16_fma_seq",        "fp16_mul_then_add_seq", "fp16_tree",           "fp16_chunk16_fp32",
    "fp32_fma_seq", "e4m3_fma_seq_nonsat", "e4m3_fma_seq_sat",      "e5m2_fma_seq_nonsat", "e5m2_fma_seq_sat"};

}  // namespace

std::optional<arith::AccumulationSpec> block_accumulator(std::string_view name, std::size_t depth) {
  const FloatSpec fp16{.format = numerics::kFp16};
  const auto saturating = [](const FloatFormat& format) {
    return FloatSpec{.format = format, .overflow = numerics::OverflowPolicy::kSaturate};
  };
  using Spec = arith::AccumulationSpec;
  if (name == "fp16_fma_seq") return Spec{.inner = fp16};
  if (name == "bf16_fma_seq") return Spec{.inner = {.format = numerics::kBf16}};
  if (name == "fp32_fma_seq") return Spec{.inner = {.format = numerics::kFp32}};
  if (name == "fp16_mul_then_add_seq") return Spec{.product = fp16, .inner = fp16};
  if (name == "fp16_chunk16_fp32") {
    return Spec{.inner = fp16, .promote_every = 16, .outer = {.format = numerics::kFp32}};
  }
  if (name == "e4m3_fma_seq_nonsat") return Spec{.inner = {.format = numerics::kFp8E4M3}};
  if (name == "e5m2_fma_seq_nonsat") return Spec{.inner = {.format = numerics::kFp8E5M2}};
  if (name == "e4m3_fma_seq_sat") return Spec{.inner = saturating(numerics::kFp8E4M3)};
  if (name == "e5m2_fma_seq_sat") return Spec{.inner = saturating(numerics::kFp8E5M2)};
  constexpr std::size_t kMaxTreeWidth = 64;
  if (name == "fp16_tree" && std::has_single_bit(depth) && depth >= 2 && depth <= kMaxTreeWidth) {
    return Spec{.reduce = arith::Reduce::kTree, .width = static_cast<int>(depth), .product = fp16, .inner = fp16};
  }
  return std::nullopt;
}

void GemmBlockChecker::start_block(const VectorLine& line) {
  if (in_block_) line.fail("another case", "'end' of " + title_);
  if (line.size() < 6) line.fail("'" + line.text() + "'", "case <number> src=<format> M= N= K=");
  const auto format =
      line[2].starts_with("src=") ? numerics::parse_float_format("fp8_" + line[2].substr(4)) : std::nullopt;
  if (!format) line.fail("'" + line[2] + "'", "src=e4m3 or src=e5m2");
  const std::uint64_t rows = number_after(line, 3, "M=", 1, kMaxBlockSize);
  const std::uint64_t columns = number_after(line, 4, "N=", 1, kMaxBlockSize);
  const std::uint64_t depth = number_after(line, 5, "K=", 1, kMaxBlockSize);
  in_block_ = true;
  title_ = "case " + line[1];
  operands_ = *format;
  a_ = Matrix<float>(rows, depth);
  b_ = Matrix<float>(depth, columns);
  num_rows_read_ = 0;
}

void GemmBlockChecker::read_operand_row(const VectorLine& line) {
  const bool of_a = num_rows_read_ < a_.rows();
  Matrix<float>& matrix = of_a ? a_ : b_;
  const std::size_t row = of_a ? num_rows_read_ : num_rows_read_ - a_.rows();
  const std::string expected = fmt::format("{}{}", of_a ? 'A' : 'B', row);
  line.require_size(2, 2, "name and codes of a row");
  if (row >= matrix.rows() || line[0] != expected) line.fail("'" + line[0] + "'", "row " + expected);
  const std::vector<std::uint32_t> codes = read_codes(line, 1, operands_, matrix.cols());
  for (std::size_t i = 0; i < codes.size(); ++i) matrix(row, i) = numerics::to_carrier(codes[i], operands_);
  ++num_rows_read_;
}

void GemmBlockChecker::check_accumulator(const VectorLine& line) {
  const auto spec = block_accumulator(line[0], a_.cols());
  if (!spec) {
    line.fail("'" + line[0] + "'",
              fmt::format("one of {}, or 'end' (K = {})", fmt::join(kAccumulators, ", "), a_.cols()));
  }
  line.require_size(4 + a_.rows(), 4 + a_.rows(), "accumulator, of= uf= nx=, and a word for each row");
  const std::optional<Totals> expected_totals = read_totals(line);
  const FloatFormat format = spec->promote_every != 0 ? spec->outer.format : spec->inner.format;
  Matrix<std::uint32_t> expected(a_.rows(), b_.cols());
  for (std::size_t m = 0; m < a_.rows(); ++m) {
    const std::vector<std::uint32_t> codes = read_codes(line, 4 + m, format, b_.cols());
    std::copy(codes.begin(), codes.end(), expected.row(m));
  }
  std::optional<VectorMismatch> mismatch;
  const auto report = [&](std::string column, std::string got, std::string wanted) {
    if (mismatch) return;
    mismatch =
        VectorMismatch{line.number(), title_ + " " + line[0], std::move(column), std::move(got), std::move(wanted)};
  };
  for (const bool fast : {false, true}) {
    const char* who = fast ? "kernel" : "reference";
    Matrix<float> c(a_.rows(), b_.cols());
    arith::AccumulationEvents events;
    if (fast) {
      kernels::gemm(a_.view(), b_.view(), {operands_, operands_}, *spec, {}, {}, c.view(), events);
    } else {
      arith::gemm_reference(a_.view(), b_.view(), *spec, {}, {}, {}, c.view(), events);
    }
    for (std::size_t m = 0; m < c.rows(); ++m) {
      for (std::size_t n = 0; n < c.cols(); ++n) {
        const std::uint32_t got = numerics::from_carrier(c(m, n), format);
        if (same_code(got, expected(m, n), format)) continue;
        report(fmt::format("c({}, {}) by the {}", m, n, who), code_text(got, format),
               code_text(expected(m, n), format));
      }
    }
    const Totals totals = totals_of(events);
    if (expected_totals && totals != *expected_totals) {
      report(fmt::format("flag totals by the {}", who), text_of(totals), text_of(*expected_totals));
    }
  }
  ++result_.num_checked;
  if (!mismatch) return;
  ++result_.num_mismatches;
  if (!result_.first_mismatch) result_.first_mismatch = std::move(mismatch);
}

void GemmBlockChecker::check(const VectorLine& line) {
  if (line[0] == "case") return start_block(line);
  if (!in_block_) line.fail("'" + line[0] + "'", "'case'");
  if (num_rows_read_ < a_.rows() + b_.rows()) return read_operand_row(line);
  if (line[0] != "end") return check_accumulator(line);
  line.require_size(1, 1, "end");
  in_block_ = false;
}

void GemmBlockChecker::finish(const std::filesystem::path& file) const {
  if (!in_block_) return;
  throw UserError(ExitCode::kMalformedInput, fmt::format("{}: ends inside {}; expected 'end'", file.string(), title_));
}

}  // namespace guardbit::sim
