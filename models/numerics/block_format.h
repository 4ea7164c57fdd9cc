#pragma once
/// Block formats: small elements that share a scale. Quantization of one block and its exact values; how tensors are
/// cut into blocks is the caller's.
///
/// Sources: OCP Microscaling Formats (MX) 1.0, sections 5 (formats, E8M0) and 6.3 (conversion to MX); for NVFP4
/// arXiv 2509.25149, appendix on quantization (16 elements, E4M3 scale, binary32 scale per tensor).
/// Test: tests/exhaustive/block_format_test.cpp.
#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "models/numerics/events.h"
#include "models/numerics/float_format.h"
#include "models/numerics/rounding.h"

namespace guardbit::numerics {

/// What a block's scale is.
enum class BlockScale {
  kE8M0,  ///< 2^(code - 127); code 0xFF is NaN; no sign, no zero, no infinity (OCP MX 1.0, section 5.4.1)
  kE4M3,  ///< fp8_e4m3, never negative, times a binary32 scale of the whole tensor
};

enum class BlockElement {
  kFloat,  ///< `element`
  kInt8,   ///< int8 times 2^-6 (OCP MX 1.0, section 5.3.4)
};

struct BlockFormat {
  int block_size = 32;
  BlockElement element_kind = BlockElement::kFloat;
  FloatFormat element{};  ///< kFloat only
  BlockScale scale = BlockScale::kE8M0;

  constexpr int element_bits() const { return element_kind == BlockElement::kInt8 ? 8 : element.storage_bits(); }
  /// Exponent of the largest element: emax of the MX specification.
  constexpr int element_max_exponent() const {
    return element_kind == BlockElement::kInt8 ? 0 : element.max_exponent();
  }
  friend constexpr bool operator==(const BlockFormat&, const BlockFormat&) = default;
};

struct NamedBlockFormat {
  std::string_view name;
  std::string_view standard;  ///< defining document, and the format's name there
  BlockFormat format;
};

// clang-format off
inline constexpr std::array kBlockFormats = {
    NamedBlockFormat{"mxfp8_e4m3", "OCP MX 1.0 MXFP8 (E4M3)", {32, BlockElement::kFloat, kFloatFormats[5].format, BlockScale::kE8M0}},
    NamedBlockFormat{"mxfp8_e5m2", "OCP MX 1.0 MXFP8 (E5M2)", {32, BlockElement::kFloat, kFloatFormats[4].format, BlockScale::kE8M0}},
    NamedBlockFormat{"mxfp6_e3m2", "OCP MX 1.0 MXFP6 (E3M2)", {32, BlockElement::kFloat, kFloatFormats[8].format, BlockScale::kE8M0}},
    NamedBlockFormat{"mxfp6_e2m3", "OCP MX 1.0 MXFP6 (E2M3)", {32, BlockElement::kFloat, kFloatFormats[9].format, BlockScale::kE8M0}},
    NamedBlockFormat{"mxfp4_e2m1", "OCP MX 1.0 MXFP4 (E2M1)", {32, BlockElement::kFloat, kFloatFormats[10].format, BlockScale::kE8M0}},
    NamedBlockFormat{"mxint8",     "OCP MX 1.0 MXINT8",       {32, BlockElement::kInt8,  {}, BlockScale::kE8M0}},
    NamedBlockFormat{"nvfp4",      "arXiv 2509.25149 NVFP4",  {16, BlockElement::kFloat, kFloatFormats[10].format, BlockScale::kE4M3}},
};
// clang-format on

/// The row of that name, or nothing. Exact match.
const NamedBlockFormat* find_block_format(std::string_view name);

/// One block.
struct QuantizedBlock {
  std::uint8_t scale = 0;           ///< code of the scale
  std::vector<std::uint8_t> codes;  // (number of elements); int8 as two's complement

  friend bool operator==(const QuantizedBlock&, const QuantizedBlock&) = default;
};

/// How elements are rounded. The scale's rule is the format's.
struct BlockRounding {
  RoundingMode rounding = RoundingMode::kTiesToEven;
  int random_bits = 16;                        ///< kStochastic: n, 1..32
  std::span<const std::uint32_t> random = {};  ///< kStochastic: one word per element
};

/// Quantizes one block of 1 .. block_size binary32 values.
///   E8M0 scale  2^(floor(log2(amax)) - emax of the element), amax the largest finite magnitude, the exponent clamped
///   to
///               [-127, 127] (section 6.3); amax = 0 takes 2^-127
///   E4M3 scale  amax / (largest element * tensor_scale), the exact quotient rounded once to nearest even, saturating.
///               A scale that comes out zero makes every element zero
///   elements    value / (scale * tensor_scale), the exact quotient rounded once, beyond the largest element clamped to
///               it. MXINT8 is clamped to +-127 (the code -128 is not used: section 5.3.4 allows it, for symmetry)
/// A NaN becomes the element's NaN or, where the element has none, makes the scale and so the whole block NaN (codes
/// 0). Infinities do not take part in amax and are clamped. `tensor_scale` is positive and 1 for E8M0. Events, once per
/// element: those of its rounding; clipped with every overflow; zeroed if a non-zero value became zero. The rounding of
/// the scale raises none: it is a choice, not a result. Deviation: NVIDIA's kernels compute quotients through binary32
/// reciprocals, here they are exact before the rounding.
QuantizedBlock quantize_block(std::span<const float> values, const BlockFormat& format, const BlockRounding& rounding,
                              float tensor_scale, EventCounts& events);

/// The exact value of an element: element * scale * tensor_scale, which binary64 holds for every code and tensor_scale.
double dequantize(std::uint8_t code, std::uint8_t scale, const BlockFormat& format, float tensor_scale);

/// The exact value of a scale's code; NaN for E8M0 0xFF.
double scale_value(std::uint8_t scale, BlockScale kind);

/// The tensor scale of NVFP4: amax of the tensor / (6 * 448) rounded to binary32, so that the largest block's scale is
/// 448; 1 for amax = 0 or where the quotient is not a positive normal number.
float nvfp4_tensor_scale(float tensor_amax);

}  // namespace guardbit::numerics
