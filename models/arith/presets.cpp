#include "models/arith/presets.h"

#include <array>

namespace guardbit::arith {
namespace {

using numerics::FloatFormat;
using numerics::FloatSpec;
using numerics::kFp16;
using numerics::kFp32;
using numerics::kFp8E4M3;
using numerics::kFp8E5M2;
using numerics::RoundingMode;

constexpr FloatSpec kTruncatedFp32{.format = kFp32, .rounding = RoundingMode::kTowardZero};
/// What FP8 tensor cores of Ada and Hopper deliver in a binary32 register.
constexpr FloatSpec kTruncatedE8M13{.format = {8, 13, 127, numerics::SpecialCodes::kIeee},
                                    .rounding = RoundingMode::kTowardZero};
/// (1, 6, 9), round-nearest-up, no subnormals.
constexpr FloatSpec kDlFloat16{
    .format = {6, 9, 31, numerics::SpecialCodes::kIeee}, .rounding = RoundingMode::kTiesToAway, .flush_output = true};

/// A tensor core: `width` products of operands of one format and the accumulator, truncated to F fraction bits.
AccumulationSpec tensor_core(const FloatFormat& operand, int width, int fraction_bits, const FloatSpec& inner) {
  const AccumulationSpec spec{
      .reduce = Reduce::kAligned, .width = width, .inner = inner, .alignment = {.fraction_bits = fraction_bits}};
  return with_operands(spec, operand, operand);
}

AccumulationSpec promoted(AccumulationSpec spec, int every, const FloatSpec& outer) {
  spec.promote_every = every;
  spec.outer = outer;
  return spec;
}

constexpr std::string_view kMmaSim = "arXiv 2511.10909 (MMA-Sim)";

const std::array kPresets = {
    Preset{.name = "volta_fp16",
           .summary = "4 products and the fp32 accumulator aligned, F = 23, truncated to fp32",
           .source = "arXiv 2511.10909 (MMA-Sim); Fasi et al., PeerJ CS 7:e330 (2021)",
           .a = kFp16,
           .b = kFp16,
           .spec = tensor_core(kFp16, 4, 23, kTruncatedFp32)},
    Preset{.name = "volta_fp16_out16",
           .summary = "the same with an fp16 accumulator, rounded to nearest even after each step",
           .source = "arXiv 2511.10909 (MMA-Sim); Fasi et al., PeerJ CS 7:e330 (2021)",
           .a = kFp16,
           .b = kFp16,
           .spec = tensor_core(kFp16, 4, 23, {.format = kFp16})},
    Preset{.name = "ampere_fp16",
           .summary = "8 products and the fp32 accumulator aligned, F = 24, truncated to fp32",
           .source = "arXiv 2511.10909 (MMA-Sim); Fasi et al., PeerJ CS 7:e330 (2021)",
           .a = kFp16,
           .b = kFp16,
           .spec = tensor_core(kFp16, 8, 24, kTruncatedFp32)},
    Preset{.name = "hopper_fp8",
           .summary = "32 products and the accumulator aligned, F = 13, truncated to e8m13",
           .source = kMmaSim,
           .a = kFp8E4M3,
           .b = kFp8E4M3,
           .spec = tensor_core(kFp8E4M3, 32, 13, kTruncatedE8M13)},
    Preset{.name = "hopper_fp8_promote128",
           .summary = "hopper_fp8, every 128 products added to an fp32 register (round to nearest even)",
           .source = "arXiv 2412.19437 (DeepSeek-V3), section 3.3.2",
           .a = kFp8E4M3,
           .b = kFp8E4M3,
           .spec = promoted(tensor_core(kFp8E4M3, 32, 13, kTruncatedE8M13), 128, {.format = kFp32})},
    Preset{.name = "dlfloat16_chunk64",
           .summary = "sequential e6m9 (ties away, no subnormals), chunks of 64 summed in e6m9; deviation: DLFloat's "
                      "finite binades at biased exponents 0 and 63 are zero and infinity here",
           .source = "Wang et al., NeurIPS 2018 (chunks); Agrawal et al., ARITH 2019 (DLFloat)",
           .a = kFp8E5M2,
           .b = kFp8E5M2,
           .spec = promoted({.inner = kDlFloat16}, 64, kDlFloat16)},
    Preset{.name = "kulisch_fp8",
           .summary = "q36.18, exact for K <= 171196, rounded once to fp32 (nearest even)",
           .source = "Kulisch, Computer Arithmetic and Validity (2013); arXiv 2303.17951 (FP8 versus INT8)",
           .a = kFp8E4M3,
           .b = kFp8E4M3,
           .spec = {.reduce = Reduce::kFixed,
                    .inner = {.format = kFp32},
                    .fixed = {.format = {.integer_bits = 36, .fraction_bits = 18},
                              .overflow = numerics::IntOverflow::kSaturate}}},
    Preset{.name = "exllama_fp16",
           .summary = "fused fp16 in two lanes (even, odd k) over 8 products, lanes added, then scale * sum + fp16 "
                      "total; deviation: the GPU adds its lanes once per K block, not per 8 products",
           .source = "github.com/turboderp/exllamav2, dot22_8",
           .a = kFp16,
           .b = kFp16,
           .spec = promoted({.interleave = 2, .inner = {.format = kFp16}}, 8, {.format = kFp16})},
};

}  // namespace

std::span<const Preset> presets() { return kPresets; }

const Preset* find_preset(std::string_view name) {
  for (const Preset& preset : kPresets) {
    if (preset.name == name) return &preset;
  }
  return nullptr;
}

AccumulationSpec with_operands(AccumulationSpec spec, const FloatFormat& a, const FloatFormat& b) {
  spec.alignment.emin_a = a.emin();
  spec.alignment.emin_b = b.emin();
  return spec;
}

}  // namespace guardbit::arith
