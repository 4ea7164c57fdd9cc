#include "models/units/kv_cache_unit.h"

#include <algorithm>
#include <cmath>

#include "models/kernels/int_quantize.h"
#include "models/kernels/scalar_rounder.h"
#include "models/numerics/codec.h"
#include "models/units/arithmetic.h"

namespace guardbit::units {
namespace {

using kernels::ScalarRounder;
using numerics::Event;
using numerics::Stage;

/// One group's scale and zero point.
struct GroupScale {
  float scale = 1;
  int zero_point = 0;
};

class GroupQuantizer {
 public:
  explicit GroupQuantizer(const KvCacheFormat& format)
      : format_(format),
        scale_(format.scale),
        fp32_(conversion_spec("fp32")),
        smallest_scale_(std::ldexp(1.0F, format.scale.format.quantum_exponent())) {}

  GroupScale operator()(std::span<const float> x, std::span<std::int16_t> codes, EventCounts& events) const {
    return format_.has_zero_point ? asymmetric(x, codes, events) : symmetric(x, codes, events);
  }

 private:
  float scale_of(float range, int steps, EventCounts& events) const {
    if (range == 0) return 1;
    return std::max(scale_.divide(range, static_cast<float>(steps), events), smallest_scale_);
  }

  GroupScale symmetric(std::span<const float> x, std::span<std::int16_t> codes, EventCounts& events) const {
    const float scale = scale_of(kernels::max_abs(x), (1 << (format_.bits - 1)) - 1, events);
    std::vector<std::int8_t> narrow(x.size());
    kernels::quantize_row(x, scale, format_.bits, narrow, events);
    std::copy(narrow.begin(), narrow.end(), codes.begin());
    return {scale, 0};
  }

  /// The integer nearest to x / scale, ties to even. The binary64 quotient is no first rounding: where |x / scale| is
  /// at most kBeyond = 2^10 its distance from a midpoint (2m + 1) / 2 that it does not equal is at least 2^-35 of
  /// itself, as 2x and (2m + 1) scale are different integers of at most 25 and 24 + 11 bits times a common power of
  /// two; rounding to 53 bits keeps midpoints and their order. Larger quotients clip whatever they are.
  static int nearest(float x, float scale) {
    constexpr double kBeyond = 1024;
    const double quotient = static_cast<double>(x) / static_cast<double>(scale);
    return static_cast<int>(std::nearbyint(std::clamp(quotient, -kBeyond, kBeyond)));
  }

  GroupScale asymmetric(std::span<const float> x, std::span<std::int16_t> codes, EventCounts& events) const {
    const int largest = (1 << format_.bits) - 1;
    float low = 0;
    float high = 0;
    for (const float value : x) {  // every comparison with a NaN is false
      low = value < low ? value : low;
      high = value > high ? value : high;
    }
    GroupScale group;
    group.scale = scale_of(fp32_.add(high, -low, events), largest, events);
    group.zero_point = std::clamp(nearest(-low, group.scale), 0, largest);
    for (std::size_t i = 0; i < x.size(); ++i) {
      if (std::isnan(x[i])) {
        ++events[Event::kInvalid];
        codes[i] = static_cast<std::int16_t>(group.zero_point);
        continue;
      }
      const int code = nearest(x[i], group.scale) + group.zero_point;
      const int clamped = std::clamp(code, 0, largest);
      const int steps = clamped - group.zero_point;
      codes[i] = static_cast<std::int16_t>(clamped);
      if (clamped != code) ++events[Event::kClipped];
      if (steps == 0 && x[i] != 0) ++events[Event::kZeroed];
      if (static_cast<double>(group.scale) * steps != static_cast<double>(x[i])) ++events[Event::kInexact];
    }
    return group;
  }

  KvCacheFormat format_;
  ScalarRounder scale_;
  ScalarRounder fp32_;
  float smallest_scale_;
};

}  // namespace

int KvCacheFormat::group_bits(int head_size) const {
  return bits * head_size + scale.format.storage_bits() + (has_zero_point ? bits : 0);
}

std::optional<KvCacheFormat> kv_cache_format(const StorageConfig& storage) {
  const auto integer = numerics::parse_int_format(storage.kv_cache);
  if (!integer) return std::nullopt;
  KvCacheFormat format{.bits = integer->bits,
                       .has_zero_point = storage.kv_cache_zero_point,
                       .scale = conversion_spec(storage.kv_cache_scale),
                       .value = conversion_spec(storage.activation)};
  format.scale.overflow = numerics::OverflowPolicy::kSaturate;
  return format;
}

void write_kv_cache(MatrixView<const float> x, const KvCacheFormat& format, std::size_t first_token,
                    std::size_t first_head, KvCache& cache, EventLedger& ledger, const ParallelFor& parallel_for) {
  const std::size_t head_size = cache.head_size();
  GUARDBIT_CHECK(x.cols % head_size == 0, "whole heads are written");
  GUARDBIT_CHECK(first_token + x.rows <= cache.codes.rows() && first_head + x.cols / head_size <= cache.scales.cols(),
                 "tokens and heads are in the cache");
  const GroupQuantizer quantize(format);
  for_row_blocks(x.rows, x.cols, parallel_for, ledger, [&](std::size_t begin, std::size_t end, EventLedger& events) {
    std::vector<float> group(head_size);
    for (std::size_t row = begin; row < end; ++row) {
      const std::size_t token = first_token + row;
      for (std::size_t i = 0; i < x.cols / head_size; ++i) {
        const std::size_t head = first_head + i;
        for (std::size_t k = 0; k < head_size; ++k) group[k] = x(row, i * head_size + k);
        const GroupScale scale =
            quantize(group, {cache.codes.row(token) + head * head_size, head_size}, events[Stage::kQuantizer]);
        cache.scales(token, head) = scale.scale;
        cache.zero_points(token, head) = static_cast<std::int16_t>(scale.zero_point);
      }
    }
  });
}

void read_kv_cache(const KvCache& cache, const KvCacheFormat& format, std::size_t first_token, std::size_t head,
                   MatrixView<float> y, EventLedger& ledger, const ParallelFor& parallel_for) {
  GUARDBIT_CHECK(y.cols == cache.head_size() && head < cache.scales.cols(), "a head of the cache is read");
  GUARDBIT_CHECK(first_token + y.rows <= cache.codes.rows(), "tokens are in the cache");
  const ScalarRounder round(format.value);
  for_row_blocks(y.rows, y.cols, parallel_for, ledger, [&](std::size_t begin, std::size_t end, EventLedger& events) {
    for (std::size_t row = begin; row < end; ++row) {
      const std::size_t token = first_token + row;
      const float scale = cache.scales(token, head);
      for (std::size_t k = 0; k < y.cols; ++k) {
        const int steps = cache.codes(token, head * y.cols + k) - cache.zero_points(token, head);
        y(row, k) = round.multiply(scale, static_cast<float>(steps), events[Stage::kOperand]);
      }
    }
  });
}

}  // namespace guardbit::units
