#pragma once
/// Variants: which methods rewrite the model, and in which widths its linear layers and KV cache then run.
///
///   variant   part+part+...                     in any order
///   part      a method:  name  or  name(argument,...)
///             widths:    w4, a8, kv4 or several in a row (w4a4kv4); w4a16_fp16
///   argument  name=value, or the name alone for a flag
///
///   slanc+rrs    smoothquant(alpha=0.5)+gptq(group=128,act_order)+slanc    rrs+w4a4kv4    w4a16
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "models/calibration/method.h"

namespace guardbit::calibration {

/// Widths that a variant asks for, in bits; none: the accelerator's. 16 stands for a float format of 16 bits.
struct VariantWidths {
  std::optional<int> weight{};      ///< 2..8 or 16
  std::optional<int> activation{};  ///< 3..8 or 16
  std::optional<int> kv_cache{};    ///< 4, 8 or 16
  bool fp16_codes = false;          ///< "_fp16": products of codes and sums in fp16, scales afterwards (exllama)

  bool any() const { return weight || activation || kv_cache; }
  friend bool operator==(const VariantWidths&, const VariantWidths&) = default;
};

struct VariantPart {
  const Method* method = nullptr;
  MethodArguments arguments;
};

struct Variant {
  std::vector<VariantPart> parts;  ///< in the order of application: ascending effects
  VariantWidths widths;

  /// Methods in the order of application, without arguments that equal their defaults, then the widths in one word.
  std::string canonical_text() const;
  /// The part with that effect; null if there is none.
  const VariantPart* part_with(MethodEffect effect) const;
};

/// Throws std::invalid_argument, naming the variant, for an unknown part or argument (with the known ones and the
/// nearest), a value out of range, an argument or a width given twice, parentheses that do not match, and methods or
/// arguments that exclude one another. Test: tests/unit/variant_test.cpp.
Variant parse_variant(std::string_view text);

/// The variants of a list: "none,gptq(group=128,act_order)" -> its two; commas inside parentheses belong to arguments.
std::vector<std::string> split_variants(std::string_view list);

/// Applies a variant's methods in ascending order of effects. A float model is rewritten in binary64 and rounded once
/// per method. Throws std::invalid_argument, naming the variant, for a model or a calibration text that a method
/// refuses, and for a method that needs options.data where there is none. `progress` replaces options.progress: it is
/// told the method too.
/// Test: tests/unit/variant_test.cpp, tests/unit/calibration_identity_test.cpp.
using VariantProgress = std::function<void(std::string_view method, std::size_t done, std::size_t total)>;
template <class T>
void apply_variant(const Variant& variant, transformer::Model<T>& model, const CalibrationOptions& options,
                   const VariantProgress& progress = {});
template <class T>
void apply_variant(std::string_view text, transformer::Model<T>& model, const CalibrationOptions& options);

/// The ops and shapes of apply_variant's result, of a model that may be of outlines: what its time depends on, if every
/// input scale costs what a scale of 1 costs (CalibrationOptions::pow2_scales, or no method that scales norms).
void outline_variant(const Variant& variant, transformer::Model<float>& model, const CalibrationOptions& options);
void outline_variant(std::string_view text, transformer::Model<float>& model, const CalibrationOptions& options);
/// Whether outline_variant is enough to know the time.
bool time_needs_weights(const Variant& variant, const CalibrationOptions& options);
bool time_needs_weights(std::string_view text, const CalibrationOptions& options);

}  // namespace guardbit::calibration
