#pragma once
/// Bytes as text of a JSON file: base64 (RFC 4648), zlib streams, and codes of number formats as compressed text.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace guardbit::sim {

[[nodiscard]] std::string to_base64(std::string_view bytes);
/// Nothing if `text` is not base64 with its padding.
[[nodiscard]] std::optional<std::string> from_base64(std::string_view text);

/// Codes of `code_bytes` (1..4) bytes each: all low bytes, then all second bytes, and so on, in a zlib stream. Bytes of
/// one significance resemble each other, so they compress better together.
[[nodiscard]] std::string pack_codes(const std::vector<std::uint32_t>& codes, int code_bytes);
/// Nothing if `packed` is not exactly `count` codes. Allocates no more than a zlib stream of that size can hold.
[[nodiscard]] std::optional<std::vector<std::uint32_t>> unpack_codes(std::string_view packed, std::uint64_t count,
                                                                     int code_bytes);

}  // namespace guardbit::sim
