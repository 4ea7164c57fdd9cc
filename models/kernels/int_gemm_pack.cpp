#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "models/kernels/int_gemm_pack.cpp"
#include <hwy/foreach_target.h>
// foreach_target.h must come before highway.h.
#include <hwy/highway.h>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>

#include "models/kernels/int_gemm_tile.h"

HWY_BEFORE_NAMESPACE();
namespace guardbit::kernels {
namespace HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

using WordTag = hn::ScalableTag<std::int32_t>;

/// One row of words of a panel from `group` rows of b with contiguous columns; `rows[i]` is null beyond K.
void pack_words(const std::int8_t* const* rows, std::size_t group, std::int32_t* HWY_RESTRICT words) {
  const WordTag d;
  const hn::Rebind<std::int8_t, WordTag> d8;
  const int code_bits = group == 4 ? 8 : 16;
  const auto code_mask = hn::Set(d, (1 << code_bits) - 1);
  const auto inverted_signs = hn::Set(d, group == 4 ? static_cast<std::int32_t>(0x80808080u) : 0);
  for (std::size_t column = 0; column < 2 * hn::Lanes(d); column += hn::Lanes(d)) {
    auto word = hn::Zero(d);
    for (std::size_t i = 0; i < group && rows[i] != nullptr; ++i) {
      const auto code = hn::And(hn::PromoteTo(d, hn::LoadU(d8, rows[i] + column)), code_mask);
      word = hn::Or(word, hn::ShiftLeftSame(code, static_cast<int>(i) * code_bits));
    }
    hn::StoreU(hn::Xor(word, inverted_signs), d, words + column);
  }
}

/// The largest column's sum of |codes| in a panel's words.
std::int32_t largest_abs_sum(const std::int32_t* HWY_RESTRICT words, std::size_t num_groups, std::size_t group) {
  const WordTag d;
  const std::size_t lanes = hn::Lanes(d);
  const int code_bits = group == 4 ? 8 : 16;
  const auto inverted_signs = hn::Set(d, group == 4 ? static_cast<std::int32_t>(0x80808080u) : 0);
  std::int32_t largest = 0;
  for (std::size_t column = 0; column < 2 * lanes; column += lanes) {
    auto total = hn::Zero(d);
    for (std::size_t i = 0; i < num_groups; ++i) {
      const auto word = hn::Xor(hn::Load(d, words + i * 2 * lanes + column), inverted_signs);
      for (int shift_up = 32 - code_bits; shift_up >= 0; shift_up -= code_bits) {
        total = hn::Add(total, hn::Abs(hn::ShiftRightSame(hn::ShiftLeftSame(word, shift_up), 32 - code_bits)));
      }
    }
    HWY_ALIGN std::int32_t values[HWY_MAX_BYTES / sizeof(std::int32_t)];
    hn::Store(total, d, values);
    largest = std::max(largest, *std::max_element(values, values + lanes));
  }
  return largest;
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace guardbit::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace guardbit::kernels {
namespace {

HWY_EXPORT(pack_words);
HWY_EXPORT(largest_abs_sum);

/// Up to `group` codes as one word; `invert` flips the sign bits of bytes.
std::int32_t word_of(const std::int8_t* codes, std::size_t stride, std::size_t num_codes, std::size_t group,
                     bool invert) {
  std::uint32_t word = 0;
  const unsigned code_bits = group == 4 ? 8 : 16;
  for (std::size_t i = 0; i < num_codes; ++i) {
    const auto code = static_cast<std::uint32_t>(codes[i * stride]) & ((1u << code_bits) - 1);
    word |= code << (static_cast<unsigned>(i) * code_bits);
  }
  return static_cast<std::int32_t>(invert && group == 4 ? word ^ 0x80808080u : word);
}

/// Same for a full word of contiguous bytes.
std::int32_t contiguous_bytes(const std::int8_t* codes, bool invert) {
  std::uint32_t word;
  std::memcpy(&word, codes, sizeof word);
  if constexpr (std::endian::native == std::endian::big) word = __builtin_bswap32(word);
  return static_cast<std::int32_t>(invert ? word ^ 0x80808080u : word);
}

/// Sum and largest magnitude of codes.
struct CodeSummary {
  std::int32_t sum = 0;
  std::int32_t max_abs = 0;
};

CodeSummary summarize(const std::int8_t* codes, std::size_t stride, std::size_t count) {
  CodeSummary summary;
  const auto add = [&summary](std::int32_t code) {
    summary.sum += code;
    summary.max_abs = std::max(summary.max_abs, code < 0 ? -code : code);
  };
  if (stride == 1) {  // a loop of its own, for the compiler's vectors
    for (std::size_t i = 0; i < count; ++i) add(codes[i]);
  } else {
    for (std::size_t i = 0; i < count; ++i) add(codes[i * stride]);
  }
  return summary;
}

}  // namespace

void pack_int_b(numerics::MatrixView<const std::int8_t> b, std::size_t first, const IntGemmPlan& plan,
                std::int32_t* words, std::int32_t* abs_sums) {
  const std::size_t width = int_tile_width();
  const std::size_t group = plan.group();
  const std::size_t num_columns = std::min(width, b.cols - first);
  for (std::size_t chunk = 0; chunk < plan.num_chunks; ++chunk) {
    const std::size_t end = chunk * plan.chunk_length + plan.length_of(chunk);
    std::int32_t* chunk_words = words;
    for (std::size_t k = chunk * plan.chunk_length; k < end; k += group, words += width) {
      const std::size_t num_codes = std::min(group, end - k);
      if (b.col_stride == 1 && num_columns == width) {
        const std::int8_t* rows[4] = {};
        for (std::size_t i = 0; i < num_codes; ++i) rows[i] = &b(k + i, first);
        HWY_DYNAMIC_DISPATCH(pack_words)(rows, group, words);
        continue;
      }
      const bool whole = b.row_stride == 1 && group == 4 && num_codes == 4;
      for (std::size_t column = 0; column < num_columns; ++column) {
        const std::int8_t* codes = &b(k, first + column);
        words[column] = whole ? contiguous_bytes(codes, /*invert=*/true)
                              : word_of(codes, b.row_stride, num_codes, group, /*invert=*/true);
      }
      std::fill(words + num_columns, words + width, word_of(nullptr, 0, 0, group, /*invert=*/true));
    }
    if (abs_sums != nullptr) {
      abs_sums[chunk] = HWY_DYNAMIC_DISPATCH(largest_abs_sum)(chunk_words, plan.groups_of(chunk), group);
    }
  }
}

void pack_int_a(numerics::MatrixView<const std::int8_t> a, std::size_t first, const IntGemmPlan& plan,
                std::int32_t* words, std::int32_t* row_sums, std::int32_t* max_abs) {
  const std::size_t group = plan.group();
  const std::size_t num_rows = std::min(kIntTileRows, a.rows - first);
  std::fill(words, words + plan.num_groups * kIntTileRows, 0);
  std::fill(row_sums, row_sums + plan.num_chunks * kIntTileRows, 0);
  if (max_abs != nullptr) std::fill(max_abs, max_abs + plan.num_chunks, 0);
  for (std::size_t row = 0; row < num_rows; ++row) {
    for (std::size_t chunk = 0; chunk < plan.num_chunks; ++chunk) {
      const std::size_t begin = chunk * plan.chunk_length;
      const std::size_t end = begin + plan.length_of(chunk);
      std::int32_t* word = words + chunk * plan.groups_per_chunk * kIntTileRows + row;
      for (std::size_t k = begin; k < end; k += group, word += kIntTileRows) {
        const std::int8_t* codes = &a(first + row, k);
        const std::size_t num_codes = std::min(group, end - k);
        *word = a.col_stride == 1 && group == 4 && num_codes == 4
                    ? contiguous_bytes(codes, /*invert=*/false)
                    : word_of(codes, a.col_stride, num_codes, group, /*invert=*/false);
      }
      const CodeSummary summary = summarize(&a(first + row, begin), a.col_stride, end - begin);
      row_sums[chunk * kIntTileRows + row] = summary.sum;
      if (max_abs != nullptr) max_abs[chunk] = std::max(max_abs[chunk], summary.max_abs);
    }
  }
}

void pack_half_a(numerics::MatrixView<const std::int8_t> a, std::size_t first, std::int32_t* halves) {
  const std::size_t num_rows = std::min(kIntTileRows, a.rows - first);
  std::fill(halves, halves + a.cols * kIntTileRows, 0);
  constexpr std::uint32_t kTwice = 0x10001;
  for (std::size_t row = 0; row < num_rows; ++row) {
    const std::int8_t* const codes = &a(first + row, 0);
    std::int32_t* const own = halves + row;
    for (std::size_t k = 0; k < a.cols; ++k) {
      const auto code = static_cast<std::uint32_t>(static_cast<std::uint16_t>(codes[k * a.col_stride]));
      own[k * kIntTileRows] = static_cast<std::int32_t>(code * kTwice);
    }
  }
}

void pack_half_b(numerics::MatrixView<const std::int8_t> b, std::size_t first, std::size_t width,
                 std::int16_t* halves) {
  const std::size_t num_columns = std::min(width, b.cols - first);
  std::fill(halves, halves + b.rows * width, std::int16_t{0});
  for (std::size_t k = 0; k < b.rows; ++k) {
    const std::int8_t* codes = &b(k, first);
    if (b.col_stride == 1) {
      std::copy(codes, codes + num_columns, halves + k * width);
    } else {
      for (std::size_t column = 0; column < num_columns; ++column) {
        halves[k * width + column] = codes[column * b.col_stride];
      }
    }
  }
}

}  // namespace guardbit::kernels
#endif  // HWY_ONCE
