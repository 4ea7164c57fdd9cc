#include "sim/regress/gate_expression.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <optional>
#include <stdexcept>
#include <utility>

#include "models/calibration/variant.h"
#include "sim/base/error.h"

namespace guardbit::sim {
namespace {

constexpr std::size_t kMaxGateBytes = 1024;
constexpr int kMaxNesting = 32;

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_space(char c) { return c == ' ' || c == '\t'; }

/// As results name it; a text that is no variant stays, for check_gate to refuse.
std::string canonical_variant(std::string_view text) {
  try {
    return calibration::parse_variant(text).canonical_text();
  } catch (const std::invalid_argument&) {
    return std::string(text);
  }
}

/// A recursive descent over the grammar of the header; one function a rule.
class Parser {
 public:
  Parser(std::string_view text, const std::string& prefix) : text_(text), prefix_(prefix) {
    gate_.text = std::string(text);
    if (text.size() > kMaxGateBytes) fail(fmt::format("{} bytes", text.size()), "at most 1024");
  }

  GateExpression parse() {
    variant();
    gate_.left = sum();
    gate_.relation = relation();
    gate_.right = sum();
    skip_spaces();
    if (at_ != text_.size()) fail(here(), "the end, or one of + - * /");
    return std::move(gate_);
  }

 private:
  using Kind = GateNode::Kind;

  [[noreturn]] void fail(const std::string& got, const std::string& expected) const {
    throw UserError(ExitCode::kUsage, fmt::format("{}'{}': position {}: got {}; expected {}", prefix_,
                                                  printable(text_.substr(0, kMaxGateBytes)), at_ + 1, got, expected));
  }

  void skip_spaces() {
    while (at_ < text_.size() && is_space(text_[at_])) ++at_;
  }
  std::string here() const { return at_ == text_.size() ? "the end" : "'" + printable(text_.substr(at_, 1)) + "'"; }
  bool accept(std::string_view token) {
    skip_spaces();
    if (!text_.substr(at_).starts_with(token)) return false;
    at_ += token.size();
    return true;
  }
  std::size_t add(GateNode node) {
    gate_.nodes.push_back(std::move(node));
    return gate_.nodes.size() - 1;
  }
  std::size_t combine(Kind kind, std::size_t left, std::size_t right) {
    return add({.kind = kind, .name = "", .left = left, .right = right});
  }

  void variant() {
    const std::size_t colon = text_.find(':');
    if (colon == std::string_view::npos) return;
    skip_spaces();
    std::size_t end = colon;
    while (end > at_ && is_space(text_[end - 1])) --end;
    if (end == at_) fail("':'", "a variant before it");
    gate_.variant = canonical_variant(text_.substr(at_, end - at_));
    at_ = colon + 1;
  }

  GateRelation relation() {
    // The longer spelling first: ">=" begins with ">".
    constexpr std::array<std::pair<std::string_view, GateRelation>, 6> kRelations = {
        {{">=", GateRelation::kGreaterEqual},
         {"<=", GateRelation::kLessEqual},
         {"==", GateRelation::kEqual},
         {"!=", GateRelation::kNotEqual},
         {">", GateRelation::kGreater},
         {"<", GateRelation::kLess}}};
    for (const auto& [token, relation] : kRelations) {
      if (accept(token)) return relation;
    }
    skip_spaces();
    fail(here(), "one of > >= < <= == !=");
  }

  std::size_t sum() {
    if (++depth_ > kMaxNesting) fail("too many brackets", fmt::format("at most {} nested", kMaxNesting));
    std::size_t left = product();
    for (;;) {
      if (accept("+")) {
        left = combine(Kind::kAdd, left, product());
      } else if (accept("-")) {
        left = combine(Kind::kSubtract, left, product());
      } else {
        --depth_;
        return left;
      }
    }
  }

  std::size_t product() {
    std::size_t left = factor();
    for (;;) {
      if (accept("*")) {
        left = combine(Kind::kMultiply, left, factor());
      } else if (accept("/")) {
        left = combine(Kind::kDivide, left, factor());
      } else {
        return left;
      }
    }
  }

  std::size_t factor() {
    std::size_t num_signs = 0;
    while (accept("-")) ++num_signs;
    std::size_t operand = primary();
    if (num_signs % 2 == 1) operand = combine(Kind::kNegate, operand, operand);
    return operand;
  }

  std::size_t primary() {
    if (accept("(")) {
      const std::size_t inner = sum();
      if (!accept(")")) fail(here(), "')', or one of + - * /");
      return inner;
    }
    skip_spaces();
    if (at_ < text_.size() && is_digit(text_[at_])) return number();
    if (at_ < text_.size() && is_letter(text_[at_])) return name();
    fail(here(), "a number, a name or '('");
  }

  std::size_t number() {
    double value = 0;
    const char* const begin = text_.data() + at_;
    const auto [end, error] = std::from_chars(begin, text_.data() + text_.size(), value);
    const auto length = static_cast<std::size_t>(end - begin);
    const bool ends_well = at_ + length == text_.size() || !(is_letter(*end) || is_digit(*end) || *end == '.');
    if (error != std::errc{} || !std::isfinite(value) || !ends_well) {
      const std::size_t shown = text_.find_first_of(" \t+-*/()<>=!", at_);
      fail("'" + printable(text_.substr(at_, shown == std::string_view::npos ? shown : shown - at_)) + "'",
           "a decimal number such as 20, 0.5 or 2e7");
    }
    at_ += length;
    return add({.kind = Kind::kNumber, .number = value, .name = ""});
  }

  std::size_t name() {
    const std::size_t begin = at_;
    while (at_ < text_.size() && (is_letter(text_[at_]) || is_digit(text_[at_]) || text_[at_] == '.')) ++at_;
    return add({.kind = Kind::kName, .name = std::string(text_.substr(begin, at_ - begin)), .position = begin + 1});
  }

  const std::string_view text_;
  const std::string& prefix_;
  GateExpression gate_;
  std::size_t at_ = 0;
  int depth_ = 0;
};

}  // namespace

GateExpression parse_gate(std::string_view text, const std::string& prefix) { return Parser(text, prefix).parse(); }

}  // namespace guardbit::sim
