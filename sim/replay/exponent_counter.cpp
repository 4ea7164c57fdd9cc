#include "sim/replay/exponent_counter.h"

#include <array>
#include <bit>
#include <cmath>
#include <cstddef>

namespace guardbit::sim {
namespace {

constexpr std::size_t kSingleFields = 256;  // exponent fields of binary32; the first and the last are special
constexpr int kSingleBias = 127;
constexpr int kDoubleBias = 1023;
constexpr std::uint64_t kDoubleSpecial = 2047;

}  // namespace

void ExponentCounter::add(std::span<const float> values) {
  // Neighbours often share an exponent: counters of their own keep one addition from waiting for the one before.
  constexpr std::size_t kTables = 4;
  std::array<std::array<std::uint32_t, kSingleFields>, kTables> fields{};
  constexpr std::size_t kLargestPart = std::size_t{1} << 30;  // a 32-bit counter holds it
  if (values.size() > kLargestPart) {
    add(values.subspan(kLargestPart));
    values = values.first(kLargestPart);
  }
  const auto field_of = [](float value) { return (std::bit_cast<std::uint32_t>(value) >> 23) & 0xFFU; };
  std::size_t i = 0;
  for (; i + kTables <= values.size(); i += kTables) {
    for (std::size_t table = 0; table < kTables; ++table) ++fields[table][field_of(values[i + table])];
  }
  for (; i < values.size(); ++i) ++fields[0][field_of(values[i])];
  const auto count_of = [&fields](std::size_t field) {
    std::uint64_t count = 0;
    for (const auto& table : fields) count += table[field];
    return count;
  };
  for (std::size_t field = 1; field + 1 < kSingleFields; ++field) {
    by_field_[field + static_cast<std::size_t>(kDoubleBias - kSingleBias)] += count_of(field);
  }
  std::uint64_t zeros = 0;
  if (count_of(0) != 0) {
    for (const float value : values) zeros += value == 0 ? 1 : 0;
  }
  num_zeros_ += zeros;
  const bool has_subnormals = count_of(0) != zeros;
  if (!has_subnormals && count_of(kSingleFields - 1) == 0) return;
  for (const float value : values) {
    const auto field = field_of(value);
    if ((field == 0 && value != 0) || field == kSingleFields - 1) add(static_cast<double>(value));
  }
}

void ExponentCounter::add(double value) {
  if (value == 0) {
    ++num_zeros_;
    return;
  }
  const std::uint64_t field = (std::bit_cast<std::uint64_t>(value) >> 52) & kDoubleSpecial;
  if (field != kDoubleSpecial) {
    ++by_field_[field];
  } else if (std::isnan(value)) {
    ++num_nans_;
  } else {
    ++num_infinities_;
  }
}

ExponentHistogram ExponentCounter::histogram() const {
  ExponentHistogram histogram{
      .exponents = {}, .num_zeros = num_zeros_, .num_infinities = num_infinities_, .num_nans = num_nans_};
  for (std::size_t field = 0; field < by_field_.size(); ++field) {
    if (by_field_[field] != 0) histogram.exponents[static_cast<int>(field) - kDoubleBias] = by_field_[field];
  }
  return histogram;
}

}  // namespace guardbit::sim
