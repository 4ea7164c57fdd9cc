#include "sim/conform/check_line.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <span>

#include "models/arith/float_ops.h"
#include "models/numerics/check.h"
#include "models/numerics/codec.h"

namespace guardbit::sim {
namespace {

using numerics::Event;
using numerics::FloatFormat;
using numerics::FloatSpec;
using numerics::NumberClass;
using numerics::OverflowPolicy;
using numerics::Rounded;
using numerics::RoundingMode;

/// Flag bits as in TestFloat and RISC-V fflags.
enum Flag : std::uint32_t { kInexact = 1, kUnderflow = 2, kOverflow = 4, kInvalid = 16 };
constexpr int kFlagBits = 8;
constexpr std::uint32_t kAllFlags = 0x1F;

NumberClass class_of(std::uint32_t code, const FloatFormat& format) {
  return numerics::decode(code, format).number_class;
}

bool is_nan(std::uint32_t code, const FloatFormat& format) { return class_of(code, format) == NumberClass::kNan; }

/// A NaN whose first trailing bit is clear (IEEE 754-2019 6.2.1). Formats with a single NaN have none, nor have those
/// of at most 8 bits: OCP OFP8 does not tell quiet from signalling NaNs in E5M2, and units widen them to quiet ones.
bool is_signalling(std::uint32_t code, const FloatFormat& format) {
  constexpr int kMaxQuietBits = 8;
  return format.specials == numerics::SpecialCodes::kIeee && format.storage_bits() > kMaxQuietBits &&
         is_nan(code, format) && (code >> (format.trailing_bits - 1) & 1) == 0;
}

/// Operands of one line; c belongs to the result's format.
struct Operands {
  std::array<std::uint32_t, 3> codes{};
  std::size_t count = 0;
};

std::size_t num_operands_of(VectorOperation operation) {
  switch (operation) {
    case VectorOperation::kConvert: return 1;
    case VectorOperation::kAdd:
    case VectorOperation::kMul: return 2;
    case VectorOperation::kMulAdd: return 3;
  }
  return 0;  // unreachable
}

Operands read_operands(const VectorLine& line, const VectorMeaning& meaning) {
  Operands operands;
  operands.count = num_operands_of(meaning.operation);
  for (std::size_t i = 0; i < operands.count; ++i) {
    operands.codes[i] = line.code(i, i == 2 ? meaning.result.format : meaning.operands);
  }
  return operands;
}

bool any_signalling(const Operands& operands, const VectorMeaning& meaning) {
  for (std::size_t i = 0; i < operands.count; ++i) {
    if (is_signalling(operands.codes[i], i == 2 ? meaning.result.format : meaning.operands)) return true;
  }
  return false;
}

Rounded run(const Operands& operands, const VectorMeaning& meaning, const FloatSpec& spec) {
  const auto& [a, b, c] = operands.codes;
  switch (meaning.operation) {
    case VectorOperation::kAdd: return arith::add(a, b, meaning.operands, spec);
    case VectorOperation::kMul: return arith::multiply(a, b, meaning.operands, spec);
    case VectorOperation::kMulAdd: return arith::multiply_add(a, b, meaning.operands, c, spec.format, spec);
    case VectorOperation::kConvert: return arith::convert(a, meaning.operands, spec);
  }
  return {};  // unreachable: the switch is exhaustive (-Wswitch-enum)
}

std::optional<LineDifference> compare(std::string column, std::uint32_t got, std::uint32_t expected,
                                      const FloatFormat& format) {
  if (same_code(got, expected, format)) return std::nullopt;
  return LineDifference{std::move(column), code_text(got, format), code_text(expected, format)};
}

/// The flags IEEE 754 raises, given the events of the operation.
std::uint32_t flags_of(const Rounded& result, const Operands& operands, const VectorMeaning& meaning) {
  const auto flag = [&](Event event, Flag bit) {
    return result.events.has(event) ? static_cast<std::uint32_t>(bit) : 0U;
  };
  std::uint32_t flags = flag(Event::kInexact, kInexact) | flag(Event::kUnderflow, kUnderflow) |
                        flag(Event::kOverflow, kOverflow) | flag(Event::kInvalid, kInvalid);
  if (any_signalling(operands, meaning)) flags |= kInvalid;
  if (meaning.operation == VectorOperation::kMulAdd) {
    const NumberClass a = class_of(operands.codes[0], meaning.operands);
    const NumberClass b = class_of(operands.codes[1], meaning.operands);
    const bool zero_times_infinity = (a == NumberClass::kZero && b == NumberClass::kInfinity) ||
                                     (a == NumberClass::kInfinity && b == NumberClass::kZero);
    if (zero_times_infinity) flags |= kInvalid;
  }
  return flags;
}

std::string flags_text(std::uint32_t flags) {
  std::string names;
  constexpr std::array<std::string_view, 5> kNames = {"inexact", "underflow", "overflow", "divide by zero", "invalid"};
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    if ((flags >> i & 1) != 0) names += (names.empty() ? "" : ", ") + std::string(kNames[i]);
  }
  return fmt::format("{:02X} ({})", flags, names.empty() ? "none" : names);
}

std::optional<LineDifference> check_operation(const VectorLine& line, const Operands& operands,
                                              const VectorMeaning& meaning) {
  const Rounded result = run(operands, meaning, meaning.result);
  const std::uint32_t expected = line.code(operands.count, meaning.result.format);
  const bool has_flags = line.size() == operands.count + 2;
  const std::uint32_t expected_flags = has_flags ? line.hex(operands.count + 1, kFlagBits) : 0;
  if (expected_flags > kAllFlags) line.fail(line[operands.count + 1], "flags of five bits, 00..1F");
  if (auto difference = compare("result", result.code, expected, meaning.result.format)) return difference;
  if (!has_flags) return std::nullopt;
  const std::uint32_t flags = flags_of(result, operands, meaning);
  if (flags == expected_flags) return std::nullopt;
  return LineDifference{"flags", flags_text(flags), flags_text(expected_flags)};
}

/// Results of `roundings` from the given column on, each not saturating and saturating.
std::optional<LineDifference> check_columns(const VectorLine& line, const Operands& operands,
                                            const VectorMeaning& meaning, std::span<const RoundingMode> roundings) {
  std::optional<LineDifference> first;
  std::size_t column = operands.count;
  for (const RoundingMode rounding : roundings) {
    for (const OverflowPolicy overflow : {OverflowPolicy::kInfinity, OverflowPolicy::kSaturate}) {
      const FloatSpec spec{.format = meaning.result.format, .rounding = rounding, .overflow = overflow};
      const std::uint32_t expected = line.code(column++, spec.format);
      if (first) continue;  // the rest of the line is only read
      first = compare(fmt::format("{} {}", numerics::name_of(rounding),
                                  overflow == OverflowPolicy::kSaturate ? "saturating" : "not saturating"),
                      run(operands, meaning, spec).code, expected, spec.format);
    }
  }
  return first;
}

std::optional<LineDifference> check_stochastic(const VectorLine& line, const VectorMeaning& meaning) {
  line.require_size(4, 4, "x n r result");
  constexpr int kMaxRandomBits = 32;
  constexpr std::size_t kMaxDigits = kMaxRandomBits / 4;
  FloatSpec spec{
      .format = meaning.result.format, .rounding = RoundingMode::kStochastic, .overflow = OverflowPolicy::kSaturate};
  spec.random_bits = static_cast<int>(line.decimal(1, 1, kMaxRandomBits));
  const std::uint32_t random = parse_code(line[2], 4 * static_cast<int>(std::min(line[2].size(), kMaxDigits)), line);
  if (std::uint64_t{random} >> spec.random_bits != 0) line.fail(line[2], fmt::format("a number below 2^{}", line[1]));
  const Rounded result = arith::convert(line.code(0, meaning.operands), meaning.operands, spec, random);
  return compare("result", result.code, line.code(3, spec.format), spec.format);
}

std::optional<LineDifference> check_decode(const VectorLine& line, const FloatFormat& format) {
  line.require_size(2, 2, "code, value as binary32");
  const std::uint32_t code = line.code(0, format);
  const std::uint32_t expected = line.code(1, numerics::kFp32);
  const float value = numerics::to_carrier(code, format);
  if (auto difference = compare("value", std::bit_cast<std::uint32_t>(value), expected, numerics::kFp32)) {
    return difference;
  }
  return compare("code of the value", numerics::from_carrier(value, format), code, format);
}

std::optional<LineDifference> check_trap(const VectorLine& line, const Operands& operands,
                                         const VectorMeaning& meaning) {
  const FloatFormat& format = meaning.result.format;
  const Rounded result = run(operands, meaning, meaning.result);
  const std::uint32_t wrong = line.code(4, format);
  if (auto difference = compare("result", result.code, line.code(3, format), format)) return difference;
  if (!same_code(result.code, wrong, format)) return std::nullopt;
  return LineDifference{"trap", code_text(result.code, format), "anything but the doubly rounded " + line[4]};
}

}  // namespace

bool same_code(std::uint32_t a, std::uint32_t b, const FloatFormat& format) {
  return a == b || (is_nan(a, format) && is_nan(b, format));
}

std::string code_text(std::uint32_t code, const FloatFormat& format) {
  return fmt::format("{:0{}X} ({})", code, (format.storage_bits() + 3) / 4, numerics::to_carrier(code, format));
}

LineOutcome check_line(const VectorLine& line, const VectorMeaning& meaning) {
  constexpr std::array kTieToEven = {RoundingMode::kTiesToEven};
  constexpr std::array kFiveRoundings = {RoundingMode::kTiesToEven, RoundingMode::kTowardZero,
                                         RoundingMode::kTowardNegative, RoundingMode::kTowardPositive,
                                         RoundingMode::kTiesToAway};
  const std::size_t num_operands = num_operands_of(meaning.operation);
  switch (meaning.layout) {
    case VectorLayout::kStochastic: return {.skipped = false, .difference = check_stochastic(line, meaning)};
    case VectorLayout::kDecode: return {.skipped = false, .difference = check_decode(line, meaning.operands)};
    case VectorLayout::kOperation:
      line.require_size(num_operands + 1, num_operands + 2, "operands, result, and perhaps flags");
      break;
    case VectorLayout::kPair: line.require_size(4, 4, "a b, result not saturating, result saturating"); break;
    case VectorLayout::kTenColumns:
      line.require_size(num_operands + 10, num_operands + 10, "operands and ten results");
      break;
    case VectorLayout::kTrap: line.require_size(5, 5, "a b c, result, doubly rounded result"); break;
    case VectorLayout::kGemmBlocks: GUARDBIT_CHECK(false, "blocks are checked by gemm_blocks.h");
  }
  const Operands operands = read_operands(line, meaning);
  if (meaning.ignore_signalling && any_signalling(operands, meaning)) return {.skipped = true, .difference = {}};
  if (meaning.layout == VectorLayout::kOperation)
    return {.skipped = false, .difference = check_operation(line, operands, meaning)};
  if (meaning.layout == VectorLayout::kTrap)
    return {.skipped = false, .difference = check_trap(line, operands, meaning)};
  const std::span<const RoundingMode> roundings =
      meaning.layout == VectorLayout::kPair ? std::span<const RoundingMode>(kTieToEven) : kFiveRoundings;
  return {.skipped = false, .difference = check_columns(line, operands, meaning, roundings)};
}

}  // namespace guardbit::sim
