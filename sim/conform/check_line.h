#pragma once
/// One line of a vector file against the reference arithmetic (models/arith).
#include <optional>
#include <string>

#include "sim/conform/vector_meaning.h"
#include "sim/conform/vector_reader.h"

namespace guardbit::sim {

/// The first difference within a line.
struct LineDifference {
  std::string column;
  std::string got;
  std::string expected;
};

struct LineOutcome {
  bool skipped = false;  ///< an operand is a signalling NaN and the caller ignores those
  std::optional<LineDifference> difference;
};

/// Not for kGemmBlocks. Results are compared bit for bit, except that any NaN equals any NaN; flags as IEEE 754 and
/// RISC-V define them: a signalling NaN operand and 0 * inf + NaN are invalid operations there, while the event
/// `invalid` (events.h) counts only NaNs that come from operands of which none is one.
/// UserError kMalformedInput if the line does not have the layout.
[[nodiscard]] LineOutcome check_line(const VectorLine& line, const VectorMeaning& meaning);

/// Bit for bit, except that any NaN equals any NaN.
[[nodiscard]] bool same_code(std::uint32_t a, std::uint32_t b, const numerics::FloatFormat& format);
/// "7BFF (65504)": digits of the format's width and the value.
[[nodiscard]] std::string code_text(std::uint32_t code, const numerics::FloatFormat& format);

}  // namespace guardbit::sim
