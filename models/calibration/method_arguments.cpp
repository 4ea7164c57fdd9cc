#include "models/calibration/method_arguments.h"

#include <charconv>
#include <cmath>
#include <optional>
#include <stdexcept>

#include "models/calibration/spelling.h"
#include "models/numerics/check.h"

namespace guardbit::calibration {
namespace {

std::optional<double> parse_number(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) return std::nullopt;
  return value;
}

/// Null unless `text` is a value that the parameter takes.
std::optional<double> parse_value(const Parameter& parameter, std::string_view text) {
  if (parameter.kind == ParameterKind::kFlag) {
    if (text == "true") return 1;
    if (text == "false") return 0;
    return std::nullopt;
  }
  const std::optional<double> value = parse_number(text);
  if (!value || *value < parameter.least || *value > parameter.largest) return std::nullopt;
  if (parameter.kind == ParameterKind::kInteger && *value != std::floor(*value)) return std::nullopt;
  return *value + 0.0;  // -0 and 0 are one value with one text
}

/// The shortest decimal number that is read back as `value`.
std::string shortest(double value) {
  char buffer[32];
  const auto [end, error] = std::to_chars(buffer, buffer + sizeof buffer, value);
  GUARDBIT_CHECK(error == std::errc(), "32 characters hold every shortest number");
  return {buffer, end};
}

}  // namespace

std::string range_text(const Parameter& parameter) {
  if (parameter.kind == ParameterKind::kFlag) return "flag";
  return (parameter.kind == ParameterKind::kInteger ? "integer " : "number ") + shortest(parameter.least) + ".." +
         shortest(parameter.largest);
}

std::string value_text(const Parameter& parameter, double value) {
  if (std::isnan(value)) return "none";
  if (parameter.kind == ParameterKind::kFlag) return value != 0 ? "true" : "false";
  return shortest(value);
}

MethodArguments::MethodArguments(std::span<const Parameter> parameters)
    : parameters_(parameters), given_(parameters.size()) {
  for (const Parameter& parameter : parameters) values_.push_back(parameter.default_value);
}

std::size_t MethodArguments::index_of(std::string_view name) const {
  std::size_t index = 0;
  while (index < parameters_.size() && parameters_[index].name != name) ++index;
  return index;
}

double MethodArguments::value(std::string_view name, ParameterKind kind) const {
  const std::size_t index = index_of(name);
  GUARDBIT_CHECK(index < parameters_.size() && parameters_[index].kind == kind,
                 "the method's table has " + std::string(name));
  return values_[index];
}

int MethodArguments::integer(std::string_view name) const {
  return static_cast<int>(value(name, ParameterKind::kInteger));
}
double MethodArguments::number(std::string_view name) const { return value(name, ParameterKind::kNumber); }
bool MethodArguments::flag(std::string_view name) const { return value(name, ParameterKind::kFlag) != 0; }

bool MethodArguments::given(std::string_view name) const {
  const std::size_t index = index_of(name);
  GUARDBIT_CHECK(index < parameters_.size(), "the method's table has " + std::string(name));
  return given_[index];
}

std::string MethodArguments::canonical_text() const {
  std::string text;
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const Parameter& parameter = parameters_[i];
    if (!given_[i] || values_[i] == parameter.default_value) continue;
    text += text.empty() ? "(" : ",";
    text += parameter.name;
    const bool is_switched_on = parameter.kind == ParameterKind::kFlag && values_[i] != 0;
    if (!is_switched_on) text += "=" + value_text(parameter, values_[i]);
  }
  return text.empty() ? text : text + ")";
}

void MethodArguments::parse(std::string_view argument) {
  const std::size_t equals = argument.find('=');
  const std::string_view name = argument.substr(0, equals);
  const std::size_t index = index_of(name);
  if (index == parameters_.size()) {
    std::vector<std::string_view> names;
    for (const Parameter& parameter : parameters_) names.push_back(parameter.name);
    throw std::invalid_argument("no argument \"" + std::string(name) + "\"" + known_names(name, names));
  }
  const Parameter& parameter = parameters_[index];
  if (given_[index]) throw std::invalid_argument("argument \"" + std::string(name) + "\" is given twice");
  const bool is_bare = equals == std::string_view::npos;
  const bool is_bare_flag = is_bare && parameter.kind == ParameterKind::kFlag;
  const std::string_view text = is_bare_flag ? "true" : is_bare ? "" : argument.substr(equals + 1);
  const std::optional<double> value = parse_value(parameter, text);
  if (!value) {
    const std::string expected =
        parameter.kind == ParameterKind::kFlag ? "true or false" : "an " + range_text(parameter);
    throw std::invalid_argument("argument \"" + std::string(name) + "\": got " +
                                (is_bare ? "no value" : "\"" + std::string(text) + "\"") + "; expected " +
                                (parameter.kind == ParameterKind::kNumber ? "a " + range_text(parameter) : expected));
  }
  values_[index] = *value;
  given_[index] = true;
}

}  // namespace guardbit::calibration
