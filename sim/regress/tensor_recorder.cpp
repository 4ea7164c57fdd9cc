#include "sim/regress/tensor_recorder.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "models/numerics/codec.h"

namespace guardbit::sim {
namespace {

using numerics::FloatFormat;

/// Whether the carrier's bits come back from its code.
bool is_held_by(float value, const FloatFormat& format) {
  if (std::isnan(value)) return format.has_nan() && std::bit_cast<std::uint32_t>(value) == 0x7FC00000u;
  numerics::EventSet events;
  const float rounded =
      numerics::round_carrier(value, {.format = format, .rounding = numerics::RoundingMode::kTowardZero}, events);
  return std::bit_cast<std::uint32_t>(rounded) == std::bit_cast<std::uint32_t>(value);
}

std::uint32_t code_of(float value, const FloatFormat& format) {
  return format == numerics::kFp32 ? std::bit_cast<std::uint32_t>(value) : numerics::from_carrier(value, format);
}

}  // namespace

int code_bytes_of(const FloatFormat& format) { return (format.storage_bits() + 7) / 8; }

void TensorRecorder::add_window(const FloatFormat& format, const numerics::Matrix<float>& values) {
  if (golden_.windows.empty()) format_ = format;
  golden_.windows.push_back({values.rows(), values.cols()});
  all_.update(values.data().data(), values.data().size() * sizeof(float));
  add_digests(values);
  add_codes(values);
}

void TensorRecorder::add_digests(const numerics::Matrix<float>& values) {
  const auto step = static_cast<std::size_t>(limits_.rows_per_digest);
  for (std::size_t row = 0; row < values.rows(); row += step) {
    const std::size_t end = std::min(values.rows(), row + step);
    Sha256 digest;
    digest.update(values.row(row), (end - row) * values.cols() * sizeof(float));
    const std::string hex = digest.hex();
    for (std::size_t byte = 0; byte < kRowDigestBytes; ++byte) {
      golden_.row_digests += static_cast<char>(std::stoi(hex.substr(2 * byte, 2), nullptr, 16));
    }
  }
}

bool TensorRecorder::fits(std::size_t num_cols) const {
  const std::uint64_t bytes = (golden_.codes.size() + num_cols) * static_cast<std::uint64_t>(code_bytes_of(format_));
  return bytes <= limits_.kept_bytes_per_op && num_kept_rows_ < limits_.kept_rows_per_op;
}

void TensorRecorder::add_codes(const numerics::Matrix<float>& values) {
  for (std::size_t row = 0; row < values.rows() && !is_full_; ++row, ++num_kept_rows_) {
    const float* const begin = values.row(row);
    const float* const end = begin + values.cols();
    const auto is_held = [this](float value) { return is_held_by(value, format_); };
    if (fits(values.cols()) && !std::all_of(begin, end, is_held)) widen_to_fp32();
    is_full_ = is_full_ || !fits(values.cols());
    if (is_full_) break;
    for (const float* value = begin; value != end; ++value) golden_.codes.push_back(code_of(*value, format_));
  }
}

/// Codes that no longer fit the limit are dropped, row by row, as if they had been binary32 from the start.
void TensorRecorder::widen_to_fp32() {
  if (format_ == numerics::kFp32) return;
  for (std::uint32_t& code : golden_.codes) {
    code = std::bit_cast<std::uint32_t>(numerics::to_carrier(code, format_));
  }
  format_ = numerics::kFp32;
  std::uint64_t kept = 0;
  for (const WindowShape& window : golden_.windows) {
    for (std::uint64_t row = 0; row < window.rows; ++row) {
      const std::uint64_t next = kept + window.cols;
      if (next > golden_.codes.size() || next * sizeof(float) > limits_.kept_bytes_per_op) {
        is_full_ = next <= golden_.codes.size();
        golden_.codes.resize(kept);
        return;
      }
      kept = next;
    }
  }
}

TensorGolden TensorRecorder::finish() {
  golden_.sha256 = all_.hex();
  golden_.format = numerics::name_of(format_);
  return std::move(golden_);
}

}  // namespace guardbit::sim
