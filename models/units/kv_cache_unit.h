#pragma once
/// Keys and values as small integers: quantized when they are written to the KV cache, dequantized when attention reads
/// them. Where the cache lies and what that costs is sim/schedule's.
#include <cstdint>
#include <optional>

#include "models/numerics/rounding.h"
#include "models/units/accelerator_config.h"
#include "models/units/row_blocks.h"

namespace guardbit::units {

/// An integer KV cache: a group is one head's values of one token, with a scale and perhaps a zero point of its own.
struct KvCacheFormat {
  int bits = 8;  ///< 2..8
  bool has_zero_point = false;
  numerics::FloatSpec scale;  ///< scales: ties to even, subnormals kept, saturating
  numerics::FloatSpec value;  ///< what reading delivers: the activation storage format

  /// Bits of one group in DRAM: codes, scale, and a zero point of `bits` bits where there is one.
  int group_bits(int head_size) const;
};

/// Nothing if storage.kv_cache is a float format.
std::optional<KvCacheFormat> kv_cache_format(const StorageConfig& storage);

/// The cache of one tensor of keys or values.
struct KvCache {
  Matrix<std::int16_t> codes;        ///< (tokens, heads * head_size)
  Matrix<float> scales;              ///< (tokens, heads) carriers of the scale format
  Matrix<std::int16_t> zero_points;  ///< (tokens, heads); 0 without zero points

  KvCache() = default;
  KvCache(std::size_t num_tokens, std::size_t num_heads, std::size_t head_size)
      : codes(num_tokens, num_heads * head_size), scales(num_tokens, num_heads), zero_points(num_tokens, num_heads) {}
  std::size_t head_size() const { return codes.cols() / scales.cols(); }
};

/// Quantizes whole heads x (tokens, heads * head_size) into the cache at first_token and first_head. Per group, b bits,
/// NaNs ignored by maxima and minima:
///   symmetric    s = scale(max|x| / (2^(b-1) - 1)), code = clamp(rne(x / s), -2^(b-1), 2^(b-1) - 1)
///   zero point   low = min(0, min x), high = max(0, max x), s = scale(fp32(high - low) / (2^b - 1)),
///                z = clamp(rne(-low / s), 0, 2^b - 1), code = clamp(rne(x / s) + z, 0, 2^b - 1)
/// Each quotient is rounded once. A group of zeros has s = 1; a scale that would be zero or infinite is the format's
/// smallest or largest positive value. A NaN's code is 0 (z with a zero point), event invalid. Events, all at stage
/// quantizer: of the scale's roundings; clipped (rounded value outside the codes' range), zeroed (x not 0, read back as
/// 0), inexact (s * (code - z) differs from x). Test: tests/unit/kv_cache_unit_test.cpp.
void write_kv_cache(MatrixView<const float> x, const KvCacheFormat& format, std::size_t first_token,
                    std::size_t first_head, KvCache& cache, EventLedger& ledger, const ParallelFor& parallel_for = {});

/// y (tokens, head_size) = value(s * (code - z)) of the first y.rows tokens of one head: the product is exact (at most
/// 9 and 24 bits) before its one rounding, events at stage operand.
void read_kv_cache(const KvCache& cache, const KvCacheFormat& format, std::size_t first_token, std::size_t head,
                   MatrixView<float> y, EventLedger& ledger, const ParallelFor& parallel_for = {});

}  // namespace guardbit::units
