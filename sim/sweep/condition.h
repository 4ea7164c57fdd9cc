#pragma once
/// Conditions on points: "array.rows * array.cols <= 1024 and array.dataflow != 'ws'". Names are keys of a point, texts
/// stand in single quotes; or, and, not, == != < <= > >=, + - * /, parentheses. A number is compared with numbers
/// (binary64), a text with texts, by == and != alone.
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace guardbit::sim {

/// What a name stands for: the key's value as text, or null if there is no such key. Text that is a number is one.
using NameLookup = std::function<const std::string*(std::string_view name)>;

class Condition {
 public:
  /// Throws std::invalid_argument "got X; expected Y" on a syntax error, with the column.
  explicit Condition(std::string_view text);

  /// Throws std::invalid_argument for an unknown name, a comparison of number and text, or a result that is no
  /// condition.
  [[nodiscard]] bool holds(const NameLookup& lookup) const;

  /// Every name in it.
  [[nodiscard]] std::vector<std::string> names() const;

 private:
  friend class ConditionParser;
  enum class Kind : std::uint8_t { kNumber, kText, kName, kNot, kNegative, kBinary };
  struct Node {
    Kind kind = Kind::kNumber;
    std::string text = {};  ///< kText, kName; kBinary: the operator
    double number = 0;
    std::size_t left = 0;
    std::size_t right = 0;
  };
  struct Value {
    enum class Type : std::uint8_t { kNumber, kText, kTruth } type = Type::kNumber;
    double number = 0;
    std::string text = {};
    bool truth = false;
  };
  Value evaluate(std::size_t node, const NameLookup& lookup) const;
  Value evaluate_binary(const Node& node, const NameLookup& lookup) const;
  static const char* kind_of(const Value& value);

  std::vector<Node> nodes_;  // the last one is the root
};

}  // namespace guardbit::sim
