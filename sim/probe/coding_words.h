#pragma once
/// What a user says of a tensor conversion, in words; the meaning of each is tensor_coder.h's.
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "sim/probe/tensor_coder.h"

namespace guardbit::sim {

/// Whether there are scales, and of what; "pow2" is "tensor_pow2".
inline constexpr std::array<std::string_view, 6> kScaleWords = {"none",        "tensor",   "row",
                                                                "tensor_pow2", "row_pow2", "pow2"};

struct CodingWords {
  std::string format;  ///< a float, a block format, intN or uintN
  std::string rounding = "rne";
  std::string overflow = "saturate";
  std::string subnormals = "keep";
  std::string scale = "none";
  std::optional<int> axis;
  std::uint64_t seed = 0;
};

/// UserError kUsage "--<word>: got ...; expected ..." for a word that is unknown or that the format has no use for.
[[nodiscard]] TensorCoding parse_coding(const CodingWords& words);

}  // namespace guardbit::sim
