#pragma once
/// Elements of NumPy arrays, in .npy files or in memory: which types are read, and their values as binary32.
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace guardbit::sim {

/// Element types that are read, by NumPy's kind and size.
enum class NpyType { kF2, kF4, kF8, kI1, kU1, kI2, kU2, kI4, kU4, kI8, kU8 };

struct NpyTypeRow {
  std::string_view name;  ///< NumPy's, without byte order
  NpyType type;
  std::size_t num_bytes;
};
inline constexpr std::array kNpyTypes = {
    NpyTypeRow{"f2", NpyType::kF2, 2}, NpyTypeRow{"f4", NpyType::kF4, 4}, NpyTypeRow{"f8", NpyType::kF8, 8},
    NpyTypeRow{"i1", NpyType::kI1, 1}, NpyTypeRow{"u1", NpyType::kU1, 1}, NpyTypeRow{"i2", NpyType::kI2, 2},
    NpyTypeRow{"u2", NpyType::kU2, 2}, NpyTypeRow{"i4", NpyType::kI4, 4}, NpyTypeRow{"u4", NpyType::kU4, 4},
    NpyTypeRow{"i8", NpyType::kI8, 8}, NpyTypeRow{"u8", NpyType::kU8, 8}};

/// The row of that name, or null.
[[nodiscard]] const NpyTypeRow* find_npy_type(std::string_view name);
[[nodiscard]] std::size_t bytes_of(NpyType type);

/// The element, in the host's byte order, as a binary64. An integer that is not a binary64 becomes a neighbour that is
/// no binary32 either.
[[nodiscard]] double npy_element(const unsigned char* bytes, NpyType type);

/// The value as a binary32, exactly; NaNs become the quiet NaN. UserError kMalformedInput "<place>: got <value> at
/// element <index>; expected ..." if it is none or, with `require_finite`, not finite.
[[nodiscard]] float exact_float(double value, bool require_finite, std::uint64_t index, std::string_view place);

}  // namespace guardbit::sim
