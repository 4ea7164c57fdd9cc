#include "sim/conform/vector_meaning.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "sim/base/error.h"
#include "sim/config/suggest.h"

namespace guardbit::sim {
namespace {

using numerics::FloatFormat;
using numerics::RoundingMode;

[[noreturn]] void usage(const std::string& text) { throw UserError(ExitCode::kUsage, text); }

constexpr std::array<std::pair<std::string_view, VectorOperation>, 7> kOperationNames = {
    {{"add", VectorOperation::kAdd},
     {"mul", VectorOperation::kMul},
     {"mul_add", VectorOperation::kMulAdd},
     {"convert", VectorOperation::kConvert},
     {"mulAdd", VectorOperation::kMulAdd},
     {"fma", VectorOperation::kMulAdd},
     {"to", VectorOperation::kConvert}}};

std::string_view name_of(VectorOperation operation) {
  return std::find_if(kOperationNames.begin(), kOperationNames.end(),
                      [&](const auto& row) { return row.second == operation; })
      ->first;
}

std::optional<FloatFormat> find_format(std::string_view name) {
  if (name == "f16") return numerics::kFp16;
  if (name == "f32") return numerics::kFp32;
  return numerics::parse_float_format(name);
}

/// e4m3 and e5m2 in families that are about the OCP formats.
std::optional<FloatFormat> find_ofp8(std::string_view name) {
  return numerics::parse_float_format("fp8_" + std::string(name));
}

std::string lower(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return result;
}

/// A rounding of a file's name; stochastic results need the random bits in the line, so that it is not one.
std::optional<RoundingMode> find_mode(std::string_view name) {
  const auto mode = numerics::parse_rounding(lower(name));
  return mode == RoundingMode::kStochastic ? std::nullopt : mode;
}

/// What a name tells; all of it may be missing.
struct NameParts {
  std::optional<VectorLayout> layout;
  std::optional<VectorOperation> operation;
  std::optional<FloatFormat> operands;
  std::optional<FloatFormat> result;
  std::optional<RoundingMode> rounding;
};

/// The name behind its format: "mulAdd_RNE", "to_bf16_RTZ", "from_fp32_sr", ...
void read_rest(std::string_view rest, NameParts& parts) {
  const FloatFormat format = *parts.operands;
  const auto set = [&](VectorLayout layout, std::optional<VectorOperation> operation) {
    parts.layout = layout;
    parts.operation = operation;
    parts.result = format;
  };
  if (rest == "decode") return set(VectorLayout::kDecode, std::nullopt);
  if (rest == "fma") return set(VectorLayout::kTenColumns, VectorOperation::kMulAdd);
  if (rest == "from_fp32" || rest == "from_fp32_sr") {
    set(rest == "from_fp32" ? VectorLayout::kTenColumns : VectorLayout::kStochastic, VectorOperation::kConvert);
    parts.operands = numerics::kFp32;
    return;
  }
  constexpr int kMaxPairBits = 8;
  if ((rest == "add_rne" || rest == "mul_rne") && format.storage_bits() <= kMaxPairBits) {
    return set(VectorLayout::kPair, rest == "add_rne" ? VectorOperation::kAdd : VectorOperation::kMul);
  }
  const std::size_t last = rest.rfind('_');
  std::string_view operation = rest;
  if (last != std::string_view::npos) parts.rounding = find_mode(rest.substr(last + 1));
  if (parts.rounding) operation = rest.substr(0, last);
  if (operation.starts_with("to_")) {
    parts.result = find_format(operation.substr(3));
    if (!parts.result) return;
    operation = "to";
  }
  const auto* row = std::find_if(kOperationNames.begin(), kOperationNames.end(),
                                 [&](const auto& entry) { return entry.first == operation; });
  if (row == kOperationNames.end() || operation == "convert") return;
  parts.layout = VectorLayout::kOperation;
  parts.operation = row->second;
  if (!parts.result) parts.result = format;
}

/// "<prefix>_<fp8>_<middle><format>_<tail>" of mixfma and trap.
void read_mixed(std::string_view name, std::string_view middle, bool result_is_ofp8, NameParts& parts) {
  const std::size_t first = name.find('_');
  const std::size_t second = name.find('_', first + 1);
  if (second == std::string_view::npos || !name.substr(second + 1).starts_with(middle)) return;
  const std::size_t begin = second + 1 + middle.size();
  const std::size_t end = name.find('_', begin);
  if (end == std::string_view::npos) return;
  parts.operands = find_ofp8(name.substr(first + 1, second - first - 1));
  const std::string_view result = name.substr(begin, end - begin);
  parts.result = result_is_ofp8 ? find_ofp8(result) : find_format(result);
  parts.rounding = result_is_ofp8 ? RoundingMode::kTiesToEven : find_mode(name.substr(end + 1));
  if (!parts.operands || !parts.result || !parts.rounding) return;
  parts.layout = result_is_ofp8 ? VectorLayout::kTrap : VectorLayout::kOperation;
  parts.operation = VectorOperation::kMulAdd;
}

NameParts read_name(std::string_view name) {
  NameParts parts;
  if (name.starts_with("gemm_")) {
    parts.layout = VectorLayout::kGemmBlocks;
  } else if (name.starts_with("mixfma_")) {
    read_mixed(name, "", false, parts);
  } else if (name.starts_with("trap_")) {
    read_mixed(name, "products_acc_", true, parts);
  } else {
    // The longest beginning that is a format: names of formats have underscores themselves.
    for (std::size_t end = name.rfind('_'); end != std::string_view::npos && end != 0; end = name.rfind('_', end - 1)) {
      parts.operands = find_format(name.substr(0, end));
      if (!parts.operands) continue;
      read_rest(name.substr(end + 1), parts);
      break;
    }
  }
  return parts;
}

FloatFormat format_option(const std::string& option, const std::string& name) {
  const auto format = find_format(name);
  if (!format) {
    usage(fmt::format("{}: got '{}'; expected a float format (guardbit list formats){}", option, printable(name),
                      did_you_mean_format(name)));
  }
  return *format;
}

RoundingMode rounding_option(const std::string& name) {
  const auto mode = find_mode(name);
  if (!mode) usage(fmt::format("--rounding: got '{}'; expected one of rne, rtz, rup, rdn, rna, odd", name));
  return *mode;
}

/// --op: the options say what the lines are, the name only what they leave out.
void apply_operation(const std::string& file, const ConformOptions& options, NameParts& parts) {
  const auto* row = std::find_if(kOperationNames.begin(), kOperationNames.begin() + 4,
                                 [&](const auto& entry) { return entry.first == options.operation; });
  if (row == kOperationNames.begin() + 4) {
    usage(fmt::format("--op: got '{}'; expected add, mul, mul_add or convert", options.operation));
  }
  parts.layout = VectorLayout::kOperation;
  parts.operation = row->second;
  if (!options.format.empty()) {
    parts.operands = format_option("--format", options.format);
    parts.result = parts.operands;
    if (row->second == VectorOperation::kConvert && options.result_format.empty()) {
      usage(fmt::format("{}: --op convert; expected --result-format as well", file));
    }
  }
  if (!parts.operands) usage(fmt::format("{}: --op {}; expected --format as well", file, options.operation));
  if (!parts.result) parts.result = parts.operands;
}

}  // namespace

std::string VectorMeaning::text() const {
  switch (layout) {
    case VectorLayout::kDecode: return "decode " + numerics::name_of(operands);
    case VectorLayout::kGemmBlocks: return "gemm blocks";
    case VectorLayout::kOperation:
    case VectorLayout::kPair:
    case VectorLayout::kTenColumns:
    case VectorLayout::kStochastic:
    case VectorLayout::kTrap: break;
  }
  std::string result_text(sim::name_of(operation));
  result_text += " " + numerics::name_of(operands);
  if (operands != result.format) result_text += " to " + numerics::name_of(result.format);
  if (layout == VectorLayout::kTenColumns) return result_text + " all roundings";
  if (layout == VectorLayout::kStochastic) return result_text + " stochastic";
  return result_text + " " + std::string(numerics::name_of(result.rounding));
}

VectorMeaning vector_meaning(const std::filesystem::path& file, const ConformOptions& options) {
  const std::string whole_name = file.filename().string();
  const std::string place = printable(file.string());
  NameParts parts = read_name(std::string_view(whole_name).substr(0, whole_name.find('.')));
  if (!options.operation.empty()) apply_operation(place, options, parts);
  if (!parts.layout) {
    usage(place +
          ": its name does not tell the operation; expected one like f16_mulAdd_RNE, f32_to_bf16_RTZ or "
          "fp8_e4m3_fma, or --op and --format");
  }
  if (*parts.layout != VectorLayout::kOperation) {
    for (const auto& [option, value] :
         {std::pair{"--format", &options.format}, std::pair{"--result-format", &options.result_format},
          std::pair{"--rounding", &options.rounding}, std::pair{"--overflow", &options.overflow},
          std::pair{"--tininess", &options.tininess}}) {
      if (!value->empty())
        usage(fmt::format("{}: {} {}: this layout fixes it; expected --op as well, or neither", place, option, *value));
    }
  } else {
    if (!options.format.empty()) {
      const FloatFormat format = format_option("--format", options.format);
      if (parts.result == parts.operands) parts.result = format;
      parts.operands = format;
    }
    if (!options.result_format.empty()) parts.result = format_option("--result-format", options.result_format);
    if (!options.rounding.empty()) parts.rounding = rounding_option(options.rounding);
  }

  VectorMeaning meaning;
  meaning.layout = *parts.layout;
  meaning.operation = parts.operation.value_or(VectorOperation::kAdd);
  meaning.operands = parts.operands.value_or(numerics::kFp32);
  meaning.result = {.format = parts.result.value_or(meaning.operands),
                    .rounding = parts.rounding.value_or(RoundingMode::kTiesToEven)};
  if (!options.overflow.empty()) {
    const auto policy = numerics::parse_overflow(options.overflow);
    if (!policy) usage(fmt::format("--overflow: got '{}'; expected infinity, nan or saturate", options.overflow));
    meaning.result.overflow = *policy;
  }
  if (options.tininess == "before") meaning.result.tininess = numerics::Tininess::kBeforeRounding;
  if (!options.tininess.empty() && options.tininess != "before" && options.tininess != "after") {
    usage(fmt::format("--tininess: got '{}'; expected before or after", options.tininess));
  }
  meaning.ignore_signalling = options.ignore_signalling;
  return meaning;
}

}  // namespace guardbit::sim
