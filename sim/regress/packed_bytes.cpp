#include "sim/regress/packed_bytes.h"

#include <zlib.h>

#include <array>

#include "models/numerics/check.h"

namespace guardbit::sim {
namespace {

constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr unsigned kNoDigit = 64;

std::array<unsigned, 256> digit_values() {
  std::array<unsigned, 256> values;
  values.fill(kNoDigit);
  for (std::size_t i = 0; i < kAlphabet.size(); ++i) {
    values[static_cast<unsigned char>(kAlphabet[i])] = static_cast<unsigned>(i);
  }
  return values;
}

}  // namespace

std::string to_base64(std::string_view bytes) {
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t count = std::min<std::size_t>(3, bytes.size() - i);
    unsigned group = 0;
    for (std::size_t j = 0; j < 3; ++j) {
      group = group << 8u | (j < count ? static_cast<unsigned char>(bytes[i + j]) : 0u);
    }
    for (std::size_t j = 0; j < 4; ++j) text += j <= count ? kAlphabet[group >> (18 - 6 * j) & 63u] : '=';
  }
  return text;
}

std::optional<std::string> from_base64(std::string_view text) {
  static const std::array<unsigned, 256> kValues = digit_values();
  if (text.size() % 4 != 0) return std::nullopt;
  std::string bytes;
  bytes.reserve(text.size() / 4 * 3);
  for (std::size_t i = 0; i < text.size(); i += 4) {
    const bool is_last = i + 4 == text.size();
    const std::size_t padding = is_last && text[i + 3] == '=' ? (text[i + 2] == '=' ? 2 : 1) : 0;
    unsigned group = 0;
    for (std::size_t j = 0; j < 4 - padding; ++j) {
      const unsigned digit = kValues[static_cast<unsigned char>(text[i + j])];
      if (digit == kNoDigit) return std::nullopt;
      group |= digit << (18 - 6 * j);
    }
    if ((group & ((1u << 8 * padding) - 1)) != 0) return std::nullopt;  // bits that no byte has
    for (std::size_t j = 0; j < 3 - padding; ++j) bytes += static_cast<char>(group >> (16 - 8 * j) & 255u);
  }
  return bytes;
}

std::string pack_codes(const std::vector<std::uint32_t>& codes, int code_bytes) {
  if (codes.empty()) return {};
  std::string planes;
  planes.reserve(codes.size() * static_cast<std::size_t>(code_bytes));
  for (int byte = 0; byte < code_bytes; ++byte) {
    for (const std::uint32_t code : codes) planes += static_cast<char>(code >> (8 * byte) & 255u);
  }
  uLongf size = compressBound(planes.size());
  std::string packed(size, '\0');
  const int status = compress2(reinterpret_cast<Bytef*>(packed.data()), &size,
                               reinterpret_cast<const Bytef*>(planes.data()), planes.size(), Z_BEST_COMPRESSION);
  GUARDBIT_CHECK(status == Z_OK, "zlib compresses into a buffer of its own bound");
  packed.resize(size);
  return packed;
}

std::optional<std::vector<std::uint32_t>> unpack_codes(std::string_view packed, std::uint64_t count, int code_bytes) {
  constexpr std::uint64_t kMaxRatio = 1040;  // deflate's limit is 1032 : 1
  if (count == 0) return packed.empty() ? std::optional(std::vector<std::uint32_t>{}) : std::nullopt;
  const auto bytes_each = static_cast<std::uint64_t>(code_bytes);
  if (count > packed.size() * kMaxRatio / bytes_each) return std::nullopt;
  std::string planes(count * bytes_each, '\0');
  uLongf size = planes.size();
  uLong used = packed.size();
  const int status =
      uncompress2(reinterpret_cast<Bytef*>(planes.data()), &size, reinterpret_cast<const Bytef*>(packed.data()), &used);
  if (status != Z_OK || size != planes.size() || used != packed.size()) return std::nullopt;
  std::vector<std::uint32_t> codes(count);
  for (std::size_t i = 0; i < planes.size(); ++i) {
    codes[i % count] |= static_cast<std::uint32_t>(static_cast<unsigned char>(planes[i])) << (8 * (i / count));
  }
  return codes;
}

}  // namespace guardbit::sim
