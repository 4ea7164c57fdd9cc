#include "sim/probe/operand_source.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>
#include <charconv>
#include <cmath>

#include "models/numerics/random_bits.h"
#include "sim/base/error.h"
#include "sim/trace/npy.h"
#include "sim/trace/safetensors.h"

namespace guardbit::sim {
namespace {

using numerics::Matrix;

/// What follows "normal:", "uniform:" and "constant:".
float parse_number(std::string_view text, const std::string& option) {
  float value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || !std::isfinite(value)) {
    throw UserError(ExitCode::kUsage,
                    fmt::format("{}: got '{}'; expected a finite number in binary32's range", option, text));
  }
  return value;
}

std::array<std::uint32_t, 4> words(std::uint64_t seed, std::uint32_t unit, std::size_t row, std::size_t col,
                                   std::uint32_t block) {
  return numerics::philox4x32({static_cast<std::uint32_t>(row), static_cast<std::uint32_t>(col), unit, block},
                              {static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)});
}

/// Twelve 16-bit numbers sum to mean 12 * 32767.5 and variance 1 * 65536^2 (but for 2^-32).
float normal_value(std::uint64_t seed, std::uint32_t unit, std::size_t row, std::size_t col) {
  const auto first = words(seed, unit, row, col, 0);
  const auto second = words(seed, unit, row, col, 1);
  std::int32_t sum = 0;
  for (const std::uint32_t word : {first[0], first[1], first[2], first[3], second[0], second[1]}) {
    sum += static_cast<std::int32_t>(word & 0xFFFF) + static_cast<std::int32_t>(word >> 16);
  }
  constexpr std::int32_t kMean = 12 * 65535 / 2;
  return static_cast<float>(sum - kMean) * 0x1p-16F;
}

float uniform_value(std::uint64_t seed, std::uint32_t unit, std::size_t row, std::size_t col) {
  const std::uint32_t word = words(seed, unit, row, col, 0)[0] >> 8;
  return static_cast<float>(2 * static_cast<std::int32_t>(word) + 1 - (1 << 24)) * 0x1p-24F;
}

Matrix<float> transpose(const Matrix<float>& matrix) {
  Matrix<float> result(matrix.cols(), matrix.rows());
  for (std::size_t row = 0; row < matrix.rows(); ++row) {
    for (std::size_t col = 0; col < matrix.cols(); ++col) result(col, row) = matrix(row, col);
  }
  return result;
}

Matrix<float> read_npy(const std::filesystem::path& path, std::size_t rows, std::size_t cols) {
  const NpyFile file(path);
  const std::vector<std::uint64_t>& shape = file.header().shape;
  if (shape != std::vector<std::uint64_t>{rows, cols}) {
    throw UserError(ExitCode::kMalformedInput, fmt::format("{}: got shape ({}); expected ({}, {})", path.string(),
                                                           fmt::join(shape, ", "), rows, cols));
  }
  return file.read(true);
}

Matrix<float> read_safetensors(const OperandSource& source, std::size_t rows, std::size_t cols) {
  const SafetensorsFile file(source.file);
  std::string name = source.tensor;
  if (name.empty()) {
    if (file.tensors().size() != 1) {
      throw UserError(ExitCode::kUsage, fmt::format("{}: got a file of {} tensors; expected {}:TENSOR to name one",
                                                    source.file.string(), file.tensors().size(), source.file.string()));
    }
    name = file.tensors().begin()->first;
  }
  return file.read_matrix(name, rows, cols);
}

}  // namespace

OperandSource OperandSource::parse(const std::string& text, const std::string& option) {
  OperandSource source;
  const std::size_t colon = text.find(':');
  const std::string word = text.substr(0, colon);
  if (word == "normal" || word == "uniform" || word == "constant") {
    source.kind = word == "normal" ? Kind::kNormal : word == "uniform" ? Kind::kUniform : Kind::kConstant;
    if (colon != std::string::npos) {
      source.scale = parse_number(std::string_view(text).substr(colon + 1), option);
    } else if (word == "constant") {
      throw UserError(ExitCode::kUsage, fmt::format("{}: got 'constant'; expected constant:VALUE", option));
    }
    return source;
  }
  constexpr std::string_view kSafetensors = ".safetensors";
  const std::size_t suffix = text.find(kSafetensors);
  if (text.ends_with(".npy")) {
    source.kind = Kind::kNpy;
    source.file = text;
  } else if (suffix != std::string::npos) {
    const std::size_t end = suffix + kSafetensors.size();
    source.kind = Kind::kSafetensors;
    source.file = text.substr(0, end);
    if (end < text.size() && text[end] == ':') source.tensor = text.substr(end + 1);
  } else {
    throw UserError(ExitCode::kUsage,
                    fmt::format("{}: got '{}'; expected normal[:S], uniform[:S], constant:V, FILE.npy or "
                                "FILE.safetensors[:TENSOR]",
                                option, text));
  }
  return source;
}

Matrix<float> load_operand(const OperandSource& source, std::size_t rows, std::size_t cols, bool transposed,
                           std::uint64_t seed, std::uint32_t unit, const numerics::ParallelFor& parallel_for) {
  using Kind = OperandSource::Kind;
  const std::size_t file_rows = transposed ? cols : rows;
  const std::size_t file_cols = transposed ? rows : cols;
  if (source.kind == Kind::kMemory) {
    GUARDBIT_CHECK(source.memory->rows() == file_rows && source.memory->cols() == file_cols, "the operand's shape");
    return transposed ? transpose(*source.memory) : *source.memory;
  }
  const bool is_npy = source.kind == Kind::kNpy;
  if (is_npy || source.kind == Kind::kSafetensors) {
    Matrix<float> stored =
        is_npy ? read_npy(source.file, file_rows, file_cols) : read_safetensors(source, file_rows, file_cols);
    return transposed ? transpose(stored) : stored;
  }
  Matrix<float> result(rows, cols, source.scale);
  if (source.kind == Kind::kConstant) return result;
  numerics::run_parallel(parallel_for, rows, [&](std::size_t row) {
    for (std::size_t col = 0; col < cols; ++col) {
      const float value =
          source.kind == Kind::kNormal ? normal_value(seed, unit, row, col) : uniform_value(seed, unit, row, col);
      result(row, col) = value * source.scale;
    }
  });
  return result;
}

}  // namespace guardbit::sim
