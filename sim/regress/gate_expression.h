#pragma once
/// The text of a gate, `[variant:] sum op sum`, to a tree. What names mean is gate.h.
///
///   gate    = [ variant ":" ] sum ( ">" | ">=" | "<" | "<=" | "==" | "!=" ) sum
///   sum     = product { ( "+" | "-" ) product }
///   product = factor { ( "*" | "/" ) factor }
///   factor  = number | name | "(" sum ")" | "-" factor
///   number  = decimal digits with an optional fraction and exponent: 20, 0.5, 2e7
///   name    = letter { letter | digit | "_" | "." }
///   variant = anything but ":" and white space at its ends, for example slanc+rrs
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace guardbit::sim {

/// A node; a tree's are in one vector, operands before what combines them.
struct GateNode {
  enum class Kind { kNumber, kName, kNegate, kAdd, kSubtract, kMultiply, kDivide };
  Kind kind = Kind::kNumber;
  double number = 0;
  std::string name;
  std::size_t position = 0;  ///< of a name in the gate's text, from 1
  std::size_t left = 0;      ///< index of an operand (kNegate: the only one)
  std::size_t right = 0;
};

enum class GateRelation { kGreater, kGreaterEqual, kLess, kLessEqual, kEqual, kNotEqual };

struct GateExpression {
  std::string text;     ///< as written
  std::string variant;  ///< canonical text; "": every variant
  GateRelation relation = GateRelation::kGreater;
  std::vector<GateNode> nodes;
  std::size_t left = 0;  ///< the two sides of the relation
  std::size_t right = 0;
};

/// UserError kUsage, "<prefix>'<text>': position P: got X; expected Y"; `prefix`: "--fail-on: ".
[[nodiscard]] GateExpression parse_gate(std::string_view text, const std::string& prefix);

}  // namespace guardbit::sim
