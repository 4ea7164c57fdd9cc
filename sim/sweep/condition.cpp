#include "sim/sweep/condition.h"

#include <fmt/format.h>

#include <array>
#include <cctype>
#include <charconv>
#include <optional>
#include <span>
#include <stdexcept>

#include "sim/base/error.h"

namespace guardbit::sim {
namespace {

constexpr std::array<std::string_view, 6> kComparisons = {"==", "!=", "<=", ">=", "<", ">"};
constexpr std::array<std::string_view, 2> kSums = {"+", "-"};
constexpr std::array<std::string_view, 2> kProducts = {"*", "/"};
constexpr std::array<std::string_view, 1> kAnd = {"and"};
constexpr std::array<std::string_view, 1> kOr = {"or"};
constexpr int kMaxDepth = 50;

bool is_name_char(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '.'; }

std::optional<double> to_number(std::string_view text) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

}  // namespace

/// Recursive descent, lowest precedence first; `depth` bounds parentheses and unary operators.
class ConditionParser {
 public:
  ConditionParser(std::string_view text, std::vector<Condition::Node>& nodes) : text_(text), nodes_(nodes) {}

  void parse() {
    (void)chain(0, 0);
    skip_blanks();
    if (at_ < text_.size()) fail("the end or an operator");
  }

 private:
  [[noreturn]] void fail(std::string_view expected) const {
    const std::string found =
        at_ < text_.size() ? "\"" + printable(text_.substr(at_, 20)) + "\"" : std::string("the end");
    throw std::invalid_argument(fmt::format("got {} in column {}; expected {}", found, at_ + 1, expected));
  }
  void skip_blanks() {
    while (at_ < text_.size() && text_[at_] == ' ') ++at_;
  }
  bool accept(std::string_view token) {
    skip_blanks();
    if (!text_.substr(at_).starts_with(token)) return false;
    const std::size_t end = at_ + token.size();
    if (is_name_char(token.front()) && end < text_.size() && is_name_char(text_[end])) return false;
    at_ = end;
    return true;
  }
  std::size_t add(Condition::Node node) {
    nodes_.push_back(std::move(node));
    return nodes_.size() - 1;
  }

  /// Operators of one level between operands of the next.
  std::size_t chain(std::size_t level, int depth) {
    static constexpr std::array<std::span<const std::string_view>, 5> kLevels = {kOr, kAnd, kComparisons, kSums,
                                                                                 kProducts};
    if (level == kLevels.size()) return unary(depth);
    std::size_t left = chain(level + 1, depth);
    for (bool again = true; again;) {
      again = false;
      for (const std::string_view token : kLevels[level]) {
        if (!accept(token)) continue;
        const std::size_t right = chain(level + 1, depth);
        left = add({.kind = Condition::Kind::kBinary, .text = std::string(token), .left = left, .right = right});
        again = true;
        break;
      }
    }
    return left;
  }

  std::size_t unary(int depth) {
    if (depth > kMaxDepth) fail("less nesting");
    if (accept("not")) {
      const std::size_t operand = chain(2, depth + 1);
      return add({.kind = Condition::Kind::kNot, .left = operand});
    }
    if (accept("-")) {
      const std::size_t operand = unary(depth + 1);
      return add({.kind = Condition::Kind::kNegative, .left = operand});
    }
    if (accept("(")) {
      const std::size_t inner = chain(0, depth + 1);
      if (!accept(")")) fail(")");
      return inner;
    }
    return primary();
  }

  std::size_t primary() {
    skip_blanks();
    if (at_ < text_.size() && text_[at_] == '\'') {
      const std::size_t end = text_.find('\'', at_ + 1);
      if (end == std::string_view::npos) fail("a closing quote");
      const std::string content(text_.substr(at_ + 1, end - at_ - 1));
      at_ = end + 1;
      return add({.kind = Condition::Kind::kText, .text = content});
    }
    std::size_t end = at_;
    while (end < text_.size() && is_name_char(text_[end])) ++end;
    const std::string_view word = text_.substr(at_, end - at_);
    if (word.empty()) fail("a key, a number or a text in single quotes");
    const std::optional<double> number = to_number(word);
    if (!number && std::isdigit(static_cast<unsigned char>(word.front())) != 0) fail("a number");
    at_ = end;
    if (number) return add({.kind = Condition::Kind::kNumber, .number = *number});
    return add({.kind = Condition::Kind::kName, .text = std::string(word)});
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::vector<Condition::Node>& nodes_;
};

Condition::Condition(std::string_view text) { ConditionParser(text, nodes_).parse(); }

std::vector<std::string> Condition::names() const {
  std::vector<std::string> names;
  for (const Node& node : nodes_) {
    if (node.kind == Kind::kName) names.push_back(node.text);
  }
  return names;
}

bool Condition::holds(const NameLookup& lookup) const {
  const Value value = evaluate(nodes_.size() - 1, lookup);
  if (value.type != Value::Type::kTruth)
    throw std::invalid_argument("got a value; expected a condition, such as a < b");
  return value.truth;
}

Condition::Value Condition::evaluate(std::size_t index, const NameLookup& lookup) const {
  const Node& node = nodes_[index];
  switch (node.kind) {
    case Kind::kNumber: return {.number = node.number};
    case Kind::kText: return {.type = Value::Type::kText, .text = node.text};
    case Kind::kName: {
      const std::string* text = lookup(node.text);
      if (text == nullptr) throw std::invalid_argument("got " + printable(node.text) + "; expected a key");
      if (const auto number = to_number(*text)) return {.number = *number};
      return {.type = Value::Type::kText, .text = *text};
    }
    case Kind::kNot: {
      const Value operand = evaluate(node.left, lookup);
      if (operand.type != Value::Type::kTruth) throw std::invalid_argument("not: got a value; expected a condition");
      return {.type = Value::Type::kTruth, .truth = !operand.truth};
    }
    case Kind::kNegative: {
      const Value operand = evaluate(node.left, lookup);
      if (operand.type != Value::Type::kNumber) throw std::invalid_argument("-: got no number; expected a number");
      return {.number = -operand.number};
    }
    case Kind::kBinary: break;
  }
  return evaluate_binary(node, lookup);
}

const char* Condition::kind_of(const Value& value) {
  switch (value.type) {
    case Value::Type::kNumber: return "a number";
    case Value::Type::kText: return "a text";
    case Value::Type::kTruth: return "a condition";
  }
  return "";
}

Condition::Value Condition::evaluate_binary(const Node& node, const NameLookup& lookup) const {
  const Value a = evaluate(node.left, lookup);
  const Value b = evaluate(node.right, lookup);
  const auto truth = [](bool value) { return Value{.type = Value::Type::kTruth, .truth = value}; };
  const auto wrong = [&](const char* expected) {
    throw std::invalid_argument(
        fmt::format("{}: got {} and {}; expected {}", node.text, kind_of(a), kind_of(b), expected));
  };
  const bool numbers = a.type == Value::Type::kNumber && b.type == Value::Type::kNumber;
  if (node.text == "and" || node.text == "or") {
    if (a.type != Value::Type::kTruth || b.type != Value::Type::kTruth) wrong("conditions");
    return truth(node.text == "and" ? a.truth && b.truth : a.truth || b.truth);
  }
  if (node.text == "==" || node.text == "!=") {
    if (a.type != b.type || a.type == Value::Type::kTruth) wrong("two numbers or two texts");
    const bool equal = numbers ? a.number == b.number : a.text == b.text;
    return truth((node.text == "==") == equal);
  }
  if (!numbers) wrong("two numbers");
  if (node.text == "<") return truth(a.number < b.number);
  if (node.text == "<=") return truth(a.number <= b.number);
  if (node.text == ">") return truth(a.number > b.number);
  if (node.text == ">=") return truth(a.number >= b.number);
  if (node.text == "+") return {.number = a.number + b.number};
  if (node.text == "-") return {.number = a.number - b.number};
  if (node.text == "*") return {.number = a.number * b.number};
  return {.number = a.number / b.number};
}

}  // namespace guardbit::sim
